"""auto_close_jobs on a real database and a real mail server."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from task_catalog.facility.models import Jobneed, People, Ticket
from task_catalog.high_priority import closing
from task_catalog.high_priority.closing import auto_close_jobs
from task_catalog.outbox import Outbox
from task_catalog.rules import closing as rules
from task_catalog.sweeps import RowsFailed
from tests.catalog.closing.world import NONE, START, Company, run
from youtility_tasks import BadInput, TaskContext, Transient, effects, errors, tenant
from youtility_tasks.models import TaskEffect
from youtility_tasks.testing import assert_enqueued, enqueued, run_jobs

NOON = START.replace(hour=12)
KEYS = {
    "status",
    "warnings",
    "due",
    "autoclosed",
    "partially_completed",
    "tickets_created",
    "mails_sent",
    "children_closed",
    "ids",
    "failed",
}


@pytest.fixture
def site(acme):
    site = acme.site("1")
    acme.in_charge(site)
    acme.person("admin", isadmin=True)
    return site


def tour_of(acme: Company, site, status: str, stops: list[str], **columns):
    tour = acme.work(site, identifier="INTERNALTOUR", jobstatus=status, **columns)
    return tour, [acme.stop(tour, each) for each in stops]


def emails_of(company: Company) -> list[str]:
    return list(People.objects.filter(client_id=company.id).values_list("email", flat=True))


def statuses(*rows: Jobneed) -> list[str]:
    return [Jobneed.objects.get(pk=row.pk).jobstatus for row in rows]


def test_missed_work_is_closed_by_its_category_and_those_in_charge_hear_of_it(acme, site, mailbox):
    silent = acme.work(site, notify="AUTOCLOSED")
    told = acme.work(site, notify="AUTOCLOSENOTIFY", jobstatus="INPROGRESS")
    ticketed = acme.work(site, notify="RAISETICKETNOTIFY")
    done = acme.work(site, notify="RAISETICKETNOTIFY", jobstatus="COMPLETED")

    result = run(auto_close_jobs)

    assert result.keys() == KEYS
    assert result == {
        **result,
        "status": "ok",
        "due": 3,
        "autoclosed": 3,
        "partially_completed": 0,
        "tickets_created": 1,
        "mails_sent": 2,
        "children_closed": 0,
        "failed": [],
    }
    assert sorted(result["ids"]) == [silent.pk, told.pk, ticketed.pk]
    assert statuses(silent, told, ticketed, done) == ["AUTOCLOSED"] * 3 + ["COMPLETED"]
    flags = [Jobneed.objects.get(pk=row.pk).other_info for row in (silent, told, ticketed)]
    assert [(f["autoclosed_by_server"], f["email_sent"], f["ticket_generated"]) for f in flags] == [
        (True, False, False),
        (True, True, False),
        (True, True, True),
    ]
    assert {row.mdtz for row in Jobneed.objects.filter(jobstatus="AUTOCLOSED")} == {NOON}
    assert [len(each.recipients) for each in mailbox.of_task("auto_close_jobs")] == [2, 2]


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


def test_d12_a_raised_ticket_has_its_creator_its_offset_and_what_the_work_knew(acme, site, mailbox):
    planner = acme.person("planner", site)
    guard = acme.person("guard", site)
    work = acme.work(site, notify="RAISETICKETNOTIFY", people=guard, priority="HIGH", cuser=planner, muser=planner)

    run(auto_close_jobs)

    ticket = Ticket.objects.get(client_id=acme.id)
    assert (ticket.ctzoffset, ticket.cuser_id, ticket.muser_id) == (330, planner.pk, planner.pk)
    assert (ticket.status, ticket.ticketsource, ticket.level) == ("NEW", "SYSTEMGENERATED", 0)
    assert (ticket.priority, ticket.assignedtopeople_id, ticket.bu_id) == ("HIGH", guard.pk, site.pk)
    assert ticket.ticketcategory_id == work.ticketcategory_id
    assert ticket.cdtz == NOON
    (item,) = ticket.ticketlog["ticket_history"]
    assert (item["action"], item["people_id"], item["who"]) == ("created", planner.pk, planner.peoplename)
    assert item["assignto"] == guard.peoplename


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


def test_a_second_run_finds_nothing_to_do(acme, site, mailbox):
    acme.work(site, notify="RAISETICKETNOTIFY")
    run(auto_close_jobs)

    again = run(auto_close_jobs)

    assert (again["due"], again["mails_sent"], again["tickets_created"], again["ids"]) == (0, 0, 0, [])
    assert len(mailbox.received) == 1
    assert Ticket.objects.filter(client_id=acme.id).count() == 1


def test_work_that_somebody_opened_again_is_closed_again_and_nobody_is_told_twice(acme, site, mailbox):
    work = acme.work(site, notify="RAISETICKETNOTIFY")
    run(auto_close_jobs)
    Jobneed.objects.filter(pk=work.pk).update(jobstatus="INPROGRESS", other_info={})

    again = run(auto_close_jobs)

    assert (again["autoclosed"], again["mails_sent"], again["tickets_created"]) == (1, 0, 0)
    assert any("open again" in warning for warning in again["warnings"])
    assert Ticket.objects.filter(client_id=acme.id).count() == 1
    assert len(enqueued("send_ticket_email")) == 1


@pytest.mark.parametrize(
    ("status", "stops", "becomes", "closed"),
    [
        ("INPROGRESS", ["COMPLETED", "ASSIGNED", "INPROGRESS"], "PARTIALLYCOMPLETED", 1),
        ("INPROGRESS", ["COMPLETED", "COMPLETED"], "AUTOCLOSED", 0),
        ("INPROGRESS", ["ASSIGNED", "ASSIGNED"], "AUTOCLOSED", 2),
        ("ASSIGNED", ["COMPLETED", "ASSIGNED"], "AUTOCLOSED", 1),
        ("AUTOCLOSED", ["ASSIGNED"], "AUTOCLOSED", 1),
    ],
)
def test_a_tour_is_closed_with_its_untouched_stops(acme, site, status, stops, becomes, closed):
    tour, children = tour_of(acme, site, status, stops, other_info={"distance": 5})

    result = run(auto_close_jobs)

    partly = becomes == "PARTIALLYCOMPLETED"
    assert statuses(tour) == [becomes]
    assert (result["partially_completed"], result["autoclosed"]) == (int(partly), int(not partly))
    assert result["children_closed"] == closed
    assert statuses(*children) == ["AUTOCLOSED" if each == "ASSIGNED" else each for each in stops]
    info = Jobneed.objects.get(pk=tour.pk).other_info
    assert info["distance"] == 5
    assert info["autoclosed_by_server"]
    for child in Jobneed.objects.filter(parent=tour, jobstatus="AUTOCLOSED"):
        assert child.other_info["autoclosed_by_server"]


def test_the_query_finds_exactly_what_the_rule_calls_due(acme, site):
    """Every combination of kind, status, expiry and flags, held against rules.is_due."""
    lookback = timedelta(days=30)
    expiries = [NOON, NOON + timedelta(minutes=1), NOON - lookback, NOON - lookback - timedelta(minutes=1), None]
    infos = [
        {},
        {"isdynamic": True},
        {"isdynamic": "True"},
        {"isdynamic": False, "email_sent": "False"},
        {"autoclosed_by_server": True},
        {"email_sent": "true"},
        {"ticket_generated": True},
        {"email_sent": None},
    ]
    kinds = [*rules.CLOSABLE, "GEOFENCE", "ASSETLOG"]
    states = ["ASSIGNED", "INPROGRESS", "COMPLETED", "PARTIALLYCOMPLETED", "AUTOCLOSED"]
    rows = []
    root = acme.work(site, identifier="OTHER")
    for expires_at, info, kind, status, parent in itertools.product(expiries, infos, kinds, states, [None, 1, root.pk]):
        rows.append(
            Jobneed(
                jobdesc="x",
                identifier=kind,
                jobstatus=status,
                expirydatetime=expires_at,
                other_info=info,
                parent_id=parent,
                client_id=acme.id,
                bu=site,
                **acme.stamps(),
            )
        )
    Jobneed.objects.bulk_create(rows)

    found = run(auto_close_jobs, used_up=0.0)

    expected = {
        row.pk
        for row in rows
        if rules.is_due(
            rules.Work(
                is_root=row.parent_id in (None, 1),
                identifier=row.identifier,
                status=row.jobstatus,
                expires_at=row.expirydatetime,
                other_info=row.other_info,
            ),
            now=NOON,
            lookback=lookback,
        )
    }
    assert set(found["ids"]) == expected
    assert found["due"] == len(expected) > 200


def test_d11_an_outage_longer_than_a_day_leaves_nothing_open(acme, site, clock_at):
    work = acme.work(site)
    clock_at(START + timedelta(days=20))

    assert run(auto_close_jobs)["ids"] == [work.pk]


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


def test_the_none_row_is_never_closed(acme, site):
    Jobneed.objects.filter(pk=NONE).update(
        client_id=acme.id, identifier="TASK", jobstatus="ASSIGNED", expirydatetime=NOON - timedelta(hours=1)
    )

    assert run(auto_close_jobs)["due"] == 0


def test_d14_one_poisoned_row_does_not_stop_the_others_and_the_task_says_so(acme, site, mailbox):
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE jobneed ADD CONSTRAINT poisoned CHECK (jobdesc <> 'poison' OR jobstatus <> 'AUTOCLOSED')"
        )
    try:
        before = acme.work(site, notify="AUTOCLOSENOTIFY", expirydatetime=NOON - timedelta(hours=3))
        poison = acme.work(site, notify="RAISETICKETNOTIFY", jobdesc="poison", expirydatetime=NOON - timedelta(hours=2))
        after = acme.work(site, notify="AUTOCLOSENOTIFY")

        with pytest.raises(RowsFailed, match=f"1 failed, everything else is done: {poison.pk}"):
            run(auto_close_jobs)

        assert statuses(before, poison, after) == ["AUTOCLOSED", "ASSIGNED", "AUTOCLOSED"]
        assert Ticket.objects.filter(client_id=acme.id).count() == 0
        assert not TaskEffect.objects.filter(key__endswith=f":{poison.pk}").exists()
        assert enqueued("send_ticket_email") == []
        assert len(mailbox.received) == 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE jobneed DROP CONSTRAINT poisoned")


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


def test_two_clients_with_the_same_codes_hear_only_of_their_own_work(acme, globex, mailbox):
    bosses = {}
    for company in (acme, globex):
        for code in ("1", "12"):
            site = company.site(code)
            bosses[site.buname] = company.in_charge(site).email
            company.work(site, notify="RAISETICKETNOTIFY")
        company.person("admin", isadmin=True, people_extras={"assignsitegroup": ["1", "12"]})

    result = run(auto_close_jobs)

    assert (result["autoclosed"], result["tickets_created"], result["mails_sent"]) == (4, 4, 4)
    assert result["warnings"] == []
    for got in mailbox.of_task("auto_close_jobs"):
        site_name = got.message["Subject"].strip().rpartition(", ")[2]
        domain = site_name.split()[0] + ".example"
        assert bosses[site_name] in got.recipients
        assert {address.partition("@")[2] for address in got.recipients} == {domain}
        assert len(got.recipients) == 2
    numbers = Ticket.objects.exclude(pk=1).order_by("ticketno").values_list("ticketno", flat=True)
    assert list(numbers) == ["ACME-1#1", "ACME-12#1", "GLOBEX-1#1", "GLOBEX-12#1"]


def test_inside_one_client_only_its_work_is_closed(acme, globex):
    mine, theirs = acme.work(acme.site("1")), globex.work(globex.site("1"))

    with tenant(acme.id):
        assert run(auto_close_jobs)["ids"] == [mine.pk]

    assert statuses(theirs) == ["ASSIGNED"]


def test_one_occurrence_can_be_closed_by_its_id(acme, site):
    wanted, other = acme.work(site), acme.work(site)

    result = run(auto_close_jobs, jobneedid=wanted.pk)

    assert (result["status"], result["ids"]) == ("ok", [wanted.pk])
    assert statuses(other) == ["ASSIGNED"]


def test_an_occurrence_that_is_not_due_is_skipped(acme, site):
    work = acme.work(site, expirydatetime=NOON + timedelta(hours=1))

    result = run(auto_close_jobs, jobneedid=work.pk)

    assert (result["status"], result["due"]) == ("skipped", 0)
    assert statuses(work) == ["ASSIGNED"]


@pytest.mark.parametrize("jobneedid", [999_999, 1, 0, -5, True, "7"])
def test_an_unknown_or_senseless_id_is_bad_input(acme, jobneedid):
    with pytest.raises(BadInput, match=r"jobneedid|no occurrence"):
        run(auto_close_jobs, jobneedid=jobneedid)


def test_another_clients_occurrence_is_unknown(acme, globex):
    theirs = globex.work(globex.site("1"))

    with tenant(acme.id), pytest.raises(BadInput, match=f"no occurrence {theirs.pk}"):
        run(auto_close_jobs, jobneedid=theirs.pk)

    assert statuses(theirs) == ["ASSIGNED"]


@pytest.mark.parametrize("notify", [None, "NONE"])
def test_work_without_a_category_is_closed_without_a_notice_and_with_a_warning(acme, site, mailbox, notify):
    work = acme.work(site, notify=None, ticketcategory_id=None if notify is None else 1)

    result = run(auto_close_jobs)

    assert statuses(work) == ["AUTOCLOSED"]
    assert any(f"occurrence {work.pk} has no notify category" in warning for warning in result["warnings"])
    assert mailbox.received == []


def test_a_result_tells_of_so_many_warnings_only(acme, site, monkeypatch):
    monkeypatch.setattr("task_catalog.sweeps.MOST_WARNINGS", 2)
    for _ in range(5):
        acme.work(site, notify=None)

    warnings = run(auto_close_jobs)["warnings"]

    assert (len(warnings), warnings[-1]) == (3, "and 3 more warnings")


def test_d12_an_unknown_offset_falls_back_to_that_of_most_plans_of_the_site(acme, site, mailbox):
    acme.plan(site, identifier="TASK")
    acme.work(site, notify="AUTOCLOSENOTIFY", ctzoffset=-1)

    result = run(auto_close_jobs)

    assert "planned 03-Mar-2025 15:30" in mailbox.received[0].message["Subject"]
    assert any(f"site {site.pk}" in warning and "330" in warning for warning in result["warnings"])


def test_a_row_that_somebody_holds_is_left_to_the_next_run(acme, site):
    held, free = acme.work(site), acme.work(site)
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Jobneed.objects.select_for_update().get(pk=held.pk)
                locked.set()
                release.wait(20)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(20)
        result = run(auto_close_jobs)
    finally:
        release.set()
        holder.join()

    assert result["ids"] == [free.pk]
    assert run(auto_close_jobs)["ids"] == [held.pk]


def test_the_due_test_is_repeated_under_the_lock(acme, site, monkeypatch):
    work = acme.work(site)
    mine = closing._mine

    def finished_meanwhile(client_id):
        found = mine(client_id)
        if connection.in_atomic_block:
            Jobneed.objects.filter(pk=work.pk).update(jobstatus="COMPLETED")
        return found

    monkeypatch.setattr(closing, "_mine", finished_meanwhile)

    result = run(auto_close_jobs)

    assert (result["due"], result["autoclosed"]) == (1, 0)
    assert statuses(work) == ["COMPLETED"]


def test_a_run_that_is_out_of_time_leaves_the_rest_to_a_job_it_enqueues(acme, site):
    work = acme.work(site)

    result = run(auto_close_jobs, used_up=0.85)

    assert (result["status"], result["ids"]) == ("partial", [])
    assert_enqueued("auto_close_jobs")
    run_jobs("high_priority")
    assert statuses(work) == ["AUTOCLOSED"]


def test_a_run_that_somebody_ended_is_not_continued_by_another_job(acme, site):
    work = acme.work(site)
    context = TaskContext.for_tests(auto_close_jobs)
    context.abort.set()

    result = auto_close_jobs.func(context)

    assert (result["status"], statuses(work)) == ("partial", ["ASSIGNED"])
    assert enqueued("auto_close_jobs") == []


def test_the_end_of_the_time_limit_is_not_taken_for_a_failing_row(acme, site, monkeypatch):
    acme.work(site)

    def out_of_time(*args, **kwargs):
        raise errors.SoftTimeLimit("the time limit has passed")

    monkeypatch.setattr(closing, "create_ticket", out_of_time)
    acme.work(site, notify="RAISETICKETNOTIFY")

    with pytest.raises(errors.SoftTimeLimit):
        run(auto_close_jobs)


def test_mails_left_by_earlier_runs_may_use_only_the_first_quarter_of_the_time(acme, site, monkeypatch):
    asked = []
    monkeypatch.setattr(Outbox, "send", lambda self, *, time_is_up: asked.append(time_is_up()))

    run(auto_close_jobs, used_up=0.3)

    assert asked == [True, False]


def test_the_oldest_expiry_goes_first_and_pages_leave_nothing_out(acme, site, monkeypatch):
    monkeypatch.setattr(closing, "PAGE", 2)
    monkeypatch.setattr("task_catalog.sweeps.PAGE", 2)
    works = [acme.work(site, expirydatetime=NOON - timedelta(minutes=m)) for m in (1, 5, 5, 3, 9)]

    result = run(auto_close_jobs)

    by_age = sorted(works, key=lambda work: (work.expirydatetime, work.pk))
    assert result["ids"] == [work.pk for work in by_age]


def test_a_promise_about_a_notice_is_never_kept_before_the_commit(acme, site, mailbox):
    """The mail leaves outside every transaction, so a rollback can never unsay it (D2)."""
    acme.work(site, notify="AUTOCLOSENOTIFY")

    with transaction.atomic(), pytest.raises(Exception, match="inside a transaction"):
        run(auto_close_jobs)

    assert mailbox.received == []


def test_effects_of_a_closing_are_known_by_the_catalogues_keys(acme, site, mailbox):
    work = acme.work(site, notify="RAISETICKETNOTIFY")

    run(auto_close_jobs)

    with tenant(acme.id):
        for key in ("autoclose", "autoclose-ticket", "autoclose-mail"):
            assert effects.is_done(f"{key}:{work.pk}")
