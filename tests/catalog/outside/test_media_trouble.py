"""No file is deleted that was not read back from the bucket, whoever dies, writes or interferes in between."""

from __future__ import annotations

import os

import pytest
from django.core.files.storage import FileSystemStorage

from task_catalog.maintenance import media as media_task
from task_catalog.models import BlobLocation
from task_catalog.ports import blobs
from tests.catalog.outside.media_world import Died, die, move, names_in, put
from tests.catalog.outside.punches import photo, punch
from youtility_tasks import BadInput, Transient
from youtility_tasks.models import TaskEffect

pytestmark = pytest.mark.usefixtures("transactional_db", "bucket")


def test_a_process_that_dies_between_put_and_delete_deletes_only_next_time(media, bucket, monkeypatch):
    put(media, "transactions/a/1.png", b"one")
    with monkeypatch.context() as dead:
        dead.setattr(media_task._Run, "_let_go", die)
        with pytest.raises(Died):
            move()
    assert names_in(media) == {"transactions/a/1.png": b"one"}
    assert names_in(bucket) == {"transactions/a/1.png": b"one"}

    result = move()

    assert (result["moved"], result["already_there"], result["empty_dirs_removed"]) == (0, 1, 1)
    assert names_in(media) == {}
    assert names_in(bucket) == {"transactions/a/1.png": b"one"}


def test_a_process_that_dies_after_the_upload_and_before_its_mark_brings_it_once(media, bucket, monkeypatch):
    put(media, "transactions/a/1.png", b"one")
    with monkeypatch.context() as dead:
        dead.setattr("youtility_tasks.failpoints.reach", die)
        with pytest.raises(Died):
            move()
    assert names_in(media) == {"transactions/a/1.png": b"one"}

    assert move()["already_there"] == 1

    assert names_in(bucket) == {"transactions/a/1.png": b"one"}


def test_a_half_brought_blob_of_a_dead_attempt_is_replaced(media, bucket, monkeypatch):
    put(media, "transactions/a/1.png", b"one and more")

    def half(self, name, file):
        (bucket / name).parent.mkdir(parents=True, exist_ok=True)
        (bucket / name).write_bytes(b"one")
        raise Died

    with monkeypatch.context() as dead:
        dead.setattr(blobs.StorageBlobs, "put", half)
        with pytest.raises(Died):
            move()
    assert names_in(bucket) == {"transactions/a/1.png": b"one"}

    assert move()["moved"] == 1

    assert names_in(bucket) == {"transactions/a/1.png": b"one and more"}
    assert names_in(media) == {}


def test_a_blob_with_the_same_content_is_only_deleted_locally(media, bucket):
    put(media, "transactions/1.png", b"one")
    put(bucket, "transactions/1.png", b"one")

    result = move()

    assert (result["moved"], result["already_there"]) == (0, 1)
    assert names_in(media) == {}


def test_a_blob_with_another_content_keeps_both_and_fails_the_job(media, bucket):
    put(media, "transactions/1.png", b"mine")
    put(media, "transactions/2.png", b"fine")
    put(bucket, "transactions/1.png", b"yours")

    with pytest.raises(BadInput, match=r"1 failed, everything else is done: 'transactions/1.png': .*both are kept"):
        move()

    assert names_in(media) == {"transactions/1.png": b"mine"}
    assert names_in(bucket) == {"transactions/1.png": b"yours", "transactions/2.png": b"fine"}


def test_what_the_bucket_gives_back_differently_is_taken_out_again_and_nothing_is_deleted(media, bucket, monkeypatch):
    put(media, "transactions/1.png", b"one")
    save = FileSystemStorage.save

    def save_rubbish(self, name, content, **more):
        stored = save(self, name, content, **more)
        (bucket / stored).write_bytes(b"rubbish")
        return stored

    monkeypatch.setattr(FileSystemStorage, "save", save_rubbish)

    with pytest.raises(Transient, match="not what it was given"):
        move()

    assert names_in(media) == {"transactions/1.png": b"one"}
    assert names_in(bucket) == {}


def test_a_blob_that_somebody_took_out_again_is_brought_again(media, bucket):
    file = put(media, "transactions/1.png", b"one")
    facts = file.stat()
    move()
    (bucket / "transactions/1.png").unlink()
    put(media, "transactions/1.png", b"one")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    assert move()["moved"] == 1

    assert names_in(bucket) == {"transactions/1.png": b"one"}


def test_a_file_that_is_being_written_is_left_alone(media, bucket, monkeypatch):
    file = put(media, "transactions/1.png", b"one")
    content_of = blobs.content_of

    def while_somebody_writes(opened):
        found = content_of(opened)
        if opened.name != str(bucket) and names_in(bucket) == {}:
            with file.open("ab") as more:
                more.write(b" and more")
        return found

    monkeypatch.setattr(blobs, "content_of", while_somebody_writes)

    with pytest.raises(Transient):
        move()
    assert names_in(media) == {"transactions/1.png": b"one and more"}
    assert names_in(bucket) == {}


def test_a_file_that_changes_after_it_was_read_back_is_kept_and_its_copy_taken_out(media, bucket, monkeypatch):
    file = put(media, "transactions/1.png", b"one")
    stat = blobs.StorageBlobs.stat

    def then_somebody_touches(self, name):
        found = stat(self, name)
        if found is not None:
            os.utime(file)
        return found

    monkeypatch.setattr(blobs.StorageBlobs, "stat", then_somebody_touches)

    result = move()

    assert (result["moved"], result["skipped"]) == (0, 1)
    assert names_in(media) == {"transactions/1.png": b"one"}
    assert names_in(bucket) == {}
    assert not TaskEffect.objects.exists()


def test_one_bad_file_does_not_stop_the_others(media, bucket):
    put(media, "transactions/a/1.png")
    put(media, "transactions/a/bad\n.png")
    (media / os.fsdecode(b"transactions/a/\xff.png")).write_bytes(b"x")
    os.utime(media / os.fsdecode(b"transactions/a/\xff.png"), (0, 0))

    with pytest.raises(BadInput, match="2 failed, everything else is done") as caught:
        move()

    assert "control character" in str(caught.value)
    assert "not UTF-8" in str(caught.value)
    assert list(names_in(bucket)) == ["transactions/a/1.png"]


def test_a_bucket_that_is_down_is_given_up_soon_and_the_job_retried(media, monkeypatch):
    for n in range(50):
        put(media, f"transactions/{n:02}.png")
    asked = []

    def down(self, name):
        asked.append(name)
        raise ConnectionError("no route")

    monkeypatch.setattr(FileSystemStorage, "exists", down)

    with pytest.raises(Transient, match=r"ConnectionError: no route"):
        move()

    assert len(asked) == 5
    assert len(names_in(media)) == 50


def test_the_place_is_noted_before_the_file_is_deleted(acme, media, monkeypatch):
    event = punch(acme, acme.person("guard", acme.site("1")))
    photo(event, None, media, filepath="transactions/", filename="1.png")
    put(media, "transactions/1.png")
    monkeypatch.setattr(os, "unlink", die)

    with pytest.raises(Died):
        move()

    assert BlobLocation.objects.count() == 1


def test_a_file_that_changes_while_its_place_is_noted_is_kept(acme, media, bucket, monkeypatch):
    file = put(media, "transactions/1.png", b"one")

    def meanwhile(self, client_id, brought):
        file.write_bytes(b"another")

    monkeypatch.setattr(media_task._Run, "_note_places", meanwhile)

    result = move()

    assert (result["moved"], result["skipped"]) == (1, 1)
    assert names_in(media) == {"transactions/1.png": b"another"}
    assert names_in(bucket) == {"transactions/1.png": b"one"}
