"""One way in which a database is not as planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .catalogue import Grant, quoted
from .rights import GROUPS, OWNER, Plan

PUBLIC = "public"
TABLES, VIEWS = ("r", "p", "f"), ("v", "m")


@dataclass(frozen=True, slots=True)
class Difference:
    """`repair` is one statement, without passwords; None where a person has to decide."""

    says: str
    repair: str | None = None
    by: Literal["roles", "owner"] = "owner"
    """Who may repair it: whoever makes roles, or whoever owns the tables."""
    new_login: str | None = None
    """The part whose login the repair makes."""
    voids_all: bool = False
    """No policy is worth anything while it lasts: then nobody connects, not only no worker."""
    is_closed: bool = False
    """Nothing is open to anybody because of it: it is for people to sort out, and keeps no worker from starting."""


def in_order(grant: Grant) -> tuple[str, ...]:
    """For sorting: so that two looks tell the same in the same order."""
    return tuple(each or "" for each in grant)


def runtime(plan: Plan) -> set[str]:
    """Everybody who might connect and is not to have more than planned."""
    return {PUBLIC, *plan.logins.values(), *(plan.group(part) for part in GROUPS if part != OWNER)}


def grantee_of(name: str) -> str:
    """A grantee as SQL takes it."""
    return "PUBLIC" if name == PUBLIC else quoted(name)
