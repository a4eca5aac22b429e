"""What is no failure of the face check: nobody to compare with, no face, a picture that never comes (D36)."""

from __future__ import annotations

import uuid

import pytest

from task_catalog.high_priority.faces import perform_facerecognition_bgt
from task_catalog.ports.faces.labelled import labelled_picture
from tests.catalog.closing.world import run
from tests.catalog.outside.punches import (
    FACELESS,
    GOOD,
    LAST,
    check,
    extras,
    photo,
    profile,
    punch_out,
)
from youtility_tasks import NotReady, Transient

pytestmark = pytest.mark.usefixtures("labelled")


@pytest.mark.parametrize(
    "peopleimg", ["master/people/blank.png", "", "https://app.example/media/blank", "https://app.example/me.png"]
)
def test_d36_nobody_to_compare_with_is_noted_at_once(event, guard, media, peopleimg):
    photo(event, GOOD, media)
    guard.peopleimg = peopleimg
    guard.save()

    result = check(event)

    assert (result["status"], result["fr_status"], result["verified"], result["distance"]) == (
        "ok",
        "no_reference",
        False,
        None,
    )
    assert extras(event)["fr_status_in"] == "no_reference"


@pytest.mark.parametrize("content", [None, b"rubbish"])
def test_a_profile_photo_that_is_not_there_or_broken_is_no_reference_with_a_warning(event, guard, media, content):
    (media / guard.peopleimg).unlink()
    profile(guard, content, media)
    photo(event, GOOD, media)

    result = check(event)

    assert result["fr_status"] == "no_reference"
    assert len(result["warnings"]) == 1


def test_a_profile_photo_outside_of_media_root_is_not_opened(event, guard, media):
    (media.parent / "stolen.png").write_bytes(labelled_picture(0))
    guard.peopleimg = "../stolen.png"
    guard.save()
    photo(event, GOOD, media)

    result = check(event)

    assert result["fr_status"] == "no_reference"
    assert "leaves MEDIA_ROOT" in result["warnings"][0]


def test_d36_a_photo_without_a_face_leaves_its_trace_and_does_not_shift_the_sides(event, media):
    photo(event, FACELESS, media)
    assert check(event)["fr_status"] == "no_face"
    punch_out(event)
    photo(event, GOOD, media)

    result = check(event)

    assert (result["side"], result["fr_status"]) == ("out", "match")
    found = extras(event)
    assert (found["fr_status_in"], found["distance_in"], found["verified_in"]) == ("no_face", None, False)
    assert found["fr_status_out"] == "match"


def test_d36_a_profile_photo_without_a_face_says_which(event, guard, media):
    profile(guard, FACELESS, media)
    photo(event, GOOD, media)

    result = check(event)

    assert (result["fr_status"], result["warnings"]) == ("no_face", ["no face in the reference picture"])


def test_an_event_that_is_not_there_yet_is_waited_for_and_then_given_up(in_acme):
    asked = {"pel_uuid": str(uuid.uuid4()), "peopleid": 5}

    for attempt in range(1, LAST):
        with pytest.raises(NotReady, match="yet"):
            run(perform_facerecognition_bgt, attempt=attempt, **asked)
    result = run(perform_facerecognition_bgt, attempt=LAST, **asked)

    assert (result["status"], result["fr_status"]) == ("skipped", "no_picture")


@pytest.mark.parametrize("missing", ["row", "file", "content"])
def test_a_picture_that_is_not_there_yet_is_waited_for_and_then_noted(event, media, missing):
    if missing != "row":
        photo(event, b"half" if missing == "content" else None, media)

    with pytest.raises(NotReady):
        check(event, attempt=LAST - 1)
    assert extras(event) == {}
    result = check(event, attempt=LAST)

    assert (result["status"], result["fr_status"], result["side"]) == ("ok", "no_picture", "in")
    assert extras(event)["fr_status_in"] == "no_picture"
    assert check(event)["status"] == "duplicate"


def test_d36_a_missing_photo_of_the_person_is_not_retried(event, guard, media):
    (media / guard.peopleimg).unlink()
    photo(event, GOOD, media)

    assert check(event, attempt=1)["fr_status"] == "no_reference"


def test_without_a_verifier_the_attendance_stands_and_the_job_is_retried(event, media, configure):
    configure(face_verifier="")
    photo(event, GOOD, media)

    with pytest.raises(Transient, match=r"TASK_CATALOG\['face_verifier'\]"):
        check(event)

    assert extras(event) == {}
