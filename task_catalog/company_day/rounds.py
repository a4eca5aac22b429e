"""What devices do by themselves on the day: tracks, questions, and what nobody can read (catalog.md 5.7)."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

from task_catalog.maintenance.queries import process_graphql_download_async
from task_catalog.maintenance.records import insert_json_records_async

from .agenda import Agenda
from .company import ClientRows, Company
from .definitions import midnight
from .devices import Devices
from .identity import uuid_of
from .post import Post
from .traffic import (
    BAD_DOWNLOADS,
    BAD_MUTATIONS_AFTER,
    DOWNLOAD_EVERY,
    DOWNLOADS,
    FIRST_DOWNLOAD_AFTER,
    FIRST_TRACK_AFTER,
    TRACK_EVERY,
    TRACK_REPEATS,
    TRACK_ROWS,
    TRACKS,
    UNKNOWN_TABLE_AFTER,
)

_QUESTIONS = ("getPeopleModifiedAfter", "getAssetsModifiedAfter", "getJobneedModifiedAfter")
_NO_MUTATIONS = ('{"mutation": "mutation { insertRecord(', "{}")
"""Cut off on the way, and without anything to do."""


class Rounds:
    """One device of each client walks its rounds."""

    def __init__(self, company: Company, day: date, agenda: Agenda, devices: Devices, post: Post) -> None:
        start = midnight(day)
        for letter, rows in company.clients.items():
            for n in range(TRACKS):
                at = start + FIRST_TRACK_AFTER + n * TRACK_EVERY
                agenda.note(at, rows.id, devices.send_tracks, track(rows, letter, day, n))
            for n in range(DOWNLOADS):
                payload = "{}" if n >= DOWNLOADS - BAD_DOWNLOADS else question(rows, n)
                agenda.note(start + FIRST_DOWNLOAD_AFTER + n * DOWNLOAD_EVERY, rows.id, _ask, payload)
            for after, payload in zip(BAD_MUTATIONS_AFTER, _NO_MUTATIONS, strict=True):
                # The lock of a mutation is drawn from its text: white space keeps the clients' apart.
                text = payload + " " * list(company.clients).index(letter)
                agenda.note(start + after, rows.id, post.deliver_unreadable, text)
            agenda.note(start + UNKNOWN_TABLE_AFTER, rows.id, _send_to_no_table, rows)


def track(rows: ClientRows, letter: str, day: date, n: int) -> list[dict[str, Any]]:
    """Batch `n` of a client's device: the last rows of the batch before, then new ones."""
    first = n * (TRACK_ROWS - TRACK_REPEATS)
    person = rows.site_people[0]["guard"][0]
    return [
        {
            "tablename": "tracking",
            "uuid": uuid_of(day, letter, "track", first + k),
            "deviceid": f"device-{letter}",
            "gpslocation": f"{19 + (first + k) * 0.0001:.4f},72.8000",
            "receiveddate": _received_at(day, first + k),
            "people_id": person.pk,
            "transportmode": "WALK",
            "identifier": "TRACKING",
        }
        for k in range(TRACK_ROWS)
    ]


def _received_at(day: date, row: int) -> datetime:
    return midnight(day) + FIRST_TRACK_AFTER + timedelta(seconds=row)


def question(rows: ClientRows, n: int) -> str:
    """A query as devices send it: what has changed at a site."""
    document = f"query($buid: Int) {{ {_QUESTIONS[n % len(_QUESTIONS)]}(buid: $buid) {{ nrows ncols msg records }} }}"
    return json.dumps({"query": document, "variables": {"buid": rows.sites[n % len(rows.sites)].pk}})


def _ask(payload: str) -> None:
    process_graphql_download_async.enqueue(payload=payload)


def _send_to_no_table(rows: ClientRows) -> None:
    record = json.dumps({"uuid": "00000000-0000-4000-8000-000000000000", "value": rows.id})
    insert_json_records_async.enqueue(records=[record], tablename="weather")
