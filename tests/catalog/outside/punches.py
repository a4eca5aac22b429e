"""Punches with their photos, in few words."""

from __future__ import annotations

import itertools
from datetime import time, timedelta
from pathlib import Path
from typing import Any

from task_catalog.facility.models import Attachment, Bt, GeofenceMaster, People, PeopleEventlog, Shift
from task_catalog.high_priority.faces import perform_facerecognition_bgt
from task_catalog.ports.faces.labelled import labelled_picture
from tests.catalog.closing.world import NONE, NOON, Company, columns_of, run

_count = itertools.count(1)

GOOD, BAD, FACELESS = labelled_picture(0.21), labelled_picture(0.62), labelled_picture(None)
LAST = perform_facerecognition_bgt.max_attempts


def punch(company: Company, person: People, **columns: Any) -> PeopleEventlog:
    """A punch-in at noon of a person of the client, at his site."""
    facts: dict[str, Any] = {
        "people": person,
        "client_id": company.id,
        "bu_id": person.bu_id,
        "peventtype_id": company.word("SELF", "PEOPLEEVENTTYPE").pk,
        "punchintime": NOON,
        "datefor": NOON.date(),
        **company.stamps(),
    }
    return PeopleEventlog.objects.create(**columns_of(facts, columns))


def photo(event: PeopleEventlog, content: bytes | None, media: Path, **columns: Any) -> Attachment:
    """An attachment of the punch; with content, its file."""
    n = next(_count)
    facts: dict[str, Any] = {
        "owner": str(event.uuid),
        "filepath": "transactions/attendance/",
        "filename": f"{n}.png",
        "attachmenttype": "ATTACHMENT",
        "bu_id": event.bu_id,
        "cdtz": NOON + timedelta(seconds=n),
        "mdtz": NOON,
        "cuser_id": NONE,
        "muser_id": NONE,
    }
    row = Attachment.objects.create(**columns_of(facts, columns))
    if content is not None:
        file = media / f"{row.filepath}{row.filename}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return row


def profile(person: People, content: bytes | None, media: Path) -> None:
    """Give the person a photo of his own; with None for a content, only its name."""
    person.peopleimg = f"master/people/{person.pk}.png"
    person.save(update_fields=["peopleimg"])
    if content is not None:
        file = media / person.peopleimg
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def check(event: PeopleEventlog, *, attempt: int = 1, **arguments: Any) -> dict[str, Any]:
    """Run the face check of a punch here and now."""
    arguments = {"pel_uuid": str(event.uuid), "peopleid": event.people_id, **arguments}
    return run(perform_facerecognition_bgt, attempt=attempt, **arguments)


def extras(event: PeopleEventlog) -> dict[str, Any]:
    return PeopleEventlog.objects.get(pk=event.pk).peventlogextras


def punch_out(event: PeopleEventlog) -> None:
    PeopleEventlog.objects.filter(pk=event.pk).update(punchouttime=NOON + timedelta(hours=8))


SQUARE = "12.0,77.0 12.0,77.2 12.2,77.2 12.2,77.0"


def fenced(
    company: Company, person: People, *, area: str = SQUARE, enable: bool = True, identifier: str = "GEOFENCE"
) -> None:
    """Give the person a fence."""
    fence = GeofenceMaster.objects.create(
        gfcode="F",
        gfname="F",
        geofence=area,
        enable=enable,
        client_id=company.id,
        bu_id=person.bu_id,
        **company.stamps(),
    )
    company.plan(person.bu, identifier=identifier, people=person, geofence=fence)


def shift_at(company: Company, site: Bt, start: time, name: str = "s", **columns: Any) -> Shift:
    return Shift.objects.create(
        shiftname=name,
        starttime=start,
        endtime=time(0),
        **{"bu_id": site.pk, "client_id": company.id, **columns},
        **company.stamps(),
    )
