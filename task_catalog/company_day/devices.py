"""The devices of the company's people: each thing that they do becomes one mutation, as the application's devices send it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from task_catalog import entities

from .company import ClientRows
from .papers import Sheet, answered
from .post import Post
from .seed_plans import HIGH

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed

_OUTPUT = "{ rc msg recordcount traceback uuids }"
_RECORDS = "mutation NAME($records: [String!]!) { NAME(records: $records) " + _OUTPUT + " }"
_UPLOAD = (
    "mutation uploadAttachment($bytes: [Int!]!, $biodata: String!, $record: String!) "
    "{ uploadAttachment(bytes: $bytes, biodata: $biodata, record: $record) " + _OUTPUT + " }"
)
_JSON = (
    "mutation insertJson($jsondata: [String!]!, $tablename: String!) "
    "{ insertJson(jsondata: $jsondata, tablename: $tablename) " + _OUTPUT + " }"
)


@dataclass(frozen=True, slots=True)
class Visit:
    """What becomes of one occurrence, and when somebody comes by."""

    root_id: int
    at: datetime
    performer_id: int
    completed: bool
    in_alert: bool


class Devices:
    """Writes the payloads and gives them to the post; each method is one delivery, in the present tenant's name."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def report_visit(self, visit: Visit) -> None:
        """An occurrence with its stops and answers: all of it done, or only begun."""
        root = entities.Occurrence.objects.get(pk=visit.root_id)
        stops = list(entities.Occurrence.objects.filter(parent_id=root.pk).order_by("seqno"))
        reached = stops if visit.completed else stops[: len(stops) // 2]
        asked = reached[0] if reached else root
        records = [
            _visit_record(row, visit, is_done=visit.completed or row is not root, in_alert=row in (root, asked))
            for row in (root, *reached)
        ]
        details = _answers([root.pk, *(stop.pk for stop in reached)] if visit.completed else [s.pk for s in reached])
        for row, record in zip((root, *reached), records, strict=True):
            record["details"] = details.get(row.pk, [])
        if visit.in_alert:
            first = next(detail for detail in details[asked.pk] if detail["seqno"] == 1)
            first.update(answer=str(HIGH + 1), alerts=True)
        self._send("updateTaskTour", records, "completions" if visit.completed else "starts", uuids=[root.uuid])

    def write_ticket(self, uuid: UUID, columns: Mapping[str, Any]) -> None:
        """Something is broken, says somebody on the spot."""
        self._send("insertRecord", [{"tablename": "ticket", "uuid": uuid, **columns}], "tickets", uuids=[uuid])

    def punch(self, uuid: UUID, columns: Mapping[str, Any]) -> None:
        """Somebody comes, or goes."""
        self._send("insertRecord", [{"tablename": "peopleeventlog", "uuid": uuid, **columns}], "punches", uuids=[uuid])

    def send_photo(self, content: bytes, biodata: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        """The photo of a punch."""
        variables = {"bytes": list(content), "biodata": _text(biodata), "record": _text(record)}
        self._deliver(_UPLOAD, variables, "photos", [record["uuid"]])

    def ask_permit(self, sheet: Sheet) -> None:
        """A permit to work, asked for at the site."""
        self._send("uploadReport", [_permit_record(sheet)], "permits", uuids=[sheet.uuid])

    def send_tracks(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Where somebody was, in one batch."""
        listed = [_text(row) for row in rows]
        self._deliver(_JSON, {"jsondata": listed, "tablename": "tracking"}, "tracks", [])

    def _send(self, mutation: str, records: Iterable[Mapping[str, Any]], kind: str, *, uuids: Iterable[UUID]) -> None:
        variables = {"records": [_text(record) for record in records]}
        self._deliver(_RECORDS.replace("NAME", mutation), variables, kind, uuids)

    def _deliver(self, document: str, variables: Mapping[str, Any], kind: str, uuids: Iterable[UUID]) -> None:
        message = {
            "mutation": document,
            "variables": variables,
            "uuids": [str(uuid) for uuid in uuids],
            "serviceName": kind,
        }
        self._post.deliver(_text(message))


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, default=_plain)


def _plain(value: object) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else str(value)


def _visit_record(row: Jobneed, visit: Visit, *, is_done: bool, in_alert: bool) -> dict[str, Any]:
    return {
        "tablename": "jobneed",
        "uuid": row.uuid,
        "jobstatus": "COMPLETED" if is_done else "INPROGRESS",
        "starttime": visit.at,
        "endtime": visit.at if is_done else None,
        "performedby_id": visit.performer_id,
        "muser_id": visit.performer_id,
        "mdtz": visit.at,
        "alerts": visit.in_alert and in_alert,
    }


def _answers(occurrence_ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    """A good answer to every question of these occurrences, by occurrence; a placeholder has none."""
    found: dict[int, list[dict[str, Any]]] = {}
    rows = entities.Detail.objects.filter(jobneed_id__in=occurrence_ids).exclude(answertype="NONE").order_by("seqno")
    for pk, uuid, seqno, answertype in rows.values_list("jobneed_id", "uuid", "seqno", "answertype"):
        answer = str(HIGH) if answertype == "NUMERIC" else "Yes"
        found.setdefault(pk, []).append(
            {"tablename": "jobneeddetails", "uuid": uuid, "seqno": seqno, "answer": answer, "alerts": False}
        )
    return found


def _permit_record(sheet: Sheet) -> dict[str, Any]:
    rows: ClientRows = sheet.rows
    assert rows.vendor is not None  # noqa: S101 - made with the client
    stamps = rows.stamps(sheet.at)
    return {
        "tablename": "wom",
        "uuid": sheet.uuid,
        "description": sheet.form,
        "identifier": "WP",
        "workpermit": "PENDING",
        "qset_id": rows.qsets[sheet.form].pk,
        "vendor_id": rows.vendor.pk,
        "client_id": rows.id,
        "bu_id": sheet.site.pk,
        "approvers": ",".join(person.peoplecode for person in rows.people["approver"]),
        "verifiers": ",".join(person.peoplecode for person in rows.people["verifier"]),
        **stamps,
        "child": [
            {
                "uuid": uuid5(sheet.uuid, section),
                "description": section,
                "qset_id": next(each.pk for each in rows.sections[sheet.form] if each.qsetname == section),
                "seqno": n,
                "client_id": rows.id,
                "bu_id": sheet.site.pk,
                **stamps,
                "details": [
                    {"uuid": uuid5(sheet.uuid, f"{section} {facts['seqno']}"), **facts, **stamps}
                    for facts in answered(rows, sheet.form, section, answers)
                ],
            }
            for n, (section, answers) in enumerate(sheet.answers.items(), start=1)
        ],
    }
