"""R-ACL as plain functions: what is due, what it becomes, who must hear of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules import closing
from task_catalog.rules.closing import Notice, Work

NOW = datetime(2025, 3, 3, 12, 0, tzinfo=UTC)
LOOKBACK = timedelta(days=30)

statuses = st.sampled_from(["ASSIGNED", "INPROGRESS", "COMPLETED", "PARTIALLYCOMPLETED", "AUTOCLOSED"])
children = st.lists(statuses, max_size=12)
flags = st.dictionaries(
    st.sampled_from(["isdynamic", *closing.HANDLED_FLAGS]), st.sampled_from([True, False, "True", "False", None])
)


def work(**changes: object) -> Work:
    facts: dict[str, object] = {
        "is_root": True,
        "identifier": "TASK",
        "status": "ASSIGNED",
        "expires_at": NOW - timedelta(minutes=1),
        "other_info": {},
    }
    return Work(**{**facts, **changes})  # type: ignore[arg-type]


def due(**changes: object) -> bool:
    return closing.is_due(work(**changes), now=NOW, lookback=LOOKBACK)


@pytest.mark.parametrize("identifier", ["TASK", "INTERNALTOUR", "EXTERNALTOUR", "PPM", "SITEREPORT"])
@pytest.mark.parametrize("status", ["ASSIGNED", "INPROGRESS"])
def test_expired_open_work_of_a_closable_kind_is_due(identifier, status):
    assert due(identifier=identifier, status=status)


@pytest.mark.parametrize(
    "changes",
    [
        {"is_root": False},
        {"identifier": "GEOFENCE"},
        {"identifier": "ASSETLOG"},
        {"status": "COMPLETED"},
        {"status": "PARTIALLYCOMPLETED"},
        {"other_info": {"isdynamic": True}},
        {"other_info": {"isdynamic": "True"}},
        {"expires_at": None},
        {"expires_at": NOW + timedelta(seconds=1)},
        {"expires_at": NOW - LOOKBACK - timedelta(seconds=1)},
    ],
)
def test_whatever_breaks_one_condition_is_not_due(changes):
    assert not due(**changes)


def test_work_is_due_from_the_very_instant_of_its_expiry():
    assert due(expires_at=NOW)


def test_d11_work_that_expired_during_a_long_outage_is_still_due():
    assert due(expires_at=NOW - timedelta(days=29))


def test_a_row_closed_by_the_device_is_due_until_the_server_has_dealt_with_it():
    assert due(status="AUTOCLOSED")
    for flag in closing.HANDLED_FLAGS:
        assert not due(status="AUTOCLOSED", other_info={flag: True})
        assert due(status="ASSIGNED", other_info={flag: True})


@given(other_info=flags, status=statuses, minutes=st.integers(-100_000, 100_000))
def test_a_row_that_was_closed_is_never_due_again(other_info, status, minutes):
    expires_at = NOW + timedelta(minutes=minutes)
    if not due(status=status, other_info=other_info, expires_at=expires_at):
        return
    for notice in Notice:
        for stops in ([], ["COMPLETED", "ASSIGNED"]):
            after = closing.new_status(status, stops)
            info = {**(other_info or {}), **closing.closed_flags(notice)}
            assert not due(status=after, other_info=info, expires_at=expires_at)


@given(status=statuses, stops=children)
def test_only_a_started_tour_with_some_stops_done_is_partly_completed(status, stops):
    done = stops.count("COMPLETED")
    partly = status == "INPROGRESS" and done > 0 and done < len(stops)
    assert closing.new_status(status, stops) == ("PARTIALLYCOMPLETED" if partly else "AUTOCLOSED")


def test_a_tour_with_every_stop_done_that_nobody_handed_in_is_closed():
    assert closing.new_status("INPROGRESS", ["COMPLETED"] * 6) == "AUTOCLOSED"


@pytest.mark.parametrize(
    ("category", "notice"),
    [
        ("AUTOCLOSED", Notice.NOTHING),
        ("AUTOCLOSENOTIFY", Notice.MAIL),
        ("RAISETICKETNOTIFY", Notice.MAIL_AND_TICKET),
        ("SOMETHING", Notice.NOTHING),
        ("NONE", Notice.NOTHING),
        (None, Notice.NOTHING),
    ],
)
def test_the_notify_category_decides_who_hears_of_it(category, notice):
    assert closing.notice_for(category) is notice


@given(other_info=st.dictionaries(st.text(max_size=10), st.integers()), notice=st.sampled_from(Notice))
def test_closing_keeps_what_else_is_known_of_a_row(other_info, notice):
    info = {**(other_info or {}), **closing.closed_flags(notice)}

    assert {key: info[key] for key in other_info if key not in closing.HANDLED_FLAGS} == {
        key: value for key, value in other_info.items() if key not in closing.HANDLED_FLAGS
    }
    assert info["autoclosed_by_server"] is True
    assert info["email_sent"] is (notice is not Notice.NOTHING)
    assert info["ticket_generated"] is (notice is Notice.MAIL_AND_TICKET)


def test_a_row_without_other_info_can_be_closed():
    assert closing.closed_flags(Notice.MAIL)["email_sent"] is True


def test_the_text_of_a_ticket_says_which_work_was_missed():
    text = closing.ticket_text("INTERNALTOUR", "Night round", "03-Mar-2025 05:55")
    assert text == "Tour 'Night round', planned for 03-Mar-2025 05:55, was missed: no report came in time."
