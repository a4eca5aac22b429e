"""Who comes and goes on the day, and what the camera sees (catalog.md 5.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from task_catalog import entities
from youtility_tasks import tenant

from .agenda import Agenda
from .company import ClientRows, Company
from .definitions import midnight
from .devices import Devices
from .faces import probe_photo
from .identity import uuid_of
from .traffic import FIRST_PUNCH_AFTER, PHOTO_AFTER, PHOTO_CYCLE, PHOTO_TURNS, PUNCH_EVERY, SHIFT_LENGTH

if TYPE_CHECKING:
    from task_catalog.facility.models import People

NO_PICTURE = "master/people/blank.png"


@dataclass(frozen=True, slots=True)
class _Event:
    """Attendance event `number` of a client."""

    rows: ClientRows
    number: int
    uuid: UUID
    photos: tuple[UUID, UUID]
    comes_at: datetime

    @property
    def person(self) -> People:
        return self.rows.workers[self.number % len(self.rows.workers)]

    @property
    def goes_at(self) -> datetime:
        return self.comes_at + SHIFT_LENGTH

    def shown(self, side: int) -> str:
        """What the photo of a side shows, 0 being the punch in."""
        return PHOTO_TURNS.get((2 * self.number + side) % PHOTO_CYCLE, "match")


class Attendance:
    """Punches and their photos. A person without a reference photo has none for that one photo only."""

    def __init__(self, company: Company, day: date, agenda: Agenda, devices: Devices) -> None:
        self._agenda, self._devices, self._day = agenda, devices, day
        self._put_back: dict[int, Callable[[], None]] = {}
        for letter, rows in company.clients.items():
            for number in range(rows.client.punches):
                photos = (uuid_of(day, letter, "photo in", number), uuid_of(day, letter, "photo out", number))
                comes_at = midnight(day) + FIRST_PUNCH_AFTER + number * PUNCH_EVERY
                self._expect(_Event(rows, number, uuid_of(day, letter, "punch", number), photos, comes_at))

    @property
    def without_reference(self) -> list[int]:
        """The people whose photo is away at the moment."""
        return list(self._put_back)

    def put_photos_back(self) -> None:
        """Those that were taken away for the jobs that have just ended."""
        for put_back in self._put_back.values():
            put_back()
        self._put_back.clear()

    def _expect(self, event: _Event) -> None:
        client_id = event.rows.id
        for side, at in enumerate((event.comes_at, event.goes_at)):
            self._agenda.note(at, client_id, self._punch, event, side)
            self._agenda.note(at + PHOTO_AFTER, client_id, self._send_photo, event, side)

    def _punch(self, event: _Event, side: int) -> None:
        self._devices.punch(event.uuid, _punch_columns(event, self._day, is_over=side == 1))

    def _send_photo(self, event: _Event, side: int) -> None:
        shown = event.shown(side)
        if shown == "no_reference":
            self._take_reference_away(event)
        at = (event.comes_at, event.goes_at)[side] + PHOTO_AFTER
        path, name = f"transactions/{event.rows.id}/{self._day}/", f"{event.photos[side]}.jpg"
        biodata = {
            "filename": name,
            "path": path,
            "people_id": event.person.pk,
            "owner": event.uuid,
            "ownername": "peopleeventlog",
        }
        record = {
            "uuid": event.photos[side],
            "owner": event.uuid,
            "filename": name,
            "filepath": path,
            "attachmenttype": "ATTACHMENT",
            "bu_id": event.person.bu_id,
            "datetime": at,
            **event.rows.stamps(at, event.person.pk),
        }
        self._devices.send_photo(probe_photo(shown), biodata, record)

    def _take_reference_away(self, event: _Event) -> None:
        person, client_id = event.person, event.rows.id
        entities.Person.objects.filter(pk=person.pk).update(peopleimg=NO_PICTURE)
        kept = person.peopleimg

        def put_back() -> None:
            with tenant(client_id):
                entities.Person.objects.filter(pk=person.pk).update(peopleimg=kept)

        self._put_back[person.pk] = put_back


def _punch_columns(event: _Event, day: date, *, is_over: bool) -> dict[str, Any]:
    site_id = event.person.bu_id
    return {
        "people_id": event.person.pk,
        "client_id": event.rows.id,
        "bu_id": site_id,
        "peventtype_id": event.rows.words["SELFATTENDANCE"].pk,
        "punchintime": event.comes_at,
        "punchouttime": event.goes_at if is_over else None,
        "datefor": day,
        "startlocation": "19.0000,72.8000",
        "endlocation": "19.0000,72.8000" if is_over else None,
        **event.rows.stamps(event.goes_at if is_over else event.comes_at, event.person.pk),
    }
