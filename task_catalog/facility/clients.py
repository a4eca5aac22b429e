"""How a client and its sites come to be: the business unit and the queue's tenant together, or neither."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from youtility_tasks import audit, tenant
from youtility_tasks.models import Tenant

from .models import Bt, TypeAssist
from .models.sentinel_id import NONE_ID

_KIND = "BVIDENTIFIER"


@transaction.atomic
def create_client(
    name: str, bucode: str, *, at: datetime, ctzoffset: int = 0, is_active: bool = True, **columns: Any
) -> Bt:
    """Create a client company under the NONE unit, and the tenant of the same id whose jobs are kept apart.

    `at` is the instant of creation, `ctzoffset` minutes east of UTC, `columns` any other column of the unit. Needs the
    NONE rows (`ensure_sentinels`). Raises IntegrityError when the code is taken; then there is neither.
    """
    level = _level("CLIENT", at)
    with tenant(_next_id()) as client_id:  # whoever makes it acts for it, also before the database
        client = Bt.objects.create(
            pk=client_id,
            buname=name,
            bucode=bucode,
            identifier=level,
            parent_id=NONE_ID,
            **_stamps(at, ctzoffset),
            **columns,
        )
        made = Tenant.objects.create(id=client.pk, name=name, is_active=is_active)
        after = {"name": made.name, "weight": made.weight, "is_active": made.is_active}
        audit.write("add tenant", f"tenant {made.pk}", tenant_id=made.pk, after=after)
    return client


@transaction.atomic
def create_site(
    client: Bt, name: str, bucode: str, *, at: datetime, ctzoffset: int | None = None, **columns: Any
) -> Bt:
    """Create a site of a client, in the client's wall clock unless told otherwise.

    Raises IntegrityError when the code is taken: it begins the numbers of the site's tickets, which are unique over
    all clients.
    """
    level = _level("SITE", at)
    with tenant(client.pk):
        return Bt.objects.create(
            buname=name,
            bucode=bucode,
            identifier=level,
            parent=client,
            **_stamps(at, client.ctzoffset if ctzoffset is None else ctzoffset),
            **columns,
        )


def ensure_levels(*, at: datetime) -> None:
    """Make the words for the levels of the tree, if they are missing. They belong to no client, so that with the setting
    `roles` only whoever sets the database up may."""
    for code in ("CLIENT", "SITE"):
        _level(code, at)


def _next_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s))",
            [connection.ops.quote_name(Bt._meta.db_table), Bt._meta.pk.column],
        )
        return int(cursor.fetchone()[0])


def _level(code: str, at: datetime) -> TypeAssist:
    """The word for a level of the tree, made when first needed."""
    kind = _word(_KIND, NONE_ID, at)
    return _word(code, kind.pk, at)


def _word(code: str, kind_id: int, at: datetime) -> TypeAssist:
    word, _ = TypeAssist.objects.get_or_create(
        tacode=code,
        tatype_id=kind_id,
        client_id=NONE_ID,
        defaults={"taname": code, "bu_id": NONE_ID, **_stamps(at, 0)},
    )
    return word


def _stamps(at: datetime, ctzoffset: int) -> dict[str, Any]:
    return {"cdtz": at, "mdtz": at, "ctzoffset": ctzoffset, "cuser_id": NONE_ID, "muser_id": NONE_ID}
