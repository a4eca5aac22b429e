"""For whom a verb acts, and so as whom it connects, where the setting `roles` keeps tenants apart."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Iterator
from enum import Enum

from youtility_tasks import audit
from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import tenant

from .answer import BadUsage


class Scope(Enum):
    """What a verb needs to be told, or takes upon itself."""

    CHOSEN = "one tenant, or all of them as an operator"
    TENANT = "one tenant: it shows what only the tenant may see"
    OPERATOR = "the installation, as an operator"
    ITS_OWN = "what the verb itself says"


@contextlib.contextmanager
def entered(scope: Scope, options: Namespace) -> Iterator[None]:
    """Connect as what the words ask for, in the tenant that they name; for all of them is entered in the audit log, also where
    the verb only looks. Raises BadUsage when they name nothing."""
    if scope is Scope.ITS_OWN or not _are_kept_apart():
        yield
        return
    named, for_all = getattr(options, "tenant", None), getattr(options, "all_tenants", False)
    if scope is Scope.OPERATOR or for_all:
        with roles.acting("ops"):
            if for_all:
                audit.write("for all tenants", options.verb, after=_said(options))
            yield
    elif named is not None:
        with tenant(named):
            yield
    else:
        instead = ", or --all-tenants to act as an operator" if scope is Scope.CHOSEN else ""
        raise BadUsage(f"For which tenant? Give --tenant N{instead}: the setting `roles` keeps them apart.")


def _said(options: Namespace) -> dict[str, str]:
    """The words with which somebody looks at everybody's jobs, or acts on them."""
    words = (
        "act", "id", "ids", "what", "search", "queue", "task", "status", "fingerprint", "since", "until", "limit", "all",
        "by", "target", "name",
    )  # fmt: skip
    said = {name: getattr(options, name, None) for name in words}
    return {name: str(value) for name, value in said.items() if value not in (None, [], False)}


def _are_kept_apart() -> bool:
    try:
        return settings().roles is not None
    except ConfigurationError:  # which the verb itself will meet, and the doctor tells
        return False
