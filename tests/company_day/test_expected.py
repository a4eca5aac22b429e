"""The recomputed totals are the printed ones (catalog.md 5), and they follow dates and scales as 5.9 says."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from task_catalog.company_day.definitions import CLIENTS, producing_plans
from task_catalog.company_day.expected import totals

MONDAY = date(2025, 3, 3)

PRINTED = {
    "plans that produce": {"A": 91, "B": 55, "C": 37, "all": 183},
    "plans that produce nothing": {"A": 7, "B": 7, "C": 7, "all": 21},
    "create_job 00:27": {"roots": 886, "children": 1960, "details": 10966},
    "create_job 08:27": {"roots": 155, "children": 328, "details": 1867},
    "create_job 16:27": {"roots": 157, "children": 346, "details": 1941},
    "create_job all runs": {"roots": 1198, "children": 2634, "details": 14774},
    "create_job roots": {"A": 603, "B": 356, "C": 239, "all": 1198},
    "create_job children": {"A": 1350, "B": 768, "C": 516, "all": 2634},
    "create_job roots of A by plan": {"T1": 320, "T2": 60, "TR": 220, "EX": 3},
    "create_job roots of B by plan": {"T1": 192, "T2": 36, "TR": 126, "EX": 2},
    "create_job roots of C by plan": {"T1": 128, "T2": 24, "TR": 84, "EX": 3},
    "create_job 00:27 reports a bad cron": {"A": 1, "B": 1, "C": 1, "all": 3},
    "create_ppm_job 03:03": {"roots": 220, "details": 1760, "reminders": 410, "skipped as past": 30},
    "create_ppm_job 16:03": {"roots": 0, "details": 0, "reminders": 0, "skipped as past": 0},
    "create_ppm_job roots": {"A": 110, "B": 66, "C": 44, "all": 220},
    "create_ppm_job reminders": {"A": 200, "B": 126, "C": 84, "all": 410},
    "a second planning sweep at the same instant creates": 0,
    "first tour of A's first site": (
        "P 00:25; 00:28-00:38, 00:41-00:51, 00:54-01:04, 01:07-01:17, 01:20-01:30, 01:33-01:43; E 01:43"
    ),
    "first external tour of A": "P 14:25; E 18:43; 10 sites",
    "first external tour of B": "P 19:55; E 22:25; 6 sites",
    "first external tour of C": "P 00:55; E 02:31; 4 sites",
    "lastgeneratedon of T1": {"A": "2025-03-05 08:20", "B": "2025-03-05 13:50", "C": "2025-03-05 10:50"},
    "roots due by the last auto-close": {"A": 231, "B": 133, "C": 89, "all": 453},
    "roots completed": {"A": 139, "B": 79, "C": 55, "all": 273},
    "roots closed by the server": {"A": 92, "B": 54, "C": 34, "all": 180},
    "closed with AUTOCLOSED": {"A": 32, "B": 19, "C": 15, "all": 66},
    "closed with AUTOCLOSENOTIFY": {"A": 16, "B": 10, "C": 5, "all": 31},
    "closed with RAISETICKETNOTIFY": {"A": 44, "B": 25, "C": 14, "all": 83},
    "closed as": {"AUTOCLOSED": 150, "PARTIALLYCOMPLETED": 30},
    "auto-close mails": {"A": 60, "B": 35, "C": 19, "all": 114},
    "tickets raised": {"A": 44, "B": 25, "C": 14, "all": 83},
    "completed with an answer in alert": {"A": 24, "B": 16, "C": 8, "all": 48},
    "roots at the end": {"COMPLETED": 273, "AUTOCLOSED": 150, "PARTIALLYCOMPLETED": 30, "ASSIGNED": 965, "all": 1418},
    "TASK roots at the end": {
        "COMPLETED": 167,
        "AUTOCLOSED": 113,
        "PARTIALLYCOMPLETED": 0,
        "ASSIGNED": 480,
        "all": 760,
    },
    "INTERNALTOUR roots at the end": {
        "COMPLETED": 91,
        "AUTOCLOSED": 29,
        "PARTIALLYCOMPLETED": 30,
        "ASSIGNED": 280,
        "all": 430,
    },
    "EXTERNALTOUR roots at the end": {
        "COMPLETED": 3,
        "AUTOCLOSED": 0,
        "PARTIALLYCOMPLETED": 0,
        "ASSIGNED": 5,
        "all": 8,
    },
    "PPM roots at the end": {"COMPLETED": 12, "AUTOCLOSED": 8, "PARTIALLYCOMPLETED": 0, "ASSIGNED": 200, "all": 220},
    "children at the end": {
        "COMPLETED": 656,
        "AUTOCLOSED": 264,
        "PARTIALLYCOMPLETED": 0,
        "ASSIGNED": 1714,
        "all": 2634,
    },
    "rows": {"jobneed": 4052, "jobneeddetails": 16534, "reminder": 410},
    "reminders at the end": {"SUCCESS": 10, "FAILED": 0, "pending": 400},
    "messages of send_reminder_email": {"A": 0, "B": 6, "C": 4, "all": 10},
    "TASKSUMMARY A": {"COMPLETED": 84, "AUTOCLOSED": 56, "PARTIALLYCOMPLETED": 0, "ASSIGNED": 0, "all": 140},
    "TASKSUMMARY B": {"COMPLETED": 50, "AUTOCLOSED": 34, "PARTIALLYCOMPLETED": 0, "ASSIGNED": 0, "all": 84},
    "TASKSUMMARY C": {"COMPLETED": 23, "AUTOCLOSED": 17, "PARTIALLYCOMPLETED": 0, "ASSIGNED": 16, "all": 56},
    "TOURSUMMARY A": {"COMPLETED": 42, "AUTOCLOSED": 14, "PARTIALLYCOMPLETED": 14, "ASSIGNED": 0, "all": 70},
    "TOURSUMMARY B": {"COMPLETED": 25, "AUTOCLOSED": 8, "PARTIALLYCOMPLETED": 9, "ASSIGNED": 6, "all": 48},
    "TOURSUMMARY C": {"COMPLETED": 12, "AUTOCLOSED": 4, "PARTIALLYCOMPLETED": 4, "ASSIGNED": 12, "all": 32},
    "tickets": 163,
    "escalations to level 1": {"A": 30, "B": 18, "C": 12, "all": 60},
    "escalations to level 2": {"A": 17, "B": 10, "C": 7, "all": 34},
    "escalations to level 3": {"A": 0, "B": 0, "C": 0, "all": 0},
    "escalations": 94,
    "levels of people's tickets": {"0": 20, "1": 26, "2": 34, "3": 0},
    "states of people's tickets": {"CANCELLED": 20, "CLOSED": 20, "OPEN": 20, "RESOLVED": 20},
    "messages of send_ticket_email": {"created": 163, "escalated": 94, "all": 257},
    "messages of auto_close_jobs": {"A": 60, "B": 35, "C": 19, "all": 114},
    "sessions": {"deleted": 180, "left": 320},
    "heartbeats": 1440,
    "jobs of create_ppm_job": {"succeeded": 2, "failed": 0},
    "jobs of auto_close_jobs": {"succeeded": 48, "failed": 0},
    "jobs of create_job": {"succeeded": 3, "failed": 0},
    "jobs of send_ticket_email": {"succeeded": 257, "failed": 0},
    "jobs of send_reminder_email": {"succeeded": 144, "failed": 0},
    "jobs of ticket_escalation": {"succeeded": 48, "failed": 0},
    "jobs of cleanup_expired_sessions_task": {"succeeded": 1, "failed": 0},
    "jobs of task_every_min": {"succeeded": 1440, "failed": 0},
}

PRINTED_AT_SCALE_2 = {
    "roots due by the last auto-close": 902,
    "roots completed": 544,
    "roots closed by the server": 358,
}


@pytest.mark.parametrize("name", PRINTED)
def test_a_printed_figure_is_recomputed(name):
    assert totals(MONDAY, 1)[name] == PRINTED[name]


@pytest.mark.parametrize("name", PRINTED_AT_SCALE_2)
def test_a_printed_figure_of_twice_the_sites_is_recomputed(name):
    figure = totals(MONDAY, 2)[name]

    assert isinstance(figure, dict)
    assert figure["all"] == PRINTED_AT_SCALE_2[name]


def test_plans_are_numbered_in_creation_order():
    plans = list(producing_plans(1))

    assert [plan.seq for plan in plans] == list(range(183))
    assert [plan.kind.code for plan in plans[:10]] == ["T1", "T1", "T1", "T1", "T2", "T2", "TR", "PW", "PM", "T1"]
    assert [(plan.client.letter, plan.seq) for plan in plans if plan.kind.code == "EX"] == [
        ("A", 90),
        ("B", 145),
        ("C", 182),
    ]


def test_plans_of_working_days_rest_on_a_weekend():
    saturday = totals(date(2025, 3, 8), 1)["create_job roots of A by plan"]

    assert isinstance(saturday, dict)
    # Saturday 00:27 .. Monday 16:27 UTC: T2 is due at 09:30 local of Monday only, on 10 sites x 2 plans.
    assert saturday == {"T1": 320, "T2": 20, "TR": 220, "EX": 3}


def test_a_day_that_is_no_monday_still_reminds_of_monthly_work():
    fourteenth = totals(date(2025, 4, 14), 1)["messages of send_reminder_email"]

    # 14 April is a Monday: C's weekly work reminds 2 h, the monthly work of the 15th one day before, as on any day.
    assert fourteenth == {"A": 10, "B": 12, "C": 8, "all": 30}


@settings(max_examples=25, deadline=None)
@given(day=st.dates(date(2001, 1, 1), date(2090, 12, 31)), scale=st.integers(1, 3))
def test_totals_agree_with_each_other_on_any_day(day, scale):
    found = totals(day, scale)

    roots, closed = found["roots at the end"], found["closed as"]
    runs, mails = found["create_job all runs"], found["messages of send_ticket_email"]
    rows, reminders = found["rows"], found["reminders at the end"]
    assert isinstance(roots, dict)
    assert isinstance(closed, dict)
    assert isinstance(runs, dict)
    assert isinstance(mails, dict)
    assert isinstance(rows, dict)
    assert isinstance(reminders, dict)
    made = found["create_job roots"]["all"] + found["create_ppm_job roots"]["all"]
    assert roots["all"] == made == sum(count for status, count in roots.items() if status != "all")
    assert closed["AUTOCLOSED"] + closed["PARTIALLYCOMPLETED"] == found["roots closed by the server"]["all"]
    assert found["roots due by the last auto-close"]["all"] == (
        found["roots completed"]["all"] + found["roots closed by the server"]["all"]
    )
    assert rows["jobneed"] == made + runs["children"]
    assert sum(reminders.values()) == rows["reminder"]
    assert mails["created"] == found["tickets"]
    assert mails["escalated"] == found["escalations"]
    assert found["tickets raised"] == found["closed with RAISETICKETNOTIFY"]
    for client in CLIENTS:
        assert found["tickets made by people"][client.letter] == client.tickets
