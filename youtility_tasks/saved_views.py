"""Views of the list of jobs that a person keeps, for each tenant that they look at; nobody else sees them."""

from __future__ import annotations

from typing import Any

from .conf import settings
from .errors import Refused
from .models import SavedView
from .tenants import ALL

MOST = 20
"""Views that one person keeps in one place."""
LONGEST_NAME, LONGEST_QUERY = 60, 2_000


def mine(user: Any, tenant_id: int | None) -> list[SavedView]:
    """Those of this person for that tenant (None: over all), by name. One statement."""
    return list(_of(user, tenant_id).order_by("name")[:MOST])


def save(user: Any, tenant_id: int | None, name: str, query: str) -> SavedView:
    """Keep these words of the address ("status=failed&queue=email") under a name; one of that name is replaced.

    Raises Refused for no name, one that is too long, or one view too many.
    """
    given = " ".join(name.split())
    if not 0 < len(given) <= LONGEST_NAME or "\x00" in given:
        raise Refused(f"A view has a name of 1 to {LONGEST_NAME} characters; given: {name[:80]!r}.")
    if len(query) > LONGEST_QUERY:
        raise Refused(f"A view has at most {LONGEST_QUERY:,} characters of filters; given: {len(query):,}.")
    known = {each.name for each in mine(user, tenant_id)}
    if given not in known and len(known) >= MOST:
        raise Refused(f"You keep {MOST} views here; take one away first.")
    made: SavedView
    made, _ = _of(user, tenant_id).update_or_create(
        tenant_id=tenant_id or ALL, user_key=str(user.pk), name=given, defaults={"query": query}
    )
    return made


def forget(user: Any, tenant_id: int | None, view_id: int) -> None:
    """Take one of this person's views away; one that is gone already is as good."""
    _of(user, tenant_id).filter(pk=view_id).delete()


def _of(user: Any, tenant_id: int | None) -> Any:
    return SavedView.objects.using(settings().database).filter(tenant_id=tenant_id or ALL, user_key=str(user.pk))
