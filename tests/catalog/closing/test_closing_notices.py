"""The notice of a closing, and what becomes of it when the mail server or a sender fails."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from task_catalog.facility.models import Jobneed, Ticket
from task_catalog.high_priority.closing import auto_close_jobs
from task_catalog.outbox import Outbox
from task_catalog.ports import mail
from tests.catalog.closing.smtp_sink import Sink, SinkController
from tests.catalog.closing.world import NOON, START, emails_of, run, statuses, tour_of
from youtility_tasks import Transient
from youtility_tasks.models import TaskEffect
from youtility_tasks.testing import assert_enqueued, run_jobs


def test_the_mail_says_what_was_missed_where_and_when_in_local_time(acme, site, mailbox):
    guard = acme.person("guard", site)
    work = acme.work(site, notify="AUTOCLOSENOTIFY", jobdesc="Check <b>pumps</b>", people=guard, identifier="PPM")

    run(auto_close_jobs)

    (got,) = mailbox.received
    assert got.message["Subject"].strip() == f"Auto-closed PPM: planned 03-Mar-2025 15:30, {site.buname}"
    assert got.message["X-Youtility-Effect"] == f"autoclose-mail:{work.pk}"
    assert got.message["X-Youtility-Tenant"] == str(acme.id)
    for line in (
        f"Site: {site.buname}",
        "Description: Check <b>pumps</b>",
        "Planned: 03-Mar-2025 15:30",
        f"Assigned to: {guard.peoplename} [PEOPLE]",
        "Expired at: 03-Mar-2025 16:30",
    ):
        assert line in got.text
    assert "Check &lt;b&gt;pumps&lt;/b&gt;" in got.html


def test_d15_the_mail_of_a_tour_for_a_group_tells_of_its_ticket_in_a_tidy_subject(acme, site, mailbox):
    group = acme.group(acme.person("guard", site))
    tour, _ = tour_of(acme, site, "ASSIGNED", ["ASSIGNED"], notify="RAISETICKETNOTIFY", pgroup=group, jobdesc="Night")

    run(auto_close_jobs)

    ticket = Ticket.objects.get(client_id=acme.id)
    (got,) = mailbox.of_task("auto_close_jobs")
    assert got.message["Subject"].strip() == f"Auto-closed tour: planned 03-Mar-2025 15:30, {site.buname}"
    assert "  " not in got.message["Subject"].strip()
    assert f"Assigned to: {group.groupname} [GROUP]" in got.text
    assert f"Ticket: {ticket.ticketno}" in got.text
    assert "Ticket description: Tour 'Night', planned for 03-Mar-2025 15:30" in got.text
    assert Jobneed.objects.get(pk=tour.pk).ticket_id == ticket.pk
    assert Jobneed.objects.get(pk=tour.pk).raisedtktflag


def test_the_mail_about_a_raised_ticket_is_enqueued_with_it_and_sent_once(acme, site, mailbox):
    acme.work(site, notify="RAISETICKETNOTIFY", people=acme.person("guard", site))
    run(auto_close_jobs)
    ticket = Ticket.objects.get(client_id=acme.id)
    assert assert_enqueued("send_ticket_email", id=ticket.pk, event="created").tenant_id == acme.id

    run_jobs("email")
    run(auto_close_jobs)
    run_jobs("email")

    (got,) = mailbox.of_task("send_ticket_email")
    assert got.message["Subject"].strip() == f"[{ticket.ticketno}] ticket created, {site.buname}"


def test_d13_a_matrix_row_for_the_category_and_site_is_told_in_the_mail_and_breaks_nothing(acme, site, mailbox):
    category = acme.word("RAISETICKETNOTIFY", "NOTIFYCATEGORY")
    acme.step(category, 1, 2, "HOUR", bu=site)
    acme.work(site, notify="RAISETICKETNOTIFY")

    result = run(auto_close_jobs)

    assert result["tickets_created"] == result["mails_sent"] == 1
    assert "Next escalation: level 1 after 2 HOUR" in mailbox.of_task("auto_close_jobs")[0].text


def test_d14_people_in_charge_by_site_and_by_site_group_and_the_admins_are_told(acme, mailbox):
    site, other = acme.site("1"), acme.site("12")
    by_site = acme.in_charge(site)
    group = acme.group(site)
    by_group = acme.person("area", other, role="SITEINCHARGE", people_extras={"assignsitegroup": [str(group.pk)]})
    admin = acme.person("admin", isadmin=True)
    alerted = acme.person("alerted", people_extras={"alertmails": True})
    acme.in_charge(other)
    acme.person("unverified", site, role="SITEINCHARGE", isverified=False)
    acme.person("guard", site)
    acme.work(site, notify="AUTOCLOSENOTIFY")

    result = run(auto_close_jobs)

    assert result["mails_sent"] == 1
    assert set(mailbox.received[0].recipients) == {by_site.email, by_group.email, admin.email, alerted.email}


def test_a_group_of_people_puts_nobody_in_charge_of_a_site(acme, mailbox):
    site, other = acme.site("1"), acme.site("12")
    group = acme.group(site)
    group.identifier = acme.word("PEOPLEGROUP")
    group.save()
    acme.person("area", other, role="SITEINCHARGE", people_extras={"assignsitegroup": [str(group.pk)]})
    acme.work(site, notify="AUTOCLOSENOTIFY")

    assert run(auto_close_jobs)["mails_sent"] == 0


def test_d2_a_mail_server_that_is_down_delays_the_notice_and_loses_nothing(acme, site, no_mail_server, request):
    work = acme.work(site, notify="RAISETICKETNOTIFY")

    with pytest.raises(Transient, match="autoclose-mail"):
        run(auto_close_jobs)

    assert statuses(work) == ["AUTOCLOSED"]
    assert TaskEffect.objects.get(key=f"autoclose-mail:{work.pk}").status == "pending"
    mailbox = request.getfixturevalue("mailbox")
    later = run(auto_close_jobs)
    assert (later["due"], later["mails_sent"]) == (0, 1)
    assert len(mailbox.received) == 1


def test_a_mail_server_that_stops_between_two_messages_gets_the_rest_when_it_is_back(
    acme, site, no_mail_server, monkeypatch
):
    before, after = SinkController(Sink()), SinkController(Sink())
    works = [acme.work(site, notify="AUTOCLOSENOTIFY") for _ in range(3)]
    deliver = mail.deliver

    def and_then_it_stops(message, message_id):
        report = deliver(message, message_id)
        before.stop()
        return report

    before.start()
    no_mail_server(before.port)
    with monkeypatch.context() as patched:
        patched.setattr(mail, "deliver", and_then_it_stops)
        with pytest.raises(Transient):
            run(auto_close_jobs)
    after.start()
    try:
        no_mail_server(after.port)
        result = run(auto_close_jobs, attempt=2)
    finally:
        after.stop()

    assert statuses(*works) == ["AUTOCLOSED"] * 3
    assert result["mails_sent"] == 2
    told = [each.effect for controller in (before, after) for each in controller.handler.received]
    assert (len(before.handler.received), sorted(told)) == (1, sorted(f"autoclose-mail:{work.pk}" for work in works))


def test_one_message_that_the_server_will_not_take_now_does_not_hold_back_the_others(acme, mailbox):
    refused, taken = acme.site("3"), acme.site("4")
    mailbox.on_recipient[acme.in_charge(refused).email] = "450 busy"
    acme.in_charge(taken)
    acme.work(refused, notify="AUTOCLOSENOTIFY", expirydatetime=NOON - timedelta(hours=2))
    acme.work(taken, notify="AUTOCLOSENOTIFY")

    with pytest.raises(Transient, match="450 busy"):
        run(auto_close_jobs)

    assert len(mailbox.received) == 1


def test_a_mail_refused_for_good_is_given_up_with_a_warning(acme, site, mailbox):
    mailbox.on_recipient = dict.fromkeys(emails_of(acme), "550 no such user")
    work = acme.work(site, notify="AUTOCLOSENOTIFY")

    result = run(auto_close_jobs)

    assert result["mails_sent"] == 0
    assert any("550 no such user" in warning for warning in result["warnings"])
    assert TaskEffect.objects.get(key=f"autoclose-mail:{work.pk}").status == "done"


def test_a_notice_that_nobody_can_get_is_skipped_with_a_warning(acme, mailbox):
    site = acme.site("1")
    work = acme.work(site, notify="AUTOCLOSENOTIFY")

    result = run(auto_close_jobs)

    assert (result["autoclosed"], result["mails_sent"]) == (1, 0)
    assert f"autoclose-mail:{work.pk}: no_recipients" in result["warnings"]
    assert run(auto_close_jobs)["warnings"] == []


def test_dying_between_sending_and_marking_repeats_the_mail_under_the_same_id(acme, site, mailbox):
    work = acme.work(site, notify="AUTOCLOSENOTIFY")
    run(auto_close_jobs)
    TaskEffect.objects.filter(key=f"autoclose-mail:{work.pk}").update(
        status="reserved", done_at=None, lease_until=START - timedelta(days=1)
    )

    again = run(auto_close_jobs)

    assert again["mails_sent"] == 1
    assert len(mailbox.received) == 2
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 1


def test_a_mail_that_another_job_is_sending_is_left_to_it(acme, site, mailbox):
    work = acme.work(site, notify="AUTOCLOSENOTIFY")
    run(auto_close_jobs)
    TaskEffect.objects.filter(key=f"autoclose-mail:{work.pk}").update(
        status="reserved", done_at=None, lease_until=START + timedelta(days=36_500)
    )

    assert run(auto_close_jobs)["mails_sent"] == 0
    assert len(mailbox.received) == 1


def test_mails_left_by_earlier_runs_may_use_only_the_first_quarter_of_the_time(acme, site, monkeypatch):
    asked = []
    monkeypatch.setattr(Outbox, "send", lambda self, *, time_is_up: asked.append(time_is_up()))

    run(auto_close_jobs, used_up=0.3)

    assert asked == [True, False]


def test_a_promise_about_a_notice_is_never_kept_before_the_commit(acme, site, mailbox):
    """The mail leaves outside every transaction, so a rollback can never unsay it (D2)."""
    acme.work(site, notify="AUTOCLOSENOTIFY")

    with transaction.atomic(), pytest.raises(Exception, match="inside a transaction"):
        run(auto_close_jobs)

    assert mailbox.received == []
