"""R-TKT as plain functions: numbers, the choice of a matrix row, the moment of an escalation, the history."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules import tickets
from task_catalog.rules.tickets import MatrixRow

NONE, CLIENT, SITE, OTHER_SITE, OTHER_CLIENT, CATEGORY = 1, 10, 11, 12, 20, 5
MADE = datetime(2025, 3, 3, 0, 10, tzinfo=UTC)


def row(**changes: object) -> MatrixRow:
    facts: dict[str, object] = {
        "id": 1,
        "client_id": CLIENT,
        "bu_id": CLIENT,
        "category_id": CATEGORY,
        "level": 1,
        "frequency": "MINUTE",
        "value": 60,
    }
    return MatrixRow(**{**facts, **changes})  # type: ignore[arg-type]


def chosen(*rows: MatrixRow, category_id: int | None = CATEGORY, level: int = 1) -> int | None:
    step = tickets.step_for(rows, client_id=CLIENT, site_id=SITE, category_id=category_id, level=level, none_id=NONE)
    return step.id if step else None


matrix_rows = st.builds(
    MatrixRow,
    id=st.integers(1, 50),
    client_id=st.sampled_from([CLIENT, OTHER_CLIENT]),
    bu_id=st.sampled_from([None, NONE, CLIENT, SITE, OTHER_SITE]),
    category_id=st.sampled_from([None, NONE, CATEGORY, 6]),
    level=st.integers(0, 3),
    frequency=st.sampled_from(["MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "", None]),
    value=st.sampled_from([None, -1, 0, 1, 60]),
)


@given(st.lists(matrix_rows, max_size=12), st.integers(0, 3))
def test_the_row_chosen_is_of_the_client_the_category_and_the_level_and_the_site_comes_first(rows, level):
    step = tickets.step_for(rows, client_id=CLIENT, site_id=SITE, category_id=CATEGORY, level=level, none_id=NONE)
    usable = [
        r
        for r in rows
        if (r.client_id, r.category_id, r.level) == (CLIENT, CATEGORY, level)
        and r.frequency in {"MINUTE", "HOUR", "DAY", "WEEK"}
        and r.value is not None
        and r.value >= 0
    ]
    of_site = [r.id for r in usable if r.bu_id == SITE]
    of_client = [r.id for r in usable if r.bu_id in (None, NONE, CLIENT)]
    assert (step.id if step else None) == min(of_site or of_client, default=None)


def test_d18_of_several_rows_exactly_one_is_chosen_and_none_of_another_client_or_site():
    rows = [
        row(id=1, client_id=OTHER_CLIENT),
        row(id=2, bu_id=OTHER_SITE),
        row(id=3),
        row(id=5, bu_id=SITE),
        row(id=4, bu_id=SITE),
    ]
    assert chosen(*rows) == 4
    assert chosen(*rows[:3]) == 3
    assert chosen(*rows[:2]) is None


def test_a_row_whose_site_is_none_or_missing_serves_the_whole_client():
    assert chosen(row(bu_id=NONE)) == 1
    assert chosen(row(bu_id=None)) == 1


@pytest.mark.parametrize("category_id", [None, NONE])
def test_a_ticket_without_a_category_never_climbs(category_id):
    assert chosen(row(category_id=category_id), category_id=category_id) is None


@pytest.mark.parametrize(
    "bad", [{"frequency": "MONTH"}, {"frequency": None}, {"frequency": ""}, {"value": None}, {"value": -1}]
)
def test_a_flawed_row_is_named_and_the_next_one_is_used(bad):
    flawed = row(id=7, **bad)
    assert "row 7" in (tickets.flaw_of(flawed) or "")
    assert chosen(flawed) is None
    assert chosen(flawed, row(id=9)) == 9


@pytest.mark.parametrize(("frequency", "minutes"), [("MINUTE", 1), ("HOUR", 60), ("DAY", 1_440), ("WEEK", 10_080)])
def test_every_unit_is_counted_in_minutes_from_the_creation(frequency, minutes):
    assert tickets.due_at(MADE, row(frequency=frequency, value=3)) == MADE + timedelta(minutes=3 * minutes)


def test_a_step_beyond_the_end_of_the_calendar_is_never_due():
    step = row(frequency="WEEK", value=2_147_483_647)
    assert tickets.due_at(MADE, step) is None
    assert tickets.climbs_at("NEW", MADE, step, now=datetime.max.replace(tzinfo=UTC)) is None


def test_a_flawed_row_has_no_due_moment():
    with pytest.raises(ValueError, match="row 1"):
        tickets.due_at(MADE, row(value=None))


@pytest.mark.parametrize("status", ["NEW", "OPEN", "ONHOLD"])
def test_a_live_ticket_climbs_just_after_the_moment_and_is_stamped_with_it(status):
    moment = MADE + timedelta(hours=1)
    assert tickets.climbs_at(status, MADE, row(), now=moment) is None
    assert tickets.climbs_at(status, MADE, row(), now=moment + timedelta(seconds=1)) == moment


@pytest.mark.parametrize("status", ["RESOLVED", "CLOSED", "CANCELLED", "CLOSE", "CANCEL"])
def test_d17_a_ticket_that_has_ended_does_not_climb(status):
    assert tickets.climbs_at(status, MADE, row(), now=MADE + timedelta(days=9)) is None


@pytest.mark.parametrize(
    ("person", "group", "expected"),
    [
        (None, None, (100, 200)),
        (NONE, NONE, (100, 200)),
        (7, NONE, (7, NONE)),
        (7, None, (7, NONE)),
        (NONE, 8, (NONE, 8)),
        (None, 8, (NONE, 8)),
        (7, 8, (7, 8)),
    ],
)
def test_the_assignee_is_the_rows_unless_it_names_nobody(person, group, expected):
    step = row(person_id=person, group_id=group)
    assert tickets.assignees_after(step, person_id=100, group_id=200, none_id=NONE) == expected


@given(st.text(min_size=1, max_size=20), st.integers(1, 10**9))
def test_the_running_number_is_found_again_in_a_ticket_number(bucode, n):
    found = re.search(tickets.NUMBER_PATTERN, tickets.ticket_number(bucode, n))
    assert found is not None
    assert int(found.group(1)) == n


@pytest.mark.parametrize("log", [None, {}, {"ticket_history": None}, {"ticket_history": "broken"}])
def test_a_log_that_is_missing_or_broken_starts_anew(log):
    assert tickets.with_item(log, {"action": "created"})["ticket_history"] == [{"action": "created"}]


def test_an_entry_is_appended_and_the_old_log_is_not_changed():
    old = {"ticket_history": [{"action": "created"}], "note": 1}

    new = tickets.with_item(old, {"action": "escalated"})

    assert [item["action"] for item in new["ticket_history"]] == ["created", "escalated"]
    assert new["note"] == 1
    assert old == {"ticket_history": [{"action": "created"}], "note": 1}


def test_d20_the_history_says_escalated_and_from_where_to_where():
    assert tickets.escalated_text(1) == "escalated from 1 to 2"
