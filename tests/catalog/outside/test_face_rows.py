"""Which event, which person, which photo the face check means; nobody else's count."""

from __future__ import annotations

import uuid

import pytest

from task_catalog.ports.faces.labelled import labelled_picture
from tests.catalog.outside.punches import (
    BAD,
    GOOD,
    check,
    extras,
    photo,
    profile,
    punch,
)
from youtility_tasks import BadInput, NotReady, tenant

pytestmark = pytest.mark.usefixtures("labelled")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"pel_uuid": "not-a-uuid"}, "pel_uuid is 'not-a-uuid'"),
        ({"pel_uuid": 7}, "pel_uuid is 7"),
        ({"peopleid": "7"}, "peopleid is '7'"),
        ({"peopleid": True}, "peopleid is True"),
        ({"peopleid": 999_999}, "is of person"),
        ({"attachment_uuid": "x"}, "attachment_uuid is 'x'"),
        ({"db": "nowhere"}, "right is one of default"),
        ({"db": None}, "db is None"),
    ],
)
def test_bad_input_is_named_and_never_retried(event, media, wrong, words):
    photo(event, GOOD, media)

    with pytest.raises(BadInput, match=words):
        check(event, **wrong)


def test_an_event_of_nobody_is_bad_input(in_acme, guard):
    nobody = punch(in_acme, guard, people_id=1)

    with pytest.raises(BadInput, match="is nobody of client"):
        check(nobody)


@pytest.mark.parametrize("kind", ["CONVEYANCE", "AUDIT", None])
def test_photos_of_other_events_are_not_looked_at(in_acme, guard, media, kind):
    event = punch(in_acme, guard, peventtype_id=in_acme.word(kind, "PEOPLEEVENTTYPE").pk if kind else None)
    photo(event, BAD, media)

    result = check(event)

    assert result["status"] == "skipped"
    assert extras(event) == {}


@pytest.mark.parametrize("kind", ["SELF", "SELFATTENDANCE", "MARK", "MARKATTENDANCE"])
def test_photos_of_every_kind_of_attendance_are(in_acme, guard, media, kind):
    event = punch(in_acme, guard, peventtype_id=in_acme.word(kind, "PEOPLEEVENTTYPE").pk)
    photo(event, GOOD, media)

    assert check(event)["fr_status"] == "match"


def test_an_event_without_a_punch_has_nothing_to_check(in_acme, guard, media):
    event = punch(in_acme, guard, punchintime=None)
    photo(event, GOOD, media)

    assert check(event)["status"] == "skipped"


def test_the_newest_photo_counts_and_signatures_do_not(event, media):
    photo(event, BAD, media)
    photo(event, GOOD, media)
    photo(event, BAD, media, attachmenttype="SIGN")

    assert check(event)["fr_status"] == "match"


def test_the_photo_that_is_named_counts(event, media):
    named = photo(event, BAD, media)
    photo(event, GOOD, media)

    assert check(event, attachment_uuid=str(named.uuid))["fr_status"] == "mismatch"


def test_a_named_photo_that_is_not_there_yet_is_waited_for(event, media):
    photo(event, GOOD, media)

    with pytest.raises(NotReady):
        check(event, attachment_uuid=str(uuid.uuid4()))


def test_a_named_photo_of_another_punch_is_bad_input(in_acme, guard, event, media):
    other = photo(punch(in_acme, guard), GOOD, media)

    with pytest.raises(BadInput, match="no photo of the punch"):
        check(event, attachment_uuid=str(other.uuid))


def test_a_photo_outside_of_media_root_is_bad_input(event, media):
    (media.parent / "other.png").write_bytes(GOOD)
    photo(event, None, media, filepath="../", filename="other.png")

    with pytest.raises(BadInput, match="leaves MEDIA_ROOT"):
        check(event)


def test_two_clients_with_the_same_codes_and_file_names_never_meet(acme, globex, media):
    events = {}
    for company, content in ((acme, GOOD), (globex, BAD)):
        person = company.person("guard", company.site("1"), peoplename="guard")
        profile(person, labelled_picture(0), media)
        events[company] = punch(company, person)
        photo(events[company], content, media, filepath=f"transactions/{company.name}/", filename="same.png")

    with tenant(acme.id):
        assert check(events[acme])["fr_status"] == "match"
        with pytest.raises(NotReady, match="has no punch"):
            check(events[globex])
    with tenant(globex.id):
        assert check(events[globex])["fr_status"] == "mismatch"


def test_a_photo_that_another_client_says_is_of_this_punch_does_not_count(globex, event, media):
    photo(event, GOOD, media)
    theirs = photo(event, BAD, media, bu_id=globex.site("1").pk)

    with pytest.raises(BadInput, match="no photo of the punch"):
        check(event, attachment_uuid=str(theirs.uuid))
    assert check(event)["fr_status"] == "match"
