"""send_reminder_email on a real database and a real mail server."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from task_catalog.email import reminders as sweep
from task_catalog.email.reminders import send_reminder_email
from task_catalog.facility.models import Reminder
from task_catalog.rules.reminders import Moment, moment_of
from tests.catalog.closing.world import NONE, START, run
from youtility_tasks import TaskContext, Transient, tenant
from youtility_tasks.models import TaskEffect
from youtility_tasks.testing import assert_enqueued, run_jobs

NOON = START.replace(hour=12)
PAST, SOON, LATER = NOON - timedelta(minutes=5), NOON + timedelta(hours=1), NOON + timedelta(hours=2)
KEYS = {"status", "warnings", "due", "sent", "failed", "expired", "ids"}


@pytest.fixture
def site(acme):
    return acme.site("1")


@pytest.fixture
def planner(acme, site):
    return acme.person("planner", site)


def status_of(reminder: Reminder) -> str:
    return Reminder.objects.get(pk=reminder.pk).status


def test_d21_a_reminder_goes_out_when_it_is_due_not_before_and_not_too_late(acme, site, planner, mailbox):
    due = acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner)
    waiting = acme.reminder(site, remind_at=SOON, planned_at=LATER, cuser=planner)
    late = acme.reminder(site, remind_at=PAST, planned_at=NOON, cuser=planner)
    sent = acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner, status="SUCCESS")

    result = run(send_reminder_email)

    assert result.keys() == KEYS
    assert (result["status"], result["due"], result["sent"], result["failed"], result["expired"]) == ("ok", 1, 1, 0, 1)
    assert result["ids"] == [due.pk]
    assert [status_of(each) for each in (due, waiting, late, sent)] == ["SUCCESS", "", "FAILED", "SUCCESS"]
    assert Reminder.objects.get(pk=due.pk).mdtz == NOON
    assert len(mailbox.received) == 1


def test_everyone_concerned_gets_one_message_with_the_local_plan_time(acme, site, planner, mailbox):
    person, editor, member = (acme.person(code, site) for code in ("tech", "editor", "member"))
    reminder = acme.reminder(
        site,
        remind_at=PAST,
        planned_at=LATER,
        job=acme.plan(site, jobname="Boiler <A>", identifier="PPM"),
        description="Bring the key",
        people=person,
        group=acme.group(member),
        cuser=planner,
        muser=editor,
        mailids=f" vendor@out.example ,{person.email.upper()},",
    )

    run(send_reminder_email)

    (got,) = mailbox.received
    assert set(got.recipients) == {person.email, planner.email, editor.email, member.email, "vendor@out.example"}
    assert got.message["Subject"].strip() == "Reminder: Boiler <A>, 03-Mar-2025 19:30"
    assert got.message["X-Youtility-Effect"] == f"reminder-mail:{reminder.pk}"
    for line in (
        "Job: Boiler <A>",
        "Planned: 03-Mar-2025 19:30",
        "Description: Bring the key",
        f"Site: {site.buname}",
        f"Created by: {planner.peoplename}",
        f"Modified by: {editor.peoplename}",
    ):
        assert line in got.text


def test_a_second_run_reminds_nobody_again(acme, site, planner, mailbox):
    acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner)
    acme.reminder(site, remind_at=PAST, planned_at=NOON, cuser=planner)
    run(send_reminder_email)

    again = run(send_reminder_email)

    assert (again["due"], again["sent"], again["expired"], again["ids"]) == (0, 0, 0, [])
    assert len(mailbox.received) == 1


def test_dying_before_the_status_is_written_does_not_remind_twice(acme, site, planner, mailbox):
    reminder = acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner)
    run(send_reminder_email)
    Reminder.objects.filter(pk=reminder.pk).update(status="")

    again = run(send_reminder_email)

    assert (again["due"], again["sent"]) == (1, 0)
    assert status_of(reminder) == "SUCCESS"
    assert len(mailbox.received) == 1


def test_dying_between_sending_and_marking_repeats_the_mail_under_the_same_id(acme, site, planner, mailbox):
    reminder = acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner)
    run(send_reminder_email)
    Reminder.objects.filter(pk=reminder.pk).update(status="")
    TaskEffect.objects.filter(key=f"reminder-mail:{reminder.pk}").update(
        status="reserved", done_at=None, lease_until=START
    )

    assert run(send_reminder_email)["sent"] == 1
    assert len(mailbox.received) == 2
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 1


def test_a_reminder_that_another_job_is_sending_is_left_to_it(acme, site, planner, mailbox):
    reminder = acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner)
    run(send_reminder_email)
    Reminder.objects.filter(pk=reminder.pk).update(status="")
    TaskEffect.objects.filter(key=f"reminder-mail:{reminder.pk}").update(
        status="reserved", done_at=None, lease_until=START + timedelta(days=36_500)
    )

    result = run(send_reminder_email)

    assert (result["sent"], status_of(reminder)) == (0, "")
    assert len(mailbox.received) == 1


def test_invalid_addresses_are_warnings_and_none_valid_is_failed(acme, site, planner, mailbox):
    partly = acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner, mailids="nonsense")
    nobody = acme.reminder(site, remind_at=PAST, planned_at=LATER, mailids="nonsense,,also nonsense")

    result = run(send_reminder_email)

    assert (result["due"], result["sent"], result["failed"]) == (2, 1, 1)
    assert [status_of(partly), status_of(nobody)] == ["SUCCESS", "FAILED"]
    assert f"reminder {nobody.pk}: no_recipients" in result["warnings"]
    assert any("nonsense" in warning for warning in result["warnings"])


def test_a_permanent_refusal_is_failed_and_the_others_go_on(acme, site, planner, mailbox):
    mailbox.on_recipient["gone@out.example"] = "550 no such user"
    gone = acme.reminder(site, remind_at=PAST - timedelta(hours=1), planned_at=LATER, mailids="gone@out.example")
    fine = acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner)

    result = run(send_reminder_email)

    assert (result["sent"], result["failed"]) == (1, 1)
    assert [status_of(gone), status_of(fine)] == ["FAILED", "SUCCESS"]


def test_a_failed_reminder_goes_out_once_the_address_is_right(acme, site, mailbox):
    reminder = acme.reminder(site, remind_at=PAST, planned_at=LATER, mailids="nonsense")
    run(send_reminder_email)
    Reminder.objects.filter(pk=reminder.pk).update(mailids="right@acme.example")

    assert run(send_reminder_email)["ids"] == [reminder.pk]
    assert status_of(reminder) == "SUCCESS"


def test_d21_a_mail_server_that_is_down_fails_the_run_and_the_next_one_sends(
    acme, site, planner, no_mail_server, request
):
    reminders = [acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner) for _ in range(3)]
    late = acme.reminder(site, remind_at=SOON, planned_at=NOON, cuser=planner)

    with pytest.raises(Transient, match=r"1 failed.*could not be reached"):
        run(send_reminder_email)

    assert {status_of(each) for each in reminders} == {""}
    assert status_of(late) == "FAILED"
    mailbox = request.getfixturevalue("mailbox")
    assert run(send_reminder_email, attempt=2)["sent"] == 3
    assert len(mailbox.received) == 3
    assert mailbox.connections == 1


def test_two_clients_with_look_alike_data_are_reminded_on_their_own(acme, globex, mailbox):
    for company in (acme, globex):
        site = company.site("1")
        theirs = company.reminder(site, remind_at=PAST, planned_at=LATER, cuser=company.person("planner", site))

    with tenant(acme.id):
        mine_only = run(send_reminder_email)
    assert (mine_only["due"], mine_only["sent"]) == (1, 1)
    assert status_of(theirs) == ""
    assert {address.partition("@")[2] for address in mailbox.received[0].recipients} == {"acme.example"}
    assert run(send_reminder_email)["sent"] == 1

    assert {address.partition("@")[2] for address in mailbox.received[1].recipients} == {"globex.example"}
    assert [each.message["X-Youtility-Tenant"] for each in mailbox.received] == [str(acme.id), str(globex.id)]


def test_the_query_finds_exactly_what_the_rule_says(acme, site, mailbox):
    reminders = [
        acme.reminder(site, remind_at=remind, planned_at=planned, status=status, people_id=NONE)
        for remind, planned, status in itertools.product(
            [PAST, NOON, SOON], [PAST, NOON, LATER], ["", "SUCCESS", "FAILED"]
        )
    ]
    moments = [
        moment_of(each.status, remind_at=each.reminderdate, planned_at=each.plandatetime, now=NOON)
        for each in reminders
    ]

    result = run(send_reminder_email)

    assert (result["due"], result["expired"]) == (moments.count(Moment.DUE), moments.count(Moment.MISSED)) == (4, 6)


def test_settled_reminders_are_not_even_read_again(acme, site):
    acme.reminder(site, remind_at=PAST, planned_at=NOON, status="FAILED")
    acme.reminder(site, remind_at=PAST, planned_at=LATER, status="SUCCESS")
    looked_at = sweep._Run(TaskContext.for_tests(send_reminder_email), NOON)
    looked_at._client_id = acme.id

    assert list(looked_at._to_settle()) == []


def test_a_run_that_is_out_of_time_leaves_the_rest_to_a_job_it_enqueues(acme, site, planner, mailbox):
    reminder = acme.reminder(site, remind_at=PAST, planned_at=LATER, cuser=planner)

    assert run(send_reminder_email, used_up=0.85)["status"] == "partial"

    assert_enqueued("send_reminder_email")
    run_jobs("email")
    assert status_of(reminder) == "SUCCESS"


def test_pages_leave_nothing_out(acme, site, planner, mailbox, monkeypatch):
    monkeypatch.setattr(sweep, "PAGE", 2)
    monkeypatch.setattr("task_catalog.sweeps.PAGE", 2)
    reminders = [
        acme.reminder(site, remind_at=PAST - timedelta(minutes=minutes), planned_at=LATER, cuser=planner)
        for minutes in (1, 7, 7, 3, 5)
    ]

    by_age = sorted(reminders, key=lambda each: (each.reminderdate, each.pk))
    assert run(send_reminder_email)["ids"] == [each.pk for each in by_age]
