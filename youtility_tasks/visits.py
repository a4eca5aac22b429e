"""For which tenant a person's request works, on a page or through the API; and that an operator's look is entered.

A person works in a tenant in which they have a role. An operator works for everybody, or for one tenant, and sees metadata; or
for the sweeps (tenant 0), whose rows are no tenant's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from . import audit, membership, tenants
from .conf import settings
from .errors import ConfigurationError
from .models import Role
from .problems import Problem
from .tenancy import roles
from .tenants import ALL


@dataclass(frozen=True, slots=True)
class Place:
    """For whom a request works: a tenant in which its caller has a role; or as an operator the sweeps (tenant 0), whose rows
    are no tenant's, one tenant's metadata, or everybody's."""

    tenant_id: int | None
    role: Role | None
    """None: as an operator."""
    passes_over_role: bool = False
    """An operator's, who has a role in one tenant and has not chosen it."""

    @property
    def is_of_sweeps(self) -> bool:
        """Whether it is for the sweeps."""
        return self.tenant_id == ALL

    @property
    def is_ops(self) -> bool:
        """Whether it sees metadata alone."""
        return self.role is None and not self.is_of_sweeps


class For(Enum):
    """For whom a request may work."""

    ANYBODY = "who is signed in: it shows nothing of a tenant"
    TENANT = "one tenant, in which the caller has a role"
    TENANT_OR_SWEEPS = "one tenant, in which the caller has a role, or an operator the sweeps (tenant 0)"
    TENANT_OR_OPS = "one tenant, or an operator: metadata of one or all"
    OPS = "operators, over all tenants"


EVERYBODY = -1
"""What a session keeps in the place of a tenant: its operator works for all, though they have a role in one."""

EVERYWHERE = Place(None, None)
"""An operator's, over all tenants."""


def admit(
    user: Any, chosen: int | None, wanted: int | None, scope: For, *, is_whole_page: bool = False
) -> Place | None:
    """Where somebody works in what is for these; None where it is for anybody. Raises Problem 403.

    `is_whole_page`: an operator who has chosen no tenant sees everybody's, also one who has a role in a single tenant. What comes by
    itself does not ask who is an operator: there the session says so (EVERYBODY).
    """
    match scope:
        case For.ANYBODY:
            return None
        case For.OPS:
            if not membership.is_ops(user):
                detail = f"It takes the permission {membership.OPS!r}, which you have not."
                raise Problem(403, "not-allowed", "Not allowed", detail)
            return EVERYWHERE
    where = place(
        user, chosen, wanted, begins_everywhere=(is_whole_page or chosen == EVERYBODY) and scope is For.TENANT_OR_OPS
    )
    if scope in (For.TENANT, For.TENANT_OR_SWEEPS) and where.is_ops:
        raise Problem(
            403, "not-allowed", "Not allowed",
            "Operators see metadata: this shows or changes what is a tenant's own, and takes a role for that tenant (?tenant=ID).",
        )  # fmt: skip
    return where


def place(user: Any, chosen: int | None, wanted: int | None, *, begins_everywhere: bool = False) -> Place:
    """Where somebody works: in the tenant that is wanted, else the one they have (chosen); else as an operator, if they are.

    `begins_everywhere`: an operator's only tenant is no choice of theirs.

    Raises Problem 403; the text is the same whether a tenant exists or not.
    """
    its = membership.memberships_of(user)
    here = wanted
    if here is None:
        is_implied = len(its) == 1 and not (begins_everywhere and membership.is_ops(user))
        here = chosen if chosen in its else next(iter(its)) if is_implied else None
    if here is not None and here in its:
        return Place(here, its[here])
    if here == ALL and not membership.is_ops(user):
        raise Problem(
            403, "not-allowed", "Not allowed", f"The sweeps are for who has the permission {membership.OPS!r}."
        )
    if membership.is_ops(user):
        return Place(here, None, passes_over_role=here is None and len(its) == 1)
    if here is None and its:
        known = ", ".join(map(str, its))
        raise Problem(403, "which-tenant", "Which tenant?", f"You belong to several tenants ({known}): add ?tenant=ID.")
    whose = f"for tenant {here}" if here is not None else "for any tenant"
    raise Problem(403, "not-allowed", "Not allowed", f"You have no role {whose}; an admin of the tenant gives one.")


@contextlib.contextmanager
def entered(where: Place | None, user: Any) -> Iterator[None]:
    """This person acts inside the block, in that place; in none, without rows. The database is told so where roles are used."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(membership.acting(user))
        if where is not None and where.is_ops:
            stack.enter_context(_as_operator())
        if where is None or where.tenant_id is None:
            stack.enter_context(tenants.nobody())
        else:
            stack.enter_context(tenants.no_tenant() if where.is_of_sweeps else tenants.tenant(where.tenant_id))
        yield


@contextlib.contextmanager
def _as_operator() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(roles.acting_here("ops"))
        except ConfigurationError as error:
            raise Problem(403, "no-operators", "No operators here", f"{error} Or add ?tenant=ID.") from None
        yield


def enter_look(where: Place, what: str, said: dict[str, Any]) -> None:
    """Who looks as an operator, or acts as one, is in the audit log (the tenant's own, if it is one), where the database keeps
    tenants apart."""
    if where.is_ops and settings().roles is not None:
        act = "for all tenants" if where.tenant_id is None else "as an operator"
        audit.write(act, what, tenant_id=where.tenant_id, after=said)
