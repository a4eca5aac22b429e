"""move_media_to_cloud_storage (T24): old files go to the bucket under their path, young ones stay, empty folders go."""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from task_catalog.maintenance.media import move_media_to_cloud_storage
from task_catalog.models import BlobLocation
from tests.catalog.closing.world import NOON, run
from tests.catalog.outside.media_world import move, names_in, put
from tests.catalog.outside.punches import photo, punch
from youtility_tasks import effects
from youtility_tasks.models import Job

pytestmark = pytest.mark.usefixtures("transactional_db", "bucket")


def test_old_files_go_to_the_bucket_under_their_path_and_young_ones_stay(media, bucket):
    put(media, "transactions/a/1.png", b"one")
    put(media, "transactions/a/2.png", b"two!", days=59.9)
    put(media, "transaction/b/3.png", b"three")
    put(media, "master/people/4.png", b"four", days=900)

    result = move()

    assert names_in(bucket) == {"transactions/a/1.png": b"one", "transaction/b/3.png": b"three"}
    assert names_in(media) == {"transactions/a/2.png": b"two!", "master/people/4.png": b"four"}
    assert (result["status"], result["scanned"], result["moved"], result["already_there"]) == ("ok", 3, 2, 0)
    assert (result["bytes"], result["empty_dirs_removed"], result["failed"]) == (8, 1, [])


def test_the_age_is_that_of_the_played_clock(media, bucket, clock_at):
    put(media, "transactions/1.png", days=0)

    assert move()["moved"] == 0
    clock_at(NOON + timedelta(days=60, seconds=1))
    assert move()["moved"] == 1


def test_the_day_moves_200_of_300_files_and_removes_15_of_40_folders(media, bucket):
    old = [14] * 5 + [13] * 10  # 15 folders of old files alone: 200
    for n, count in enumerate(old):
        for i in range(count):
            put(media, f"transactions/{n:02}/{i}.png", b"x")
    for n in range(15, 40):
        for i in range(4):
            put(media, f"transaction/{n:02}/{i}.png", b"x", days=10)

    result = move()

    assert (result["scanned"], result["moved"], result["empty_dirs_removed"]) == (300, 200, 15)
    assert len(names_in(media)) == 100
    assert len(names_in(bucket)) == 200
    again = move()
    assert (again["scanned"], again["moved"], again["empty_dirs_removed"]) == (100, 0, 0)


def test_both_roots_stay_even_when_they_are_empty(media):
    put(media, "transactions/1.png")
    (media / "transaction").mkdir()

    move()

    assert sorted(each.name for each in media.iterdir()) == ["transaction", "transactions"]


def test_folders_inside_folders_go_when_nothing_is_left_in_them(media):
    put(media, "transactions/a/b/c/1.png")
    put(media, "transactions/a/keep/2.png", days=1)

    result = move()

    assert result["empty_dirs_removed"] == 2
    assert sorted(str(each.relative_to(media)) for each in media.rglob("*")) == [
        "transactions",
        "transactions/a",
        "transactions/a/keep",
        "transactions/a/keep/2.png",
    ]


def test_a_folder_that_somebody_has_just_made_is_left_and_an_old_one_goes(media):
    (media / "transactions/new").mkdir(parents=True)
    (media / "transactions/old").mkdir()
    os.utime(media / "transactions/old", (0, 0))

    assert move()["empty_dirs_removed"] == 1

    assert (media / "transactions/new").is_dir()


def test_running_twice_moves_nothing_more(media, bucket):
    put(media, "transactions/a/1.png")
    move()
    before = names_in(bucket)

    result = move()

    assert (result["moved"], result["already_there"]) == (0, 0)
    assert names_in(bucket) == before


def test_links_are_not_followed(media, bucket, tmp_path):
    secret = put(tmp_path / "elsewhere", "passwd", b"secret")
    put(media, "transactions/1.png")
    (media / "transactions/link.png").symlink_to(secret)
    (media / "transactions/folder").symlink_to(secret.parent)
    (media / "transaction").symlink_to(secret.parent)

    result = move()

    assert names_in(bucket) == {"transactions/1.png": b"photo"}
    assert secret.read_bytes() == b"secret"
    assert (media / "transactions/link.png").is_symlink()
    assert result["scanned"] == 1
    assert "3 links were not followed" in result["warnings"]


def test_at_most_so_many_files_are_moved(media, bucket):
    for n in range(5):
        put(media, f"transactions/{n}.png")

    result = move(limit=3)

    assert (result["status"], result["moved"], len(names_in(media))) == ("partial", 3, 2)
    assert not Job.objects.exists()


def test_at_80_percent_of_the_limit_the_rest_is_left_to_another_job(media, bucket):
    put(media, "transactions/1.png")

    result = run(move_media_to_cloud_storage, used_up=0.8, skip_days=60, limit=10)

    assert (result["status"], result["moved"]) == ("partial", 0)
    job = Job.objects.get()
    assert (job.task_name, job.args) == ("move_media_to_cloud_storage", {"skip_days": 60, "limit": 10})
    assert run(move_media_to_cloud_storage, used_up=0.79)["moved"] == 1


def test_a_long_path_has_a_key_too(media, bucket):
    path = "transactions/" + "/".join(["f" * 200] * 5) + "/1.png"
    put(media, path)

    assert move()["moved"] == 1

    assert list(names_in(bucket)) == [path]


def test_the_key_is_that_of_path_size_and_change(media):
    file = put(media, "transactions/a/1.png", b"four")
    changed = file.stat().st_mtime

    move()

    assert effects.is_done(f"media:transactions/a/1.png:4:{changed:.6f}")


def test_d33_where_a_file_went_is_noted_for_its_attachment_of_its_own_client(acme, globex, media, bucket):
    of_acme = punch(acme, acme.person("guard", acme.site("1")))
    of_globex = punch(globex, globex.person("guard", globex.site("1")))
    same = {"filepath": "transactions/x/", "filename": "same name.png"}
    ours = photo(of_acme, None, media, **same)
    slashed = photo(of_acme, None, media, filepath="/transactions/x/", filename="slashed.png")
    theirs = photo(of_globex, None, media, filepath="transactions/x/", filename="theirs.png")
    young = photo(of_acme, None, media, filepath="transactions/x/", filename="young.png")
    put(media, "transactions/x/same name.png", b"one")
    put(media, "transactions/x/slashed.png", b"two")
    put(media, "transactions/x/theirs.png", b"three")
    put(media, "transactions/x/young.png", b"four", days=1)

    move()

    places = {place.attachment_uuid: place for place in BlobLocation.objects.all()}
    assert {uuid: place.client_id for uuid, place in places.items()} == {
        ours.uuid: acme.id,
        slashed.uuid: acme.id,
        theirs.uuid: globex.id,
    }
    assert young.uuid not in places
    place = places[ours.uuid]
    assert (place.bucket, place.name, place.size) == ("bucket", "transactions/x/same name.png", 3)
    assert place.checksum == hashlib.sha256(b"one").hexdigest()
    assert ours.filepath == type(ours).objects.get(pk=ours.pk).filepath


def test_d47_places_cost_the_same_number_of_statements_for_3_files_and_for_30(acme, media):
    def statements(count):
        for n in range(count):
            put(media, f"transactions/{count}-{n}.png")
        with CaptureQueriesContext(connection) as sent:
            move()
        return len([each for each in sent if "taskeffect" not in each["sql"].lower()])

    assert statements(3) == statements(30)


def test_it_is_a_sweep_over_all_tenants_with_the_locks_and_days_of_the_catalogue():
    assert (move_media_to_cloud_storage.tenant, move_media_to_cloud_storage.lock) == ("all", "move_media")
