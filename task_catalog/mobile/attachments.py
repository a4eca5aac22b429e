"""uploadAttachment: a file and its row, and the face check of an attendance photo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from task_catalog import entities
from task_catalog.conf import catalog
from task_catalog.flows import photo_to_control_room
from task_catalog.mobile import files
from task_catalog.mobile.context import Context, Output
from task_catalog.mobile.reading import Rejected, Row, read_all, refuse
from task_catalog.mobile.storing import upsert
from task_catalog.mobile.tables import TABLES
from task_catalog.rules.records import Flaw, is_nothing, record_of
from youtility_tasks import BadInput

TABLE = TABLES["attachment"]
OF_ATTENDANCE = ("SELF", "SELFATTENDANCE", "MARK", "MARKATTENDANCE")
"""Punches whose photo is compared with the person's own (R-FACE)."""
PHOTO = "ATTACHMENT"


def upload(context: Context, content: object, biodata: object, record: object) -> Output:
    """Keep the file below the client's own folder and store its row; sent again, the same file is replaced.

    `content` is a list of bytes as numbers, `biodata` and `record` are JSON texts of objects. Raises BadInput.
    """
    binary = _binary(content)
    about, given = _object("biodata", biodata), _object("record", record)
    owner, table_name = _owner(about, given)
    person_id = _person(context, about)
    row = _row(context, about, {**given, "owner": owner}, size=len(binary))
    punch = _punch(context, owner) if table_name == "peopleeventlog" else None
    site_id = row.values.get("bu")
    if entities.is_none(site_id):
        site_id = (
            _site_of_owner(context, owner, table_name)
            or (punch.bu_id if punch else None)
            or _site_of(context, person_id)
        )
    if entities.is_none(site_id):
        raise BadInput(
            "uploadAttachment: the record names no site (bu_id), and neither its owner nor its person has one."
        )
    row.values["bu"] = site_id
    if entities.is_none(row.values.get("ownername")):
        row.values["ownername"] = _word(context, table_name)
    kept, misplaced = files.placed([row], context.client_id)
    refuse(TABLE, misplaced)
    # The file first: a row without its file would be believed, a file without its row is written again.
    files.write(row.values["filepath"], row.values["filename"], binary)
    stored = upsert(TABLE, kept, context.mine, now=context.now)
    refuse(TABLE, [Rejected(0, "its uuid cannot be used; draw another one")] if row.key not in stored.ids else [])
    is_photo = str(row.values.get("attachmenttype", PHOTO)).upper() == PHOTO
    if table_name == "peopleeventlog" and is_photo and (punch is None or _is_attendance(punch)):
        if person_id is None:
            raise BadInput("uploadAttachment: biodata names no people_id, and the photo is one of attendance.")
        photo_to_control_room.begin(pel_uuid=str(owner), peopleid=person_id, attachment_uuid=str(row.key))
    return Output.of("attachments stored", [row.key])


def _binary(content: object) -> bytes:
    most = catalog().upload_max_bytes
    if not isinstance(content, list) or not content:
        raise BadInput(
            f"uploadAttachment: bytes are {content!r:.40}; right is a list of numbers from 0 to 255, at least one."
        )
    if len(content) > most:
        raise BadInput(f"uploadAttachment: the file has {len(content)} bytes; right are {most} at most.")
    try:
        # Java's bytes go from -128 to 127.
        return bytes(number + 256 if -128 <= number < 0 else number for number in content)
    except (TypeError, ValueError) as error:
        raise BadInput("uploadAttachment: bytes hold something else than numbers from 0 to 255.") from error


def _object(name: str, given: object) -> dict[str, Any]:
    try:
        return record_of(given)
    except Flaw as flaw:
        raise BadInput(f"uploadAttachment: {name}: {flaw}.") from flaw


def _owner(about: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[UUID, str]:
    """The uuid of the row that the file belongs to, and its table's name."""
    named = [each for each in (about.get("owner"), given.get("owner")) if not is_nothing(each)]
    try:
        owners = {UUID(str(each).strip()) for each in named}
    except ValueError as error:
        raise BadInput(
            f"uploadAttachment: owner is {named[0]!r:.60}; right is the uuid of the row it belongs to."
        ) from error
    if len(owners) != 1:
        raise BadInput("uploadAttachment: biodata and record name no owner, or two; right is one and the same uuid.")
    return owners.pop(), str(about.get("ownername") or "").strip().lower()


def _person(context: Context, about: Mapping[str, Any]) -> int | None:
    given = about.get("people_id")
    if is_nothing(given):
        return None
    try:
        person_id = int(str(given))
    except ValueError as error:
        raise BadInput(f"uploadAttachment: people_id is {given!r:.60}; right is the id of a person.") from error
    if entities.is_none(person_id):
        return None
    if context.mine.foreign("Person", [person_id]):
        raise BadInput(f"uploadAttachment: people_id {person_id} is none of this client's.")
    return person_id


def _row(context: Context, about: Mapping[str, Any], given: Mapping[str, Any], *, size: int) -> Row:
    record = {
        "attachmenttype": PHOTO,
        **given,
        "owner": str(given["owner"]),
        "filepath": about.get("path") or given.get("filepath") or "",
        "filename": about.get("filename") or given.get("filename"),
        "size": size,
    }
    (row,) = read_all(TABLE, [record], context.mine, owner_follows=is_nothing(record.get("bu_id", record.get("bu"))))
    return row


def _punch(context: Context, owner: UUID) -> Any:
    """The client's punch of this uuid, or None while it has not arrived."""
    return context.mine.rows(TABLES["peopleeventlog"]).filter(uuid=owner).select_related("peventtype").first()


def _is_attendance(punch: Any) -> bool:
    return punch.peventtype is not None and punch.peventtype.tacode in OF_ATTENDANCE


def _site_of_owner(context: Context, owner: UUID, table_name: str) -> int | None:
    if table_name not in ("jobneed", "ticket", "wom", "asset"):
        return None
    site: int | None = context.mine.rows(TABLES[table_name]).filter(uuid=owner).values_list("bu_id", flat=True).first()
    return site


def _site_of(context: Context, person_id: int | None) -> int | None:
    if person_id is None:
        return None
    return (
        entities.Person.objects.filter(pk=person_id, client_id=context.client_id)
        .values_list("bu_id", flat=True)
        .first()
    )


def _word(context: Context, table_name: str) -> int:
    """The word of the vocabulary for a table's name."""
    words = entities.TypeAssist.objects.filter(
        tacode__iexact=table_name or "-", client_id__in=[context.client_id, entities.none_id()]
    )
    return words.order_by("-client_id", "pk").values_list("pk", flat=True).first() or entities.none_id()
