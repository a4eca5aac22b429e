"""R-SCH as plain functions: who is planned, from when to when, stop after stop, and what counts as an edit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules import scheduling
from task_catalog.rules.routes import Visit
from task_catalog.rules.scheduling import MAINTAINED, PLANNED, ReminderRule, Schedule

NOW = datetime(2025, 3, 3, 0, 27, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)

minutes = st.integers(0, 10_000)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31)).map(
    lambda at: at.replace(tzinfo=UTC, second=0, microsecond=0)
)
visits = st.lists(st.builds(Visit, st.integers(0, 9), minutes, st.integers(0, 60)), max_size=12)


def schedule(**changes: object) -> Schedule:
    facts: dict[str, object] = {
        "identifier": "TASK",
        "is_root": True,
        "is_enabled": True,
        "cron": "0 6 * * *",
        "starts_at": NOW - 30 * DAY,
        "ends_at": NOW + 30 * DAY,
        "duration_min": 30,
        "before_min": 10,
        "after_min": 20,
        "names_asset": True,
        "has_asset": True,
        "asset_status": "WORKING",
        "has_qset": True,
        "other_info": {},
    }
    return Schedule(**{**facts, **changes})  # type: ignore[arg-type]


def occurrences(plan: Schedule, *, now: datetime = NOW, horizon: timedelta = 2 * DAY, offset: int = 0):
    return scheduling.occurrences(plan, offset=offset, now=now, horizon=horizon)


@pytest.mark.parametrize("identifier", ["TASK", "INTERNALTOUR", "EXTERNALTOUR", "SITEREPORT"])
def test_tasks_tours_and_site_reports_are_planned(identifier):
    assert scheduling.why_not(schedule(identifier=identifier), PLANNED, now=NOW) is None


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("not_root", {"is_root": False}),
        ("other_identifier", {"identifier": "PPM"}),
        ("other_identifier", {"identifier": "GEOFENCE"}),
        ("disabled", {"is_enabled": False}),
        ("dynamic", {"other_info": {"isdynamic": True}}),
        ("dynamic", {"other_info": {"isdynamic": "True"}}),
        ("scrapped_asset", {"asset_status": "SCRAPPED"}),
        ("not_scheduled", {"cron": "* * * * *"}),
        ("not_scheduled", {"cron": "  "}),
        ("ended", {"ends_at": NOW - MINUTE}),
    ],
)
def test_what_is_no_candidate_and_why(reason, changes):
    assert scheduling.why_not(schedule(**changes), PLANNED, now=NOW) == reason


def test_a_plan_that_ends_this_very_moment_is_still_a_candidate():
    assert scheduling.why_not(schedule(ends_at=NOW), PLANNED, now=NOW) is None


def test_no_kind_of_work_is_planned_by_both_tasks():
    assert not set(PLANNED) & set(MAINTAINED)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("no_window", {"starts_at": None}),
        ("no_window", {"ends_at": None}),
        ("no_window", {"starts_at": NOW + DAY, "ends_at": NOW}),
        ("no_window", {"starts_at": NOW, "ends_at": NOW}),
        ("bad_cron", {"cron": "61 * * * *"}),
        ("no_asset", {"names_asset": False, "has_asset": False}),
        ("no_asset", {"has_asset": False}),
        ("no_asset", {"identifier": "PPM", "names_asset": False, "has_asset": False}),
        ("no_asset", {"identifier": "SITEREPORT", "has_asset": False}),
        ("no_qset", {"has_qset": False}),
        (None, {}),
        (None, {"identifier": "SITEREPORT", "names_asset": False, "has_asset": False}),
        (None, {"identifier": "INTERNALTOUR", "names_asset": False, "has_asset": False, "has_qset": False}),
    ],
)
def test_what_somebody_has_to_correct_first(reason, changes):
    assert scheduling.flaw(schedule(**changes)) == reason


@given(instants, st.integers(-720, 840), st.lists(st.integers(1, 60 * 60), min_size=1, max_size=5))
def test_sweeps_whose_windows_overlap_find_every_occurrence_and_the_same_ones(now, offset, waits):
    plan = schedule(cron="*/7 3-21 * * *", starts_at=now - DAY, ends_at=now + 20 * DAY)
    moments = [now]
    for wait in waits:
        moments.append(moments[-1] + timedelta(minutes=min(wait, 48 * 60)))

    found = {at for moment in moments for at in occurrences(plan, now=moment, offset=offset)}

    whole = occurrences(plan, now=now, horizon=moments[-1] - now + 2 * DAY, offset=offset)
    assert sorted(found) == list(whole)


@given(instants, instants, instants, st.integers(1, 60))
def test_the_window_is_cut_by_now_by_the_horizon_and_by_the_validity(now, starts_at, ends_at, days):
    plan = schedule(cron="30 */5 * * *", starts_at=starts_at, ends_at=ends_at)

    found = occurrences(plan, now=now, horizon=days * DAY)

    assert all(max(now, starts_at) <= at < min(now + days * DAY, ends_at) for at in found)


def test_an_occurrence_exactly_at_the_beginning_of_the_validity_counts():
    six = NOW.replace(hour=6, minute=0)

    assert occurrences(schedule(starts_at=six, ends_at=six + DAY)) == (six,)


def test_a_plan_without_validity_has_no_occurrences():
    assert occurrences(schedule(starts_at=None)) == ()
    assert occurrences(schedule(ends_at=None)) == ()


@given(instants, minutes, minutes, minutes)
def test_plan_and_expiry_are_the_graces_and_the_duration_around_the_instant(instant, before, duration, after):
    plan = schedule(before_min=before, duration_min=duration, after_min=after)

    planned, expires = scheduling.planned_at(instant, plan), scheduling.expires_at(instant, plan)

    assert instant - planned == before * MINUTE
    assert expires - instant == (duration + after) * MINUTE
    assert (planned.second, expires.second) == (0, 0)


@given(instants, visits, minutes)
def test_the_stops_of_a_tour_follow_one_another_without_a_gap_or_an_overlap(starts_at, way, stay_min):
    times = scheduling.chain(starts_at, way, stay_min=stay_min)

    assert len(times) == len(way)
    reached = starts_at
    for visit, (begins, ends) in zip(way, times, strict=True):
        assert begins - reached == (visit.travel_min + visit.break_min) * MINUTE
        assert ends - begins == stay_min * MINUTE
        reached = ends


@given(st.lists(minutes, max_size=10))
def test_on_a_fixed_route_every_stop_takes_its_own_minutes_to_reach(travel):
    way = scheduling.fixed_way(travel)

    assert [visit.stop for visit in way] == list(range(len(travel)))
    assert [visit.travel_min for visit in way] == travel
    assert not any(visit.break_min for visit in way)


@pytest.mark.parametrize(
    ("other_info", "stops", "computed"),
    [
        ({}, 5, False),
        ({"tour_frequency": 1, "is_randomized": False}, 5, False),
        ({"is_randomized": True}, 2, True),
        ({"is_randomized": "True"}, 2, True),
        ({"is_randomized": "False"}, 2, False),
        ({"is_randomized": True}, 1, False),
        ({"tour_frequency": 2}, 1, True),
        ({"tour_frequency": "2"}, 5, True),
        ({"tour_frequency": 2}, 0, False),
    ],
)
def test_when_the_way_is_computed(other_info, stops, computed):
    assert scheduling.needs_route(other_info, stops) is computed


@pytest.mark.parametrize(
    ("given_", "frequency"),
    [(None, 1), (0, 1), (-4, 1), (3, 3), ("3", 3), (2.0, 2), ("often", 1), ([2], 1), (True, 1), ("1e999", 1)],
)
def test_whatever_is_written_a_tour_goes_round_at_least_once(given_, frequency):
    assert scheduling.frequency({"tour_frequency": given_}) == frequency


@pytest.mark.parametrize(("given_", "rest"), [(None, 0), (15, 15), ("15", 15), (-15, 0), ("", 0)])
def test_a_break_is_never_negative(given_, rest):
    assert scheduling.break_minutes({"breaktime": given_}) == rest


def test_reminder_rules_of_the_same_unit_and_value_are_one_reminder():
    rows = [("DAY", 1, " a@x.example "), ("HOUR", 2, None), ("DAY", 1, "b@x.example"), ("DAY", 1, "a@x.example")]

    assert scheduling.reminder_rules(rows) == [
        ReminderRule("DAY", 1, "a@x.example,b@x.example"),
        ReminderRule("HOUR", 2, ""),
    ]


@pytest.mark.parametrize("row", [("YEAR", 1, ""), ("", 1, ""), ("DAY", None, ""), ("DAY", -1, "")])
def test_a_reminder_rule_that_nobody_can_read_spoils_them_all(row):
    assert scheduling.reminder_rules([("HOUR", 2, "a@x.example"), row]) is None


@given(
    instants,
    instants,
    st.sampled_from([("MINUTE", 1), ("HOUR", 60), ("DAY", 1440), ("WEEK", 10080)]),
    st.integers(0, 500),
)
def test_a_reminder_is_so_many_units_before_the_plan_time_or_not_at_all(planned, now, unit, value):
    name, length = unit
    moment = planned - value * length * MINUTE

    found = scheduling.remind_at(planned, ReminderRule(name, value), now=now)

    assert found == (moment if moment > now else None)


def test_a_reminder_due_this_very_moment_is_too_late_and_one_before_the_calendar_too():
    assert scheduling.remind_at(NOW + MINUTE, ReminderRule("MINUTE", 1), now=NOW) is None
    assert scheduling.remind_at(NOW, ReminderRule("WEEK", 2**31 - 1), now=NOW) is None


@pytest.mark.parametrize(
    ("asset_json", "factor"),
    [
        ({"multifactor": 2}, "2"),
        ({"multifactor": "0.5"}, "0.5"),
        ({"multifactor": 1.23456789}, "1.234568"),
        ({}, "1"),
        (None, "1"),
        ([], "1"),
        ({"multifactor": None}, "1"),
        ({"multifactor": "two"}, "1"),
        ({"multifactor": "NaN"}, "1"),
        ({"multifactor": float("inf")}, "1"),
        ({"multifactor": 10_000}, "1"),
    ],
)
def test_the_factor_of_an_asset_always_fits_its_column(asset_json, factor):
    assert scheduling.multifactor(asset_json) == Decimal(factor)


PLAN = {"cron": "0 6 * * *", "fromdate": NOW, "uptodate": NOW + DAY, "asset_id": 7, "qset_id": None, "gracetime": 10}
INFO = {"tour_frequency": 2, "is_randomized": False, "breaktime": 5, "isdynamic": False}
STOPS = [(1, 3, 70, 80, 90), (2, 4, 71, 80, 90)]
"""seqno, minutes to reach it, asset, question set, site"""
FINGERPRINT = "1bfef0333b0e8fc9b2afd66d74959dc72f29b474f2fcf8a42e91a6f1c9a16b3e"
"""Of these three; a release that changes it takes every plan for an edited one and plans it anew."""


def test_the_fingerprint_is_the_same_on_every_machine_and_in_any_order_of_keys():
    turned = dict(reversed(PLAN.items()))

    assert scheduling.fingerprint(turned, dict(reversed(INFO.items())), STOPS) == FINGERPRINT


@pytest.mark.parametrize("column", PLAN)
def test_every_relevant_column_changes_the_fingerprint(column):
    changed = {**PLAN, column: NOW + 2 * DAY if column.endswith("date") else "0 7 * * *" if column == "cron" else 99}

    assert scheduling.fingerprint(changed, INFO, STOPS) != FINGERPRINT


@pytest.mark.parametrize(
    "flag",
    [
        {"tour_frequency": 3},
        {"is_randomized": True},
        {"breaktime": 6},
        {"isdynamic": True},
        {"istimebound": True},
        {"deviation": True},
    ],
)
def test_every_relevant_flag_changes_the_fingerprint(flag):
    assert scheduling.fingerprint(PLAN, {**INFO, **flag}, STOPS) != FINGERPRINT


@pytest.mark.parametrize("place", range(5))
def test_every_relevant_column_of_a_stop_changes_the_fingerprint(place):
    moved = [*STOPS[:1], tuple(99 if index == place else value for index, value in enumerate(STOPS[1]))]

    assert scheduling.fingerprint(PLAN, INFO, moved) != FINGERPRINT


@pytest.mark.parametrize("stops", [[], STOPS[:1], [*STOPS, (3, 4, 72, 80, 90)], STOPS[::-1]])
def test_other_stops_change_the_fingerprint(stops):
    assert scheduling.fingerprint(PLAN, INFO, stops) != FINGERPRINT


@given(
    st.dictionaries(
        st.sampled_from(["email_sent", "ticket_generated", "autoclosed_by_server", "distance", "mine"]),
        st.one_of(st.booleans(), st.integers(), st.text(max_size=5)),
    )
)
def test_what_closing_or_anybody_else_notes_does_not_change_the_fingerprint(notes):
    assert scheduling.fingerprint(PLAN, {**INFO, **notes}, STOPS) == FINGERPRINT


@given(st.sampled_from([False, "False", None, "", 0]), st.sampled_from([2, "2", 2.0]))
def test_the_same_flag_written_otherwise_does_not_change_the_fingerprint(off, twice):
    same = {**INFO, "is_randomized": off, "tour_frequency": twice}

    assert scheduling.fingerprint(PLAN, same, STOPS) == FINGERPRINT


def test_the_same_instant_in_another_zone_does_not_change_the_fingerprint():
    india = timezone(timedelta(minutes=330))

    assert scheduling.fingerprint({**PLAN, "fromdate": NOW.astimezone(india)}, INFO, STOPS) == FINGERPRINT


def test_a_value_that_has_no_stable_text_is_refused():
    with pytest.raises(TypeError, match="fingerprint"):
        scheduling.fingerprint({"cron": object()}, {}, [])
