"""ticket_escalation on a real database."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.db import connection

from task_catalog.escalation import Matrix
from task_catalog.facility.models import EscalationMatrix, Ticket, TypeAssist
from task_catalog.high_priority import tickets as escalation
from task_catalog.high_priority.tickets import due_tickets, ticket_escalation
from task_catalog.rules import tickets as rules
from task_catalog.sweeps import RowsFailed
from tests.catalog.closing.world import NONE, START, run
from youtility_tasks import effects, tenant
from youtility_tasks.testing import assert_enqueued, enqueued, run_jobs

NOON = START.replace(hour=12)
KEYS = {"status", "warnings", "due", "escalated", "by_level", "ids", "bad_rows"}


@pytest.fixture
def site(acme):
    return acme.site("1")


@pytest.fixture
def general(acme):
    """A category whose tickets reach level 1 after an hour and level 2 after three, at every site."""
    category = acme.word("TC_GEN", "TICKETCATEGORY")
    acme.step(category, 1, 60, "MINUTE")
    acme.step(category, 2, 3, "HOUR")
    return category


def now_of(ticket: Ticket) -> Ticket:
    return Ticket.objects.get(pk=ticket.pk)


def test_a_ticket_that_nobody_solved_climbs_one_level_a_run(acme, site, general):
    ticket = acme.ticket(site, category_id=general.pk)

    first, second, third = run(ticket_escalation), run(ticket_escalation), run(ticket_escalation)

    assert first.keys() == KEYS
    assert (first["due"], first["escalated"], first["by_level"], first["ids"]) == (1, 1, {"1": 1}, [ticket.pk])
    assert (second["escalated"], second["by_level"]) == (1, {"2": 1})
    assert (third["due"], third["escalated"], third["by_level"], third["ids"]) == (0, 0, {}, [])
    assert now_of(ticket).level == 2


def test_an_escalation_is_stamped_with_the_moment_it_fell_due_and_written_into_the_history(acme, site, general):
    ticket = acme.ticket(site, category_id=general.pk)

    run(ticket_escalation)

    lifted = now_of(ticket)
    assert (lifted.level, lifted.isescalated) == (1, True)
    assert lifted.mdtz == lifted.modifieddatetime == START + timedelta(hours=1)
    created, item = lifted.ticketlog["ticket_history"]
    assert created["action"] == "created"
    assert (item["action"], item["details"]) == ("escalated", ["escalated from 0 to 1"])
    assert (item["people_id"], item["who"]) == (NONE, "System")
    assert (item["previous_state"]["level"], item["previous_state"]["isescalated"]) == (0, False)
    assert item.keys() == {"people_id", "when", "who", "assignto", "action", "details", "previous_state"}


def test_the_mail_about_an_escalation_is_enqueued_with_it(acme, site, general):
    ticket = acme.ticket(site, category_id=general.pk)

    run(ticket_escalation)
    run(ticket_escalation)

    assert [job.args for job in enqueued("send_ticket_email")] == [
        {"id": ticket.pk, "event": "escalated", "level": 1},
        {"id": ticket.pk, "event": "escalated", "level": 2},
    ]
    assert assert_enqueued("send_ticket_email", level=1).tenant_id == acme.id


def test_a_ticket_climbs_only_after_its_moment(acme, site, general, clock_at):
    ticket = acme.ticket(site, at=NOON, category_id=general.pk)
    clock_at(NOON + timedelta(hours=1))
    assert run(ticket_escalation)["due"] == 0

    clock_at(NOON + timedelta(hours=1, seconds=1))
    assert run(ticket_escalation)["ids"] == [ticket.pk]


@pytest.mark.parametrize("status", ["RESOLVED", "CLOSED", "CANCELLED"])
def test_d17_tickets_that_have_ended_do_not_climb(acme, site, general, status):
    ticket = acme.ticket(site, category_id=general.pk, status=status)

    assert run(ticket_escalation)["due"] == 0
    assert now_of(ticket).level == 0


def test_d18_several_fitting_rows_make_one_escalation_of_the_sites_own_row(acme, globex, site):
    category = acme.word("TC_GEN", "TICKETCATEGORY")
    nobody, wanted = acme.person("wide", site), acme.person("own", site)
    acme.step(category, 1, 5, "MINUTE", assignedperson=nobody)
    acme.step(category, 1, 6, "MINUTE", bu=site, assignedperson=wanted)
    acme.step(category, 1, 7, "MINUTE", bu=site, assignedperson=nobody)
    EscalationMatrix.objects.create(
        escalationtemplate=category,
        level=1,
        frequency="MINUTE",
        frequencyvalue=1,
        client_id=globex.id,
        bu=site,
        **acme.stamps(),
    )
    ticket = acme.ticket(site, category_id=category.pk)

    result = run(ticket_escalation)

    assert result["escalated"] == 1
    assert now_of(ticket).assignedtopeople_id == wanted.pk
    assert now_of(ticket).mdtz == START + timedelta(minutes=6)
    assert len(enqueued("send_ticket_email")) == 1


def test_d19_a_ticket_is_found_once_however_many_people_there_are(acme, site, general):
    for _ in range(5):
        acme.person("guard", site)
    ticket = acme.ticket(site, category_id=general.pk, creator_id=acme.person("author", site).pk)

    assert run(ticket_escalation)["ids"] == [ticket.pk]


def test_rows_of_another_client_or_another_site_do_not_lift_a_ticket(acme, globex, site):
    category = acme.word("TC_GEN", "TICKETCATEGORY")
    globex.step(category, 1, 1, "MINUTE", bu=site)
    globex.step(category, 1, 1, "MINUTE", bu_id=NONE)
    acme.step(category, 1, 1, "MINUTE", bu=acme.site("12"))
    ticket = acme.ticket(site, category_id=category.pk)

    assert run(ticket_escalation)["due"] == 0
    assert now_of(ticket).level == 0


def test_the_sites_own_row_counts_even_while_only_the_clients_row_is_due(acme, site):
    category = acme.word("TC_GEN", "TICKETCATEGORY")
    acme.step(category, 1, 1, "MINUTE")
    acme.step(category, 1, 2, "DAY", bu=site)
    acme.ticket(site, category_id=category.pk)

    assert run(ticket_escalation)["due"] == 0


def test_a_ticket_without_a_category_never_climbs(acme, site):
    nothing = TypeAssist.objects.get(pk=NONE)
    acme.step(nothing, 1, 1, "MINUTE")
    acme.ticket(site)

    assert run(ticket_escalation)["due"] == 0


def test_a_flawed_reminder_rule_is_not_the_matrixs_business(acme, site, general):
    acme.step(general, 1, 1, "FORTNIGHT", job=acme.plan(site))

    assert run(ticket_escalation)["bad_rows"] == []


def test_flawed_rows_of_another_client_are_not_this_ones_business(acme, globex, site, general):
    globex.step(general, 1, 1, "FORTNIGHT")

    with tenant(acme.id):
        assert run(ticket_escalation)["bad_rows"] == []


def test_a_reminder_rule_of_a_plan_is_no_step_of_the_matrix(acme, site):
    category = acme.word("JOB", "ESCALATIONTEMPLATE")
    acme.step(category, 1, 1, "MINUTE", job=acme.plan(site))
    acme.ticket(site, category_id=category.pk)

    assert run(ticket_escalation)["due"] == 0


@pytest.mark.parametrize(("person", "group"), [(True, False), (False, True), (True, True), (False, False)])
def test_the_assignee_is_the_rows_and_stays_when_it_names_nobody(acme, site, person, group):
    category = acme.word("TC_GEN", "TICKETCATEGORY")
    before, boss, team = acme.person("before", site), acme.person("boss", site), acme.group()
    names = {"assignedperson": boss} if person else {}
    names |= {"assignedgroup": team} if group else {}
    acme.step(category, 1, 1, "MINUTE", **names)
    ticket = acme.ticket(site, category_id=category.pk, person_id=before.pk)

    run(ticket_escalation)

    lifted = now_of(ticket)
    if person or group:
        assert lifted.assignedtopeople_id == (boss.pk if person else NONE)
        assert lifted.assignedtogroup_id == (team.pk if group else NONE)
    else:
        assert lifted.assignedtopeople_id == before.pk
    assigned = [boss.peoplename] if person else [team.groupname] if group else [before.peoplename]
    assert [lifted.ticketlog["ticket_history"][-1]["assignto"]] == assigned


def test_d20_a_row_with_an_unknown_unit_or_no_value_is_named_and_the_others_go_on(acme, site, general):
    unknown = acme.step(general, 1, 1, "FORTNIGHT", bu=site)
    empty = acme.step(general, 1, None, "HOUR", bu=site)
    ticket = acme.ticket(site, category_id=general.pk)

    result = run(ticket_escalation)

    assert result["bad_rows"] == [unknown.pk, empty.pk]
    assert [
        f"escalation row {row.pk}" in warning for row, warning in zip((unknown, empty), result["warnings"], strict=True)
    ] == [
        True,
        True,
    ]
    assert result["ids"] == [ticket.pk]


def test_a_step_beyond_the_calendar_breaks_nothing(acme, site):
    category = acme.word("TC_GEN", "TICKETCATEGORY")
    acme.step(category, 1, 2_147_483_647, "WEEK")
    acme.ticket(site, category_id=category.pk)

    assert run(ticket_escalation)["due"] == 0


def test_the_query_finds_exactly_what_the_rules_say(acme, globex, site):
    """Tickets and rows of every shape: the query of the sweep against step_for and climbs_at."""
    other = acme.site("12")
    categories = [acme.word("TC_A", "TICKETCATEGORY"), acme.word("TC_B", "TICKETCATEGORY")]
    shapes = itertools.product(
        [acme.client, None, site, other],
        [1, 2],
        [("MINUTE", 60), ("HOUR", 9), ("DAY", 1), ("YEAR", 1), ("HOUR", None), ("WEEK", 0), ("WEEK", 2_147_483_647)],
    )
    for number, (bu, level, (frequency, value)) in enumerate(shapes):
        acme.step(categories[number % 2], level, value, frequency, bu=bu)
    globex.step(categories[0], 1, 1, "MINUTE", bu=site)
    tickets = [
        acme.ticket(where, at=made, category_id=category, status=status, level=level)
        for where, made, category, status, level in itertools.product(
            [site, other],
            [START, NOON - timedelta(hours=1), NOON - timedelta(minutes=59), NOON - timedelta(hours=9, seconds=1)],
            [categories[0].pk, categories[1].pk, None],
            ["NEW", "CLOSED"],
            [0, 1, 2],
        )
    ]

    with tenant(acme.id):
        matrix = Matrix(acme.id)
        found = set(due_tickets(acme.id, NOON).values_list("pk", flat=True))

    expected = {
        ticket.pk
        for ticket in tickets
        if rules.climbs_at(ticket.status, ticket.cdtz, matrix.step(ticket, ticket.level + 1), now=NOON)
    }
    assert found == expected
    assert 10 < len(expected) < len(tickets)


def test_one_ticket_that_cannot_be_lifted_does_not_stop_the_others(acme, site, general):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ticket ADD CONSTRAINT poisoned CHECK (ticketdesc <> 'poison' OR level = 0)")
    try:
        first = acme.ticket(site, category_id=general.pk)
        poison = acme.ticket(site, category_id=general.pk, description="poison")
        last = acme.ticket(site, category_id=general.pk)

        with pytest.raises(RowsFailed, match=f"1 failed, everything else is done: {poison.pk}"):
            run(ticket_escalation)

        assert [now_of(each).level for each in (first, poison, last)] == [1, 0, 1]
        assert [job.args["id"] for job in enqueued("send_ticket_email")] == [first.pk, last.pk]
        with tenant(acme.id):
            assert not effects.is_done(f"escalate:{poison.pk}:1")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE ticket DROP CONSTRAINT poisoned")


def test_a_ticket_solved_meanwhile_does_not_climb(acme, site, general, monkeypatch):
    ticket = acme.ticket(site, category_id=general.pk)
    page = escalation._page

    def solved_after_the_query(*args):
        found = page(*args)
        Ticket.objects.filter(pk=ticket.pk).update(status="RESOLVED")
        return found

    monkeypatch.setattr(escalation, "_page", solved_after_the_query)

    result = run(ticket_escalation)

    assert (result["due"], result["escalated"]) == (1, 0)
    assert now_of(ticket).level == 0
    assert enqueued("send_ticket_email") == []


def test_a_level_that_was_reached_once_is_not_reached_again(acme, site, general):
    ticket = acme.ticket(site, category_id=general.pk)
    run(ticket_escalation)
    Ticket.objects.filter(pk=ticket.pk).update(level=0)

    assert run(ticket_escalation)["escalated"] == 0
    assert len(enqueued("send_ticket_email")) == 1


def test_two_clients_climb_by_their_own_matrix(acme, globex):
    mine = acme.ticket(acme.site("1"), category_id=acme.word("TC_GEN", "TICKETCATEGORY").pk)
    theirs_category = globex.word("TC_GEN", "TICKETCATEGORY")
    globex.step(theirs_category, 1, 1, "HOUR")
    theirs = globex.ticket(globex.site("1"), category_id=theirs_category.pk)

    with tenant(acme.id):
        assert run(ticket_escalation)["ids"] == []
    assert run(ticket_escalation)["ids"] == [theirs.pk]

    assert now_of(mine).level == 0
    assert assert_enqueued("send_ticket_email", id=theirs.pk).tenant_id == globex.id


def test_a_run_that_is_out_of_time_leaves_the_rest_to_a_job_it_enqueues(acme, site, general):
    ticket = acme.ticket(site, category_id=general.pk)

    assert run(ticket_escalation, used_up=0.85)["status"] == "partial"

    run_jobs("high_priority")
    assert now_of(ticket).level == 1


def test_pages_leave_nothing_out(acme, site, general, monkeypatch):
    monkeypatch.setattr(escalation, "PAGE", 2)
    monkeypatch.setattr("task_catalog.sweeps.PAGE", 2)
    tickets = [acme.ticket(site, category_id=general.pk) for _ in range(5)]

    assert run(ticket_escalation)["ids"] == [ticket.pk for ticket in tickets]
