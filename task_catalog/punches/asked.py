"""Which punch, whose, and which photo: the checked arguments of the face check, and the rows they mean."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connections

from task_catalog import entities
from task_catalog.rules import faces as rules
from task_catalog.rules.faces import Side
from task_catalog.units import units_of
from youtility_tasks import BadInput, current_tenant

if TYPE_CHECKING:
    from task_catalog.facility.models import Attachment, PeopleEventlog

NAME = "perform_facerecognition_bgt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The checked arguments, and the rows they mean."""

    pel_uuid: str
    people_id: int
    db: str
    attachment_uuid: uuid.UUID | None
    client_id: int

    @classmethod
    def of(cls, pel_uuid: object, people_id: object, db: object, attachment_uuid: object) -> Asked:
        client_id = current_tenant()
        if client_id is None:
            raise BadInput(f"{NAME}: no client. Enqueue it inside `with tenant(client_id):`.")
        if isinstance(people_id, bool) or not isinstance(people_id, int) or people_id < 1:
            raise BadInput(f"{NAME}: peopleid is {people_id!r}; right is the id of a person.")
        if not isinstance(db, str) or db not in connections.databases:
            raise BadInput(f"{NAME}: db is {db!r}; right is one of {', '.join(sorted(connections.databases))}.")
        return cls(
            pel_uuid=str(_as_uuid("pel_uuid", pel_uuid)),
            people_id=people_id,
            db=db,
            attachment_uuid=None if attachment_uuid is None else _as_uuid("attachment_uuid", attachment_uuid),
            client_id=client_id,
        )

    def event(self) -> PeopleEventlog | None:
        return (
            entities.Attendance.objects.using(self.db)
            .filter(uuid=self.pel_uuid, client_id=self.client_id)
            .select_related("people", "peventtype")
            .first()
        )

    def check_person(self, event: PeopleEventlog) -> None:
        """Raise BadInput when the person is not the one whose punch it is, or nobody of this client."""
        if event.people_id != self.people_id:
            raise BadInput(
                f"{NAME}: peopleid is {self.people_id}, and the punch {self.pel_uuid} is of person {event.people_id}."
            )
        if event.people is None or event.people.client_id != self.client_id or entities.is_none(event.people_id):
            raise BadInput(f"{NAME}: person {self.people_id} is nobody of client {self.client_id}.")

    def photo(self, event: PeopleEventlog) -> Attachment | None:
        """The photo that was named, or the newest one of the punch; None when there is none yet. Raises BadInput for one
        that is no photo of this punch."""
        attachments = entities.Attachment.objects.using(self.db)
        if self.attachment_uuid is not None:
            named = attachments.filter(uuid=self.attachment_uuid).select_related("bu").first()
            if named is not None and (
                named.owner.lower() != self.pel_uuid
                or named.attachmenttype != "ATTACHMENT"
                or not self._is_ours(named, event)
            ):
                raise BadInput(f"{NAME}: attachment {self.attachment_uuid} is no photo of the punch {self.pel_uuid}.")
            return named
        newest_first = (
            attachments.filter(owner__in={self.pel_uuid, self.pel_uuid.upper()}, attachmenttype="ATTACHMENT")
            .select_related("bu")
            .order_by("-cdtz", "-pk")
        )
        return next((each for each in newest_first if self._is_ours(each, event)), None)

    def _is_ours(self, photo: Attachment, event: PeopleEventlog) -> bool:
        """Whether it lies at a site of this client: its owner is text that anybody can write."""
        if entities.is_none(photo.bu_id) or photo.bu_id in (event.bu_id, self.client_id):
            return True
        return photo.bu_id in units_of(self.client_id)


def _as_uuid(name: str, given: object) -> uuid.UUID:
    try:
        return uuid.UUID(given if isinstance(given, str) else "")
    except ValueError as error:
        raise BadInput(f"{NAME}: {name} is {given!r}; right is a uuid as text.") from error


def side_of(event: PeopleEventlog) -> Side | None:
    return rules.side_to_check(
        punched_in=event.punchintime is not None, punched_out=event.punchouttime is not None, extras=extras_of(event)
    )


def extras_of(event: PeopleEventlog) -> dict[str, Any]:
    return event.peventlogextras if isinstance(event.peventlogextras, dict) else {}
