"""uploadReport: site and incident reports with their sections; work permits go their own way (`permits`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from task_catalog.mobile import permits, visits
from task_catalog.mobile.context import Context, Output
from task_catalog.rules.records import Flaw, record_of
from youtility_tasks import BadInput

KINDS = ("SITEREPORT", "INCIDENTREPORT")


def upload_reports(context: Context, records: Sequence[Any]) -> Output:
    """Store reports with their sections (`child`) and answers (`details`), all or none. Raises BadInput.

    A new permit is numbered and its verifiers are asked; the return of a permit (`isreturnwp`) is told to vendor and
    security.
    """
    given = [_record(index, record) for index, record in enumerate(visits.listed(records))]
    of_sites = [record for record in given if _table(record) == "jobneed"]
    stored = list(_store(context, of_sites)) if of_sites else []
    stored += permits.store(context, [record for record in given if _table(record) == "wom"])
    return Output.of("reports stored", stored)


def _record(index: int, given: Any) -> dict[str, Any]:
    try:
        record = record_of(given)
    except Flaw as flaw:
        raise BadInput(f"report {index}: {flaw}. Nothing of the message was stored.") from flaw
    if _table(record) not in ("jobneed", "wom"):
        raise BadInput(f"report {index}: tablename is {record.get('tablename')!r:.60}; right is 'jobneed' or 'wom'.")
    sections = record.get("child") or []
    if not isinstance(sections, list):
        raise BadInput(f"report {index}: 'child' is {sections!r:.60}; right is a list of sections.")
    try:
        return {**record, "child": [record_of(section) for section in sections]}
    except Flaw as flaw:
        raise BadInput(f"report {index}: a section: {flaw}. Nothing of the message was stored.") from flaw


def _table(record: Mapping[str, Any]) -> str:
    return str(record.get("tablename") or "jobneed").strip().lower()


def _store(context: Context, records: Sequence[dict[str, Any]]) -> list[Any]:
    """Reports first, then their sections, which are visits below them."""
    for index, record in enumerate(records):
        if record.get("identifier") not in KINDS:
            raise BadInput(
                f"report {index}: identifier is {record.get('identifier')!r:.60}; right is one of {', '.join(KINDS)}."
            )
    stored = visits.store(context, records, may_insert=True)
    ids = visits.ids_of(context, stored)
    sections = [
        {
            "bu_id": record.get("bu_id"),
            "identifier": record.get("identifier"),
            "seqno": nth,
            **section,
            "parent_id": ids[str(record["uuid"]).strip().lower()],
        }
        for record in records
        for nth, section in enumerate(record["child"], start=1)
    ]
    if sections:
        visits.store(context, sections, may_insert=True)
    return stored
