"""The NONE rows: optional foreign keys point at them instead of being null (catalog.md 1.2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Max

from youtility_tasks import errors

from .models import (
    Asset,
    Bt,
    GeofenceMaster,
    Job,
    Jobneed,
    Location,
    People,
    Pgroup,
    Question,
    QuestionSet,
    QuestionSetBelonging,
    Ticket,
    TypeAssist,
    Wom,
)
from .models.sentinel_id import NONE_ID

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_STAMPS = {"cdtz": _LONG_AGO, "mdtz": _LONG_AGO, "ctzoffset": 0, "cuser_id": NONE_ID, "muser_id": NONE_ID}
_NONE_ROWS: tuple[tuple[type[models.Model], dict[str, Any]], ...] = (
    (TypeAssist, {"tacode": "NONE", "taname": "NONE", "tatype_id": NONE_ID, "client_id": NONE_ID, "bu_id": NONE_ID}),
    (Bt, {"bucode": "NONE", "buname": "NONE", "identifier_id": NONE_ID, "parent_id": NONE_ID}),
    (
        People,
        {
            "peoplecode": "NONE",
            "peoplename": "NONE",
            "loginid": "NONE",
            "email": "none@invalid",
            "client_id": NONE_ID,
            "bu_id": NONE_ID,
        },
    ),
    (Pgroup, {"groupname": "NONE", "identifier_id": NONE_ID, "client_id": NONE_ID, "bu_id": NONE_ID}),
    (GeofenceMaster, {"gfcode": "NONE", "gfname": "NONE", "client_id": NONE_ID, "bu_id": NONE_ID}),
    (Location, {"loccode": "NONE", "locname": "NONE", "client_id": NONE_ID, "bu_id": NONE_ID}),
    (Asset, {"assetcode": "NONE", "assetname": "NONE", "client_id": NONE_ID, "bu_id": NONE_ID}),
    (Question, {"quesname": "NONE", "client_id": NONE_ID}),
    (QuestionSet, {"qsetname": "NONE", "type": "NONE", "parent_id": NONE_ID, "client_id": NONE_ID, "bu_id": NONE_ID}),
    (
        QuestionSetBelonging,
        {
            "qset_id": NONE_ID,
            "question_id": NONE_ID,
            "answertype": "NONE",
            "seqno": -1,
            "client_id": NONE_ID,
            "bu_id": NONE_ID,
        },
    ),
    (
        Job,
        {
            "jobname": "NONE",
            "jobdesc": "NONE",
            "asset_id": NONE_ID,
            "qset_id": NONE_ID,
            "parent_id": NONE_ID,
            "client_id": NONE_ID,
            "bu_id": NONE_ID,
            "enable": False,
        },
    ),
    (
        Jobneed,
        {
            "jobdesc": "NONE",
            "seqno": -1,
            "job_id": NONE_ID,
            "parent_id": NONE_ID,
            "client_id": NONE_ID,
            "bu_id": NONE_ID,
        },
    ),
    (
        Ticket,
        {"ticketno": "NONE", "ticketdesc": "NONE", "status": "CLOSED", "client_id": NONE_ID, "bu_id": NONE_ID},
    ),
    (Wom, {"description": "NONE", "parent_id": NONE_ID, "client_id": NONE_ID, "bu_id": NONE_ID}),
)


@transaction.atomic
def ensure_sentinels() -> int:
    """Create the NONE rows that are missing, all with id 1; return how many were.

    Calling it again changes nothing. Leaves each table's sequence beyond its rows, so that the next one does not ask
    for id 1. The rows refer to each other, so they appear together, when the caller's transaction commits.
    Raises ConfigurationError when id 1 of a table is something else already.
    """
    with connection.cursor() as cursor:
        # Two set-ups at once would otherwise both find a row missing, and a sequence could go back.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('task_catalog.facility.sentinels'))")
        return sum(_ensure(cursor, model, values) for model, values in _NONE_ROWS)


def _ensure(cursor: Any, model: type[models.Model], values: dict[str, Any]) -> int:
    name, code = next(iter(values.items()))
    there = model._default_manager.filter(pk=NONE_ID).values_list(name, flat=True).first()
    if there is not None and there != code:
        raise errors.ConfigurationError(
            f"Row {NONE_ID} of table {model._meta.db_table!r} is {there!r}; it has to be the row {code!r} that means "
            "'none'. Create the NONE rows (ensure_sentinels) before any other."
        )
    if there is None:
        model._default_manager.bulk_create([model(pk=NONE_ID, **_STAMPS, **values)])
        table = connection.ops.quote_name(model._meta.db_table)
        highest = model._default_manager.aggregate(id=Max("pk"))["id"]
        cursor.execute(
            "SELECT setval(sequence, greatest(%s, pg_sequence_last_value(sequence)))"
            " FROM (SELECT pg_get_serial_sequence(%s, %s)::regclass) AS of_table (sequence)",
            [highest, table, model._meta.pk.column],
        )
    return int(there is None)
