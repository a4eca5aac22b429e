"""The recomputed totals of permits, reports, devices and of the ledger are the printed ones (catalog.md 5.5 to 5.8)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import task_catalog.tasks  # noqa: F401 - registers the 32
from task_catalog.company_day.definitions import DAY_TASKS
from task_catalog.company_day.expected import totals
from task_catalog.company_day.expected.ledger import QUEUES
from youtility_tasks import registry

MONDAY = date(2025, 3, 3)

PERMIT = "send_email_notification_for_"
PRINTED = {
    "permits": {"A": 10, "B": 6, "C": 4, "all": 20},
    "permits at the end": {"returned": 9, "approved": 4, "cancelled": 4, "rejected": 3, "all": 20},
    f"messages of {PERMIT}wp_verifier": 20,
    f"messages of {PERMIT}wp_from_mobile_for_verifier": 20,
    f"messages of {PERMIT}workpermit_approval": 34,
    f"messages of {PERMIT}vendor_and_security_after_approval": 39,
    f"messages of {PERMIT}vendor_and_security_for_rwp": 27,
    f"messages of {PERMIT}vendor_and_security_of_wp_cancellation": 12,
    f"messages of {PERMIT}wp": {"A": 2, "B": 2, "C": 2, "all": 6},
    f"messages of {PERMIT}sla_report": 12,
    f"messages of {PERMIT}sla_vendor": {"A": 3, "B": 2, "C": 0, "all": 5},
    "scheduled reports made": {"A": 3, "B": 3, "C": 3, "all": 9},
    "scheduled reports by kind": {"daily": 6, "weekly": 3, "monthly": 0, "workingdays": 0, "all": 9},
    "scheduled reports made at": {"00:22": 0, "08:22": 6, "16:22": 3},
    "scheduled reports mailed at": {"08:30": 3, "10:00": 3, "16:30": 3},
    "scheduled report files left": 0,
    "answers to those who asked for a report": {"200": 12, "201": 12, "404": 6},
    "old report files removed at first": 20,
    "asked report files left": 12,
    "report history": {"asked for": 30, "scheduled": 9, "all": 39},
    "messages of send_generated_report_on_mail": 9,
    "messages of send_generated_report_onfly_email": 9,
    "messages of send_report_on_email": 3,
    "what photos show": {"match": 349, "mismatch": 17, "no_face": 17, "no_reference": 17},
    "people recognised": {"in": 174, "out": 175},
    "mutations applied": {
        "completions": 273,
        "starts": 92,
        "tickets": 40,
        "punches": 400,
        "photos": 400,
        "permits": 10,
        "tracks": 60,
        "all": 1275,
    },
    "mutations delivered": {"applied": 1275, "duplicate": 63, "failed": 6, "all": 1344},
    "track rows": {"A": 905, "B": 905, "C": 905, "all": 2715},
    "track rows that came again": 285,
    "messages to the control room": {"asset changes": 300, "mismatches": 17, "all": 317},
    "old media": {"moved": 200, "folders removed": 15, "left": 100},
    "blobs in the bucket": 200,
    "jobs on high_priority": 1845,
    "jobs on email": 760,
    "jobs on reports": 123,
    "jobs on maintenance": 1893,
    "jobs of the day": {"succeeded": 4609, "failed": 12, "all": 4621},
    "messages": 625,
}
"""A number stands for the sum of what is told by client."""

JOBS = {
    "create_ppm_job": 2,
    "auto_close_jobs": 48,
    "create_job": 3,
    "perform_facerecognition_bgt": 400,
    "process_graphql_mutation_async": 1344,
    "ticket_escalation": 48,
    "send_ticket_email": 257,
    "send_reminder_email": 144,
    "alert_sendmail": 273,
    f"{PERMIT}workpermit_approval": 17,
    f"{PERMIT}wp_verifier": 10,
    f"{PERMIT}wp_from_mobile_for_verifier": 10,
    f"{PERMIT}wp": 3,
    f"{PERMIT}vendor_and_security_of_wp_cancellation": 4,
    f"{PERMIT}vendor_and_security_for_rwp": 9,
    f"{PERMIT}vendor_and_security_after_approval": 13,
    f"{PERMIT}sla_vendor": 5,
    f"{PERMIT}sla_report": 6,
    "send_generated_report_onfly_email": 9,
    "create_scheduled_reports": 3,
    "create_save_report_async": 30,
    "send_report_on_email": 3,
    "send_generated_report_on_mail": 48,
    "create_report_history": 39,
    "cleanup_expired_sessions_task": 1,
    "move_media_to_cloud_storage": 1,
    "cleanup_reports_which_are_12hrs_old": 24,
    "task_every_min": 1440,
    "publish_mqtt": 317,
    "insert_json_records_async": 63,
    "process_graphql_download_async": 30,
    "send_mismatch_notification": 17,
}
FAILED = {
    "process_graphql_mutation_async": 6,
    "insert_json_records_async": 3,
    "process_graphql_download_async": 3,
}


@pytest.mark.parametrize("name", PRINTED)
def test_a_printed_figure_is_recomputed(name):
    printed, found = PRINTED[name], totals(MONDAY, 1)[name]

    assert (found["all"] if isinstance(found, dict) and isinstance(printed, int) else found) == printed


@pytest.mark.parametrize("task", JOBS)
def test_the_ledger_has_the_printed_jobs(task):
    failed = FAILED.get(task, 0)

    assert totals(MONDAY, 1)[f"jobs of {task}"] == {"succeeded": JOBS[task] - failed, "failed": failed}


def test_the_first_score_is_the_example_of_the_rule():
    assert totals(MONDAY, 1)["vendors' scores"]["A1"] == "82.67"


def test_what_does_not_hang_on_sites_stays_at_twice_the_sites():
    once, twice = totals(MONDAY, 1), totals(MONDAY, 2)

    grown = {kind for kind, count in twice["mutations applied"].items() if count != once["mutations applied"][kind]}
    assert grown == {"completions", "starts", "all"}
    assert twice["mutations applied"]["completions"] == 544
    assert once["permits at the end"] == twice["permits at the end"]
    assert once["messages to the control room"] == twice["messages to the control room"]
    assert twice["jobs of alert_sendmail"]["succeeded"] == 544


def test_a_tuesday_has_no_weekly_report_and_moves_no_media():
    tuesday = totals(date(2025, 3, 4), 1)

    assert tuesday["scheduled reports by kind"] == {"daily": 6, "weekly": 0, "monthly": 0, "workingdays": 0, "all": 6}
    assert tuesday["old media"] == {"moved": 0, "folders removed": 0, "left": 300}
    assert tuesday["jobs of move_media_to_cloud_storage"] == {"succeeded": 0, "failed": 0}


def test_working_days_are_over_on_a_saturday_and_a_month_on_its_first_day():
    # Saturday 00:00 local is Friday 18:30 UTC for A, which is before all reports were made last.
    saturday = totals(date(2025, 3, 8), 1)
    first = totals(date(2025, 4, 1), 1)

    # B's week was over before anything was planned; C's ended with its Friday evening, in this company's first hours.
    assert saturday["scheduled reports by kind"]["workingdays"] == 1
    assert saturday["scheduled reports without data"] == 1
    assert first["scheduled reports by kind"]["monthly"] == 3


@settings(max_examples=15, deadline=None)
@given(day=st.dates(date(2001, 1, 1), date(2090, 12, 31)), scale=st.integers(1, 2))
def test_the_ledger_adds_up_on_any_day(day, scale):
    found = totals(day, scale)

    of_tasks = [value for name, value in found.items() if name.removeprefix("jobs of ") in JOBS]
    succeeded, failed = (sum(each[word] for each in of_tasks) for word in ("succeeded", "failed"))
    assert found["jobs of the day"] == {"succeeded": succeeded, "failed": failed, "all": succeeded + failed}
    assert (
        sum(found[f"jobs on {queue}"] for queue in ("high_priority", "email", "reports", "maintenance"))
        == (found["jobs of the day"]["all"])
    )
    of_mails = [value["all"] for name, value in found.items() if name.startswith("messages of ")]
    assert found["messages"] == sum(of_mails)
    delivered = found["mutations delivered"]
    assert delivered["duplicate"] == found["mutations applied"]["all"] // 20
    assert sum(found["what photos show"].values()) == found["mutations applied"]["photos"]


def test_the_day_runs_the_32_tasks_of_the_catalog_on_their_queues():
    names = {name.removeprefix("jobs of ") for name in totals(MONDAY, 1) if name.startswith("jobs of ")} - {"the day"}

    assert names == set(JOBS) == set(DAY_TASKS)
    assert names == {name for name, task in registry.registered().items() if task.seed_class}
    assert {name: registry.get(name).queue_name for name in names} == {
        name: queue for queue, tasks in QUEUES.items() for name in tasks
    }
