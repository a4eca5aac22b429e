"""Files that devices upload: where they are kept, what follows from a photo, and archives of a device that was offline."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import zipfile
from typing import Any
from uuid import uuid4

import pytest

from task_catalog.facility.models import Attachment, Jobneed, PeopleEventlog, Ticket
from tests.catalog.closing.world import NONE
from youtility_tasks import BadInput
from youtility_tasks.testing import arguments, enqueued

PHOTO = [255, 216, 255, 0, 1, 2, 3]


def upload(device: Any, owner: str, *, content: Any = PHOTO, key: str | None = None, **changes: Any) -> dict[str, Any]:
    biodata = {
        "filename": "in.jpg",
        "path": "transactions/peopleevent/",
        "people_id": device.person.pk,
        "owner": owner,
        "ownername": "peopleeventlog",
        **changes.pop("biodata", {}),
    }
    record = {
        "uuid": key or str(uuid4()),
        "owner": owner,
        "attachmenttype": "ATTACHMENT",
        "bu_id": device.site.pk,
        **changes,
    }
    result: dict[str, Any] = device.send(
        "uploadAttachment", bytes=content, biodata=json.dumps(biodata), record=json.dumps(record)
    )
    return result


def checks() -> list[dict[str, Any]]:
    return [arguments(job) for job in enqueued("perform_facerecognition_bgt")]


@pytest.fixture
def punch(device):
    record = device.punch()
    device.send("insertRecord", record)
    return record["uuid"]


def test_a_photo_is_kept_and_compared(acme, site, device, punch, media_root, either_library):
    key = str(uuid4())

    upload(device, punch, key=key)

    row = Attachment.objects.get(uuid=key)
    assert (row.owner, row.filepath, row.filename) == (punch, f"transactions/{acme.id}/peopleevent/", f"{key}_in.jpg")
    assert (row.size, row.bu_id, row.attachmenttype, row.ownername_id) == (len(PHOTO), site.pk, "ATTACHMENT", NONE)
    assert (media_root / row.filepath / row.filename).read_bytes() == bytes(PHOTO)
    assert os.listdir(media_root / row.filepath) == [row.filename]
    (check,) = checks()
    assert check == {"pel_uuid": punch, "peopleid": device.person.pk, "attachment_uuid": key} | {
        name: value for name, value in check.items() if name == "db"
    }


def test_the_same_photo_again_replaces_itself(acme, device, punch, media_root):
    key = str(uuid4())
    upload(device, punch, key=key)

    upload(device, punch, key=key, content=[1])

    row = Attachment.objects.get(uuid=key)
    assert row.size == 1
    assert (media_root / row.filepath / row.filename).read_bytes() == b"\x01"


def test_two_clients_with_the_same_path_and_name_have_two_files(acme, globex, device, other_device, media_root):
    for each in (device, other_device):
        record = each.punch()
        each.send("insertRecord", record)
        upload(each, record["uuid"], content=[each.company.id % 256])

    rows = list(Attachment.objects.order_by("pk"))
    assert len({row.filepath for row in rows}) == 2
    contents = [(media_root / row.filepath / row.filename).read_bytes() for row in rows]
    assert contents == [bytes([acme.id % 256]), bytes([globex.id % 256])]


@pytest.mark.parametrize(("kind", "checked"), [("MARKATTENDANCE", 1), ("CONVEYANCE", 0), ("AUDIT", 0)])
def test_only_a_photo_of_attendance_is_compared(acme, device, kind, checked):
    record = device.punch(kind)
    device.send("insertRecord", record)

    upload(device, record["uuid"])
    upload(device, record["uuid"], attachmenttype="SIGN")

    assert len(checks()) == checked


def test_a_photo_that_overtook_its_punch_is_compared_when_that_has_come(acme, device):
    """The face check itself waits for the punch (workflow W5)."""
    upload(device, str(uuid4()))

    assert len(checks()) == 1


def test_a_photo_of_something_else_is_kept_and_that_is_all(acme, site, device):
    work = acme.work(site)

    upload(device, str(work.uuid), bu_id=None, biodata={"ownername": "jobneed"})

    assert Attachment.objects.get().bu_id == site.pk
    assert checks() == []


def test_a_punch_of_another_client_is_not_there(acme, globex, device, other_device):
    theirs = other_device.punch("CONVEYANCE")
    other_device.send("insertRecord", theirs)

    upload(device, theirs["uuid"])

    assert Attachment.objects.get().bu_id == device.site.pk
    assert len(checks()) == 1  # as for any punch that has not come
    assert PeopleEventlog.objects.get(uuid=theirs["uuid"]).client_id == globex.id


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"content": []}, "at least one"),
        ({"content": [256]}, "numbers from 0 to 255"),
        ({"biodata": {"path": "../../etc/"}}, "leads out of its folder"),
        ({"biodata": {"path": "a\\b"}}, "no folder"),
        ({"biodata": {"path": "x/" * 60}}, "right are 100 at most"),
        ({"biodata": {"path": "a\nb/"}}, "no folder has"),
        ({"biodata": {"filename": "../../x.jpg"}}, "is a path"),
        ({"biodata": {"filename": ""}}, "is no name"),
        ({"biodata": {"filename": None}}, "is no name"),
        ({"biodata": {"filename": "x" * 250}}, "too long"),
        ({"biodata": {"owner": "4"}}, "right is the uuid"),
        ({"biodata": {"owner": "5b2e3c39-8c4f-4a65-9d0a-3a1b2c3d4e5f"}}, "one and the same uuid"),
        ({"biodata": {"people_id": 999_999}}, "people_id 999999 is none of this client's"),
        ({"biodata": {"people_id": "x"}}, "right is the id of a person"),
        ({"uuid": None}, "has no uuid"),
        ({"bu_id": 999_999}, "bu_id: 999999"),
    ],
)
def test_an_upload_that_cannot_be_meant_is_refused_and_leaves_no_file(acme, device, punch, media_root, changes, words):
    with pytest.raises(BadInput, match=words):
        upload(device, punch, **changes)

    assert not Attachment.objects.exists()
    assert not [name for _, _, names in os.walk(media_root.parent) for name in names]
    assert checks() == []


def test_a_file_larger_than_the_limit_is_refused(acme, device, punch, settings):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "upload_max_bytes": 3}

    with pytest.raises(BadInput, match="right are 3 at most"):
        upload(device, punch)


def test_a_folder_that_is_a_link_out_of_the_media_root_is_refused(acme, device, punch, media_root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (media_root / "transactions" / str(acme.id)).mkdir(parents=True)
    (media_root / "transactions" / str(acme.id) / "peopleevent").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BadInput, match="leads out of MEDIA_ROOT"):
        upload(device, punch)

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_no_row(acme, device, punch, monkeypatch):
    from task_catalog.mobile import files

    def full(*args: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "write", full)

    with pytest.raises(OSError, match="no space"):
        upload(device, punch)

    assert not Attachment.objects.exists()


def archive(**members: Any) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            name = name.replace("__", ".")
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            packed.writestr(name, gzip.compress(text) if name.endswith(".gz") else text)
    return base64.b64encode(buffer.getvalue()).decode()


def damaged(method: int) -> str:
    """An archive whose packed bytes no unpacker can make sense of."""
    buffer, name = io.BytesIO(), "insertRecord.json"
    with zipfile.ZipFile(buffer, "w", method) as packed:
        packed.writestr(name, b"[]" * 500)
    content = buffer.getvalue()
    begin = content.index(name.encode()) + len(name) + 4  # behind the version of the packer
    return base64.b64encode(content[:begin] + b"\xff" * 8 + content[begin + 8 :]).decode()


def test_an_archive_of_a_device_that_was_offline_is_stored_as_a_whole(acme, site, device, either_library):
    work = acme.work(site)
    file = archive(
        updateTaskTour__json=[device.done(work)],
        insertRecord__gz=[device.ticket(), device.punch()],
        adhocRecord_1__json=[{"uuid": str(uuid4()), "jobdesc": "x", "bu_id": site.pk}],
    )

    result = device.send("syncUpload", file=file)

    assert (result["recordcount"], len(result["uuids"])) == (4, 4)
    assert Ticket.objects.filter(client_id=acme.id).count() == 1
    assert Jobneed.objects.get(pk=work.pk).jobstatus == "COMPLETED"
    assert Jobneed.objects.filter(jobtype="ADHOC", client_id=acme.id).count() == 1


def test_one_bad_record_of_an_archive_leaves_nothing(acme, device):
    with pytest.raises(BadInput, match="no visit"):
        device.send(
            "syncUpload",
            file=archive(insertRecord__json=[device.ticket()], updateTaskTour__json=[{"uuid": str(uuid4())}]),
        )

    assert not Ticket.objects.filter(client_id=acme.id).exists()


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("not base64!", "cannot be unpacked"),
        (base64.b64encode(b"no zip").decode(), "cannot be unpacked"),
        (damaged(zipfile.ZIP_DEFLATED), "cannot be unpacked"),
        (damaged(zipfile.ZIP_BZIP2), "cannot be unpacked"),
        (damaged(zipfile.ZIP_LZMA), "cannot be unpacked"),
        (archive(), "right are files called"),
        (archive(people__json=[]), "right are files called"),
        (archive(insertRecord__json=b"{"), "is no JSON"),
        (archive(insertRecord__json={}), "no JSON list"),
        (archive(insertRecord__json=b" " * 2_000_000), "unpacks to more than"),
        (archive(insertRecord__gz=b" " * 2_000_000), "unpacks to more than"),
        (archive(insertRecord_1__json=b" " * 600_000, insertRecord_2__json=b" " * 600_000), "unpacks to more than"),
        (archive(**{f"insertRecord_{n}__json": [] for n in range(51)}), "51 files"),
        ("A" * 2_000_000, "1000000 bytes at most"),
    ],
)
def test_an_archive_that_cannot_be_meant_is_refused(acme, device, settings, file, words):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "upload_max_bytes": 1_000_000}

    with pytest.raises(BadInput, match=words):
        device.send("syncUpload", file=file)
