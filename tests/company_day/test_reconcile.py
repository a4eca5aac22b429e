"""The reconciliation sees what it is there to see."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.db import connection

from task_catalog import entities
from task_catalog.company_day.company import domain
from task_catalog.company_day.counting.messages import count_messages
from task_catalog.company_day.counting.tickets import count_tickets
from task_catalog.company_day.definitions import CLIENTS, TICKET_CATEGORY
from task_catalog.company_day.evidence import Evidence
from task_catalog.company_day.expected import totals
from task_catalog.company_day.played import Played
from task_catalog.company_day.reconcile import reconcile
from task_catalog.company_day.seed import seed_company
from task_catalog.company_day.sink import Delivered
from task_catalog.company_day.yard import Yard
from task_catalog.tickets import NewTicket, create_ticket

MONDAY = date(2025, 3, 3)
NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return seed_company(MONDAY)


def mail(company, letter="A", number=1, *, to=None, **other):
    client = next(client for client in CLIENTS if client.letter == letter)
    facts = {
        "sender": "tasks@facility.example",
        "recipients": tuple(to or [f"p1@{domain(client)}"]),
        "message_id": f"<{letter}{number}>",
        "task": "send_ticket_email",
        "effect": f"ticket-mail:{number}:created:0",
        "tenant": str(company.clients[letter].id),
        "subject": "A ticket",
    }
    return Delivered(**{**facts, **other})


def ticket(company, letter="A", site=0):
    rows = company.clients[letter]
    return create_ticket(
        NewTicket(
            client_id=rows.id,
            bu_id=rows.sites[site].pk,
            description="Broken",
            category_id=rows.words[TICKET_CATEGORY].pk,
        ),
        at=NOON,
    )


def test_every_expected_total_is_counted(company, tmp_path):
    played = Played(first_job_id=1)
    midnight = datetime(2025, 3, 3, tzinfo=UTC)
    runs = {"create_job": (0, 8, 16), "create_ppm_job": (3, 16), "auto_close_jobs": (23,)}
    for name, hours in runs.items():
        for hour in hours:
            minute = {"create_job": 27, "create_ppm_job": 3, "auto_close_jobs": 30}[name]
            played.sweeps[name, midnight.replace(hour=hour, minute=minute)] = 1

    checks = reconcile(company, MONDAY, 1, played, Evidence([], [], Yard(tmp_path)))

    of_rows_that_exist = {check.name for check in checks if not check.name.startswith("first ")}
    assert [check.name for check in checks] == list(totals(MONDAY, 1))
    assert [check.name for check in checks if check.got is None and check.name in of_rows_that_exist] == []
    assert not all(check.ok for check in checks)


def test_a_message_sent_again_under_its_id_counts_once(company):
    found = count_messages(company, [mail(company), mail(company)])

    assert found["messages"] == 1
    assert found["messages with one effect key and different Message-IDs"] == 0


def test_one_effect_under_two_ids_is_seen(company):
    found = count_messages(company, [mail(company), mail(company, message_id="<other>")])

    assert found["messages with one effect key and different Message-IDs"] == 1


def test_the_same_key_of_two_clients_is_two_effects(company):
    found = count_messages(company, [mail(company, "A"), mail(company, "B")])

    assert found["messages with one effect key and different Message-IDs"] == 0
    assert found["messages"] == 2


@pytest.mark.parametrize(
    "recipients",
    [["p1@client-a.example", "p1@client-b.example"], ["p1@client-b.example"]],
    ids=["spans two clients", "is another client's"],
)
def test_a_message_that_leaves_its_client_is_seen(company, recipients):
    found = count_messages(company, [mail(company, "A", to=recipients), mail(company, "B", number=2)])

    assert found["messages to people of two clients"] == 1


def test_a_message_whose_attachment_names_a_site_of_another_client_is_seen(company):
    own, foreign = mail(company, "A", sites=("A-003",)), mail(company, "B", number=2, sites=("B-001", "A-003"))

    found = count_messages(company, [own, foreign])

    assert found["messages that tell of another client"] == 1


def test_a_gap_and_a_double_in_a_sites_numbers_are_seen(company):
    ticket(company)
    moved = ticket(company)
    ticket(company, "B")
    assert count_tickets(company)["sites whose ticket numbers have a gap or a double"] == 0

    entities.Ticket.objects.filter(pk=moved.pk).update(ticketno=moved.ticketno.replace("#2", "#3"))

    assert count_tickets(company)["sites whose ticket numbers have a gap or a double"] == 1


def test_a_ticket_that_climbs_after_its_end_is_seen(company):
    ended = ticket(company)
    ended.ticketlog["ticket_history"] += [
        {"action": "updated", "when": "2025-03-03T13:00:00+00:00"},
        {"action": "escalated", "when": "2025-03-03T13:05:00+00:00"},
    ]
    entities.Ticket.objects.filter(pk=ended.pk).update(status="CLOSED", ticketlog=ended.ticketlog)

    assert count_tickets(company)["tickets escalated after their end"] == 1


def test_constraints_hold_when_the_data_set_is_checked_at_once(company):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    assert entities.Plan.objects.filter(pk__in=company.plans).count() == 183
