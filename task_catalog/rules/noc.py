"""What the control room (NOC) is told of saved rows: which tables, which of their fields, in which words (R-MQ)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CREATE, UPDATE = "CREATE", "UPDATE"

LARGEST_PAYLOAD = 256 * 1024
"""Bytes of JSON text that one message may hold."""
_LARGEST_TOPIC = 65_535
"""Bytes; MQTT's own limit."""

_PRIVATE = ("password", "passwd", "token", "secret", "email", "mobno", "mobile", "phone", "people_extras")
"""Parts of field names that never leave the house (D34); `people_extras` holds addresses."""


@dataclass(frozen=True, slots=True)
class Told:
    """A table that the control room knows: under which names, and which fields it is shown unless told otherwise."""

    app: str
    models: str
    fields: tuple[str, ...]


def _told(app: str, models: str, fields: str) -> Told:
    return Told(app, models, tuple(fields.split()))


TABLES: Mapping[str, Told] = {
    "Attachment": _told("Activity", "Attachment", "id uuid owner filepath filename attachmenttype size bu"),
    "Asset": _told(
        "Activity", "Asset", "id assetcode assetname identifier runningstatus enable iscritical type category client bu"
    ),
    "Location": _told("Activity", "Location", "id loccode locname"),
    "Question": _told("Activity", "Question", "id quesname answertype"),
    "QuestionSet": _told("Activity", "QuestionSet", "id qsetname type parent seqno client bu enable"),
    "QuestionSetBelonging": _told(
        "Activity",
        "QuestionSetBelonging",
        "id qset question seqno answertype min max alerton options ismandatory isavpt avpttype client bu",
    ),
    "Plan": _told(
        "Activity",
        "Job",
        "id jobname identifier fromdate uptodate cron planduration gracetime expirytime asset qset people pgroup sgroup "
        "parent seqno client bu ticketcategory priority enable",
    ),
    "Occurrence": _told(
        "Activity",
        "JobNeed",
        "id uuid jobdesc plandatetime expirydatetime starttime endtime identifier jobtype jobstatus job asset qset people "
        "pgroup performedby parent seqno client bu priority alerts",
    ),
    "Detail": _told("Activity", "JobneedDetails", "id uuid jobneed seqno question answertype answer qset alerts"),
    "Attendance": _told(
        "Attendance",
        "PeopleEventlog",
        "id uuid people client bu shift peventtype punchintime punchouttime datefor facerecognitionin facerecognitionout",
    ),
    "BusinessUnit": _told("onboarding", "Bt", "id uuid bucode solid buname identifier parent enable"),
    "TypeAssist": _told("onboarding", "TypeAssist", "id tacode taname tatype client bu enable"),
    "Shift": _told("onboarding", "Shift", "id shiftname starttime endtime client bu"),
    "Geofence": _told("onboarding", "GeofenceMaster", "id gfcode gfname geofence enable client bu"),
    "Person": _told(
        "Peoples", "People", "id uuid peoplecode peoplename isverified enable client bu designation department"
    ),
}
"""The 15 tables whose rows the control room can be told of, by the names of `task_catalog.entities`."""


class Unfit(ValueError):
    """A topic or a payload that cannot be published; the text says what would be right."""


def is_private(field: str) -> bool:
    """Whether a field's value must not leave the house, whatever the settings say."""
    return any(part in field.lower() for part in _PRIVATE)


def check_topic(topic: object) -> str:
    """The topic, if a message can be published to it. Raises Unfit."""
    if not isinstance(topic, str) or not topic:
        raise Unfit(f"topic is {topic!r}; right is the name of a topic, such as 'redmine_to_noc'.")
    if "+" in topic or "#" in topic:
        raise Unfit(f"topic is {topic!r}, which has a wildcard (+ or #); a message goes to one topic, spelled out.")
    try:
        fits = len(topic.encode()) <= _LARGEST_TOPIC and "\x00" not in topic
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise Unfit(f"topic is {topic!r:.80}; right is at most {_LARGEST_TOPIC} bytes of UTF-8 without NUL.")
    return topic


def check_payload(payload: object) -> dict[str, Any]:
    """The JSON object that a message's text holds. Raises Unfit."""
    right = "right is the text of a JSON object"
    if not isinstance(payload, str):
        raise Unfit(f"payload is of type {type(payload).__name__}; {right}.")
    size = len(payload.encode(errors="replace"))
    if size > LARGEST_PAYLOAD:
        raise Unfit(f"payload has {size} bytes; at most {LARGEST_PAYLOAD} fit. Send less, or several messages.")

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    try:
        found = json.loads(payload, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Unfit(f"payload is no JSON ({error}); {right}.") from error
    if not isinstance(found, dict):
        raise Unfit(f"payload holds a {type(found).__name__}; {right}, to which message_id and client_id are added.")
    try:  # what can be read need not be JSON that can be written: 1e999 is read as infinity, \ud800 as half a character
        text(found).encode()
    except (ValueError, RecursionError) as error:
        raise Unfit(f"payload holds what no message can carry ({error}); {right}.") from error
    return found


def envelope(told: Told, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The message about rows of a table, as the control room reads it."""
    return {"operation": operation, "app": told.app, "models": told.models, "payload": payload}


def texts(told: Told, operation: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The messages about rows that were saved together: one, or as many as their size needs.

    One row is the payload itself; several are `{"count": n, "rows": [...]}`.
    """
    if len(rows) == 1:
        yield text(envelope(told, operation, rows[0]))
        return
    for batch in _batches(rows):
        yield text(envelope(told, operation, {"count": len(batch), "rows": batch}))


def text(message: Mapping[str, Any]) -> str:
    """A message as compact JSON."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


_ROOM = LARGEST_PAYLOAD - 32 * 1024
"""What the rows of one batch may take: the job's other arguments, the envelope and escaped quotes need room as well."""


def _batches(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    used = 0
    for row in rows:
        # A job holds the message as text inside JSON: each quote and backslash then takes two bytes.
        size = len(json.dumps(text(row)).encode()) + 1
        if batch and used + size > _ROOM:
            yield batch
            batch, used = [], 0
        batch.append(row)
        used += size
    if batch:
        yield batch
