"""What move_media_to_cloud_storage refuses before it touches a file."""

from __future__ import annotations

import os

import pytest

from task_catalog import checks
from task_catalog.conf import catalog
from tests.catalog.outside.media_world import die, move, names_in, put
from youtility_tasks import BadInput, errors

pytestmark = pytest.mark.usefixtures("transactional_db", "bucket")


def test_without_a_bucket_nothing_is_touched(media, configure, monkeypatch):
    put(media, "transactions/1.png")
    configure(media_bucket="")
    monkeypatch.setattr(os, "walk", die)

    with pytest.raises(BadInput, match=r"No bucket is configured.*TASK_CATALOG\['media_bucket'\]"):
        move()


def test_a_bucket_that_overwrites_is_refused(media, bucket, settings, configure):
    settings.STORAGES["bucket"]["OPTIONS"]["allow_overwrite"] = True
    settings.STORAGES = dict(settings.STORAGES)
    put(media, "transactions/1.png")

    with pytest.raises(BadInput, match="overwrites what has the same name"):
        move()
    (found,) = checks.check_task_catalog()
    assert (found.id, "blob_store" in found.msg) == ("task_catalog.W001", True)


@pytest.mark.parametrize(
    ("name", "words"),
    [("nobody", "nobody"), ("task_catalog.nowhere.Bucket", "nowhere"), ("pathlib.Path", "no Django storage")],
)
def test_a_bucket_that_does_not_exist_is_bad_input_and_a_check(media, configure, name, words):
    configure(media_bucket=name)

    with pytest.raises(BadInput, match=words):
        move()
    assert [words in each.msg for each in checks.check_task_catalog()] == [True]


def test_a_bucket_may_be_named_by_its_dotted_path(media, configure):
    configure(media_bucket="django.core.files.storage.InMemoryStorage")
    put(media, "transactions/1.png")

    assert move()["moved"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"skip_days": -1}, "skip_days is -1"),
        ({"skip_days": True}, "skip_days is True"),
        ({"skip_days": "60"}, "skip_days is '60'"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": 2.5}, "limit is 2.5"),
    ],
)
def test_arguments_that_cannot_be_meant_are_bad_input(media, arguments, words):
    with pytest.raises(BadInput, match=words):
        move(**arguments)


@pytest.mark.parametrize("roots", [["/etc"], ["../x"], [""], ["."], "transactions", [7]])
def test_roots_outside_of_media_root_are_refused(configure, roots):
    configure(media_roots=roots)

    with pytest.raises(errors.ConfigurationError, match="media_roots"):
        catalog()


def test_d33_both_roots_are_a_setting(media, bucket, configure):
    put(media, "uploads/1.png")
    put(media, "transactions/2.png")
    configure(media_roots=["uploads"])

    move()

    assert list(names_in(bucket)) == ["uploads/1.png"]


def test_no_media_root_is_bad_input(media, settings):
    settings.MEDIA_ROOT = ""
    with pytest.raises(BadInput, match="MEDIA_ROOT is not set"):
        move()
    settings.MEDIA_ROOT = str(media / "gone")
    with pytest.raises(BadInput, match="which is no folder"):
        move()


def test_a_bucket_whose_library_is_missing_names_the_extra(media, settings, configure):
    settings.STORAGES = {**settings.STORAGES, "far": {"BACKEND": "no_such_library.S3Storage"}}
    configure(media_bucket="far")

    with pytest.raises(BadInput, match=r"pip install 'youtility-tasks\[storage\]'"):
        move()
