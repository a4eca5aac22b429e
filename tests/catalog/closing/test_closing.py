"""auto_close_jobs on a real database: what is closed, as what, and whose."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from task_catalog.facility.models import Jobneed, Ticket
from task_catalog.high_priority.closing import auto_close_jobs
from task_catalog.rules import closing as rules
from tests.catalog.closing.world import NONE, NOON, START, run, statuses, tour_of
from youtility_tasks import BadInput, effects, tenant
from youtility_tasks.testing import enqueued

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


def test_the_none_row_is_never_closed(acme, site):
    Jobneed.objects.filter(pk=NONE).update(
        client_id=acme.id, identifier="TASK", jobstatus="ASSIGNED", expirydatetime=NOON - timedelta(hours=1)
    )

    assert run(auto_close_jobs)["due"] == 0


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


@pytest.mark.parametrize("bu_id", [None, NONE])
def test_work_without_a_site_is_closed_without_a_ticket_and_those_who_can_be_told_are(acme, site, mailbox, bu_id):
    """No ticket can be numbered without a site; the row stayed due, and failed every half hour."""
    lost, other = acme.work(site, notify="RAISETICKETNOTIFY"), acme.work(site, notify="RAISETICKETNOTIFY")
    Jobneed.objects.filter(pk=lost.pk).update(bu_id=bu_id)

    result = run(auto_close_jobs)

    assert statuses(lost, other) == ["AUTOCLOSED"] * 2
    assert (result["tickets_created"], result["mails_sent"]) == (1, 2)
    assert f"occurrence {lost.pk} has no site; it was closed without a ticket" in result["warnings"]
    info = Jobneed.objects.get(pk=lost.pk).other_info
    assert (info["email_sent"], info["ticket_generated"]) == (True, False)
    assert run(auto_close_jobs)["due"] == 0


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


def test_effects_of_a_closing_are_known_by_the_catalogues_keys(acme, site, mailbox):
    work = acme.work(site, notify="RAISETICKETNOTIFY")

    run(auto_close_jobs)

    with tenant(acme.id):
        for key in ("autoclose", "autoclose-ticket", "autoclose-mail"):
            assert effects.is_done(f"{key}:{work.pk}")
