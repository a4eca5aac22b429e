"""create_ticket: numbers without gap or double, and a history that begins."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from task_catalog.facility.models import Ticket
from task_catalog.tickets import NewTicket, create_ticket, create_tickets
from tests.catalog.closing.world import NONE, START
from youtility_tasks import BadInput


def numbers(**where) -> list[str]:
    return list(Ticket.objects.exclude(pk=NONE).filter(**where).order_by("pk").values_list("ticketno", flat=True))


def test_numbers_count_for_each_client_and_site_on_their_own(acme, globex):
    one, twelve, theirs = acme.site("1"), acme.site("12"), globex.site("1")
    for site in (one, twelve, one):
        acme.ticket(site)
    globex.ticket(theirs)

    assert numbers() == ["ACME-1#1", "ACME-12#1", "ACME-1#2", "GLOBEX-1#1"]


def test_the_next_number_follows_the_highest_one_not_the_count(acme):
    site = acme.site("1")
    acme.ticket(site)
    Ticket.objects.filter(client_id=acme.id).update(ticketno="ACME-1#9")
    Ticket.objects.create(ticketno="imported by hand", ticketdesc="x", client_id=acme.id, bu=site, **acme.stamps())

    assert acme.ticket(site).ticketno == "ACME-1#10"


def test_a_number_of_a_rolled_back_ticket_is_used_by_the_next_one(acme):
    site = acme.site("1")
    with pytest.raises(RuntimeError), transaction.atomic():
        acme.ticket(site)
        raise RuntimeError("something else went wrong")

    assert acme.ticket(site).ticketno == "ACME-1#1"


def test_a_site_whose_code_another_client_has_too_is_numbered_by_its_id_as_well(acme, globex):
    """As in the application that these tasks come from, where codes are unique below one parent only."""
    one, other, theirs = acme.site("1"), acme.site("2"), globex.site("1")
    globex.ticket(theirs)
    Ticket.objects.filter(client_id=globex.id).update(ticketno="ACME-1#2")
    acme.ticket(one)

    with transaction.atomic():
        create_tickets(
            [NewTicket(client_id=acme.id, bu_id=site.pk, description="x") for site in (one, other, one)], at=START
        )
    acme.ticket(one)

    assert numbers(client_id=acme.id) == [
        "ACME-1#1", f"ACME-1-{one.pk}#2", "ACME-2#1", f"ACME-1-{one.pk}#3", f"ACME-1-{one.pk}#4"
    ]  # fmt: skip


def test_what_else_is_there_twice_is_an_error(acme):
    site = acme.site("1")
    ticket = acme.ticket(site)

    with pytest.raises(IntegrityError, match="uuid"):
        create_ticket(NewTicket(client_id=acme.id, bu_id=site.pk, description="x", uuid=ticket.uuid), at=START)


def test_tickets_made_at_once_have_numbers_without_gap_or_double(acme):
    site = acme.site("1")
    together = threading.Barrier(4)
    failures: list[BaseException] = []

    def make() -> None:
        try:
            for _ in range(5):
                together.wait(20)
                acme.ticket(site)
        except BaseException as error:
            failures.append(error)
            together.abort()
        finally:
            connection.close()

    makers = [threading.Thread(target=make) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    assert failures == []
    assert sorted(int(number.partition("#")[2]) for number in numbers(bu=site)) == list(range(1, 21))


def test_a_ticket_begins_with_a_history_of_one_entry(acme):
    author = acme.person("author")
    team = acme.group()

    ticket = acme.ticket(acme.site("1"), creator_id=author.pk, group_id=team.pk, priority="HIGH")

    stored = Ticket.objects.get(pk=ticket.pk)
    (item,) = stored.ticketlog["ticket_history"]
    assert item == {
        "people_id": author.pk,
        "when": START.isoformat(),
        "who": author.peoplename,
        "assignto": team.groupname,
        "action": "created",
        "details": ["created"],
        "previous_state": {
            "ticketdesc": "a leak",
            "assignedtopeople": NONE,
            "assignedtogroup": team.pk,
            "comments": "",
            "status": "NEW",
            "priority": "HIGH",
            "location": NONE,
            "level": 0,
            "isescalated": False,
        },
    }
    assert (stored.cdtz, stored.mdtz, stored.modifieddatetime) == (START, START, START)


@pytest.mark.parametrize("bu_id", [None, NONE, 999_999])
def test_a_ticket_without_a_site_is_refused(acme, bu_id):
    with pytest.raises(BadInput, match="needs a site"):
        create_ticket(NewTicket(client_id=acme.id, bu_id=bu_id, description="x"), at=START)
