"""send_ticket_email on a real database and a real mail server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from task_catalog.email.tickets import send_ticket_email
from task_catalog.facility.models import Ticket
from tests.catalog.closing.world import NONE, START, run
from youtility_tasks import BadInput, NotReady, Transient, effects, tenant
from youtility_tasks.models import TaskEffect

KEYS = {"status", "warnings", "ticketno", "event", "recipients", "sent"}


@pytest.fixture
def site(acme):
    return acme.site("1")


@pytest.fixture
def author(acme, site):
    return acme.person("author", site)


@pytest.fixture
def ticket(acme, site, author):
    guard = acme.person("guard", site)
    return acme.ticket(site, person_id=guard.pk, creator_id=author.pk, description="Leak <b>now</b>", comments="wet")


def send(company: Any, id: Any, **kwargs: Any) -> dict[str, Any]:
    with tenant(company.id):
        return run(send_ticket_email, id=id, **kwargs)


def test_everyone_who_has_the_ticket_on_the_desk_gets_one_message(acme, site, author, mailbox):
    guard, editor = acme.person("guard", site), acme.person("editor", site)
    member, same = acme.person("member", site), acme.person("twin", site, email=author.email.upper())
    team = acme.group(member, same)
    ticket = acme.ticket(site, person_id=guard.pk, group_id=team.pk, creator_id=author.pk, modifier_id=editor.pk)

    result = send(acme, ticket.pk)

    assert result.keys() == KEYS
    assert (result["status"], result["ticketno"], result["event"]) == ("ok", "ACME-1#1", "created")
    assert (result["recipients"], result["sent"]) == (4, True)
    (got,) = mailbox.received
    assert set(got.recipients) == {guard.email, author.email, editor.email, member.email}
    assert got.message["Subject"].strip() == f"[ACME-1#1] ticket created, {site.buname}"


def test_the_body_has_the_facts_in_local_time_and_escaped(acme, ticket, author, mailbox):
    send(acme, ticket.pk)

    (got,) = mailbox.received
    for line in (
        "Description: Leak <b>now</b>",
        "Category: -",
        "Priority: LOW",
        "Status: NEW",
        "Created: 03-Mar-2025 05:30",
        f"Modified by: {author.peoplename}",
        "Assigned to: guard of acme",
        "Comments: wet",
        "Level: 0",
    ):
        assert line in got.text
    assert "Leak &lt;b&gt;now&lt;/b&gt;" in got.html
    assert got.message["X-Youtility-Effect"] == f"ticket-mail:{ticket.pk}:created:0"


def test_d20_an_escalation_says_so_and_reaches_the_rows_address_and_each_member_on_their_own(
    acme, site, author, mailbox
):
    category = acme.word("TC_GEN", "TICKETCATEGORY")
    acme.step(category, 1, 60, "MINUTE", notify="manager@acme.example, area@acme.example", body="Please call in.")
    acme.step(category, 2, 3, "HOUR")
    members = [acme.person("member", site), acme.person("member", site)]
    ticket = acme.ticket(
        site, group_id=acme.group(*members).pk, creator_id=author.pk, category_id=category.pk, level=1, ctzoffset=0
    )

    send(acme, ticket.pk, event="escalated", level=1)

    (got,) = mailbox.received
    assert set(got.recipients) == {
        author.email,
        *(member.email for member in members),
        "manager@acme.example",
        "area@acme.example",
    }
    assert got.message["Subject"].strip() == f"[ACME-1#1] escalated to level 1, {site.buname}"
    for line in (
        "Escalated in: 60 MINUTE",
        "Next escalation: level 2 after 3 HOUR",
        "Please call in.",
        "Created: 03-Mar-2025 00:00",
        "was escalated to level 1",
    ):
        assert line in got.text


def test_an_escalation_whose_row_is_gone_is_still_told(acme, ticket, mailbox):
    result = send(acme, ticket.pk, event="escalated", level=1)

    assert result["sent"]
    assert any("level 1 is gone" in warning for warning in result["warnings"])


def test_each_event_and_each_level_is_one_message_and_only_one(acme, ticket, mailbox):
    calls = [
        {},
        {"event": "updated", "level": 2},
        {"event": "updated", "level": 3},
        {"event": "escalated", "level": 1},
        {"event": "escalated", "level": 2},
    ]
    for call in calls * 2:
        send(acme, ticket.pk, **call)

    assert [each.message["X-Youtility-Effect"].rpartition("ticket-mail:")[2] for each in mailbox.received] == [
        f"{ticket.pk}:created:0",
        f"{ticket.pk}:updated:2",
        f"{ticket.pk}:updated:3",
        f"{ticket.pk}:escalated:1",
        f"{ticket.pk}:escalated:2",
    ]


def test_a_second_run_is_a_duplicate(acme, ticket, mailbox):
    send(acme, ticket.pk)

    again = send(acme, ticket.pk)

    assert (again["status"], again["sent"]) == ("duplicate", False)
    assert len(mailbox.received) == 1


def test_dying_between_sending_and_marking_repeats_the_mail_under_the_same_id(acme, ticket, mailbox):
    send(acme, ticket.pk)
    effect = TaskEffect.objects.filter(key=f"ticket-mail:{ticket.pk}:created:0")
    effect.update(status="reserved", done_at=None, lease_until=START + timedelta(days=36_500))
    with pytest.raises(NotReady):
        send(acme, ticket.pk)

    effect.update(lease_until=START)
    send(acme, ticket.pk)

    assert len(mailbox.received) == 2
    assert len({each.message["Message-ID"] for each in mailbox.received}) == 1


def test_d16_an_unknown_ticket_is_waited_for_twice_and_then_bad_input(acme):
    for attempt in (1, 2):
        with pytest.raises(NotReady, match="no ticket 999999"):
            send(acme, 999_999, attempt=attempt)
    with pytest.raises(BadInput, match="no ticket 999999"):
        send(acme, 999_999, attempt=3)


def test_another_clients_ticket_is_unknown(acme, globex, mailbox):
    theirs = globex.ticket(globex.site("1"), creator_id=globex.person("author").pk)

    with pytest.raises(BadInput):
        send(acme, theirs.pk, attempt=3)

    assert mailbox.received == []


@pytest.mark.parametrize("id", [None, 0, -1, True, "7"])
def test_a_senseless_id_is_bad_input_at_once(acme, id):
    with pytest.raises(BadInput, match="right is the id of a ticket"):
        send(acme, id)


@pytest.mark.parametrize(
    "arguments",
    [
        {"event": "deleted"},
        {"event": ""},
        {"event": "escalated"},
        {"event": "escalated", "level": -1},
        {"event": "updated", "level": "2"},
        {"event": "updated", "level": True},
    ],
)
def test_d16_an_unknown_event_or_level_is_bad_input(acme, ticket, arguments):
    with pytest.raises(BadInput, match=r"event is|level is"):
        send(acme, ticket.pk, **arguments)


def test_d16_people_without_an_address_are_left_out_with_a_warning(acme, site, author, mailbox):
    guard = acme.person("guard", site, email="")
    broken = acme.person("broken", site, email="not an address")
    ticket = acme.ticket(site, person_id=guard.pk, creator_id=author.pk, modifier_id=broken.pk)

    result = send(acme, ticket.pk)

    assert mailbox.received[0].recipients == (author.email,)
    assert len(result["warnings"]) == 2


def test_a_ticket_of_nobody_is_skipped(acme, site, mailbox):
    ticket = acme.ticket(site)

    result = send(acme, ticket.pk)

    assert (result["status"], result["recipients"], result["sent"]) == ("skipped", 0, False)
    assert result["warnings"][0] == "no_recipients"
    with tenant(acme.id):
        assert not effects.is_done(f"ticket-mail:{ticket.pk}:created:0")


def test_d22_namesakes_of_another_client_get_nothing(acme, globex, site, author, mailbox):
    """Same codes, and even a ticket that points at another client's person and group."""
    namesake = globex.person("author", globex.site("1"))
    ticket = acme.ticket(site, creator_id=author.pk, person_id=namesake.pk, group_id=globex.group(namesake).pk)

    result = send(acme, ticket.pk)

    assert mailbox.received[0].recipients == (author.email,)
    assert any(f"person {namesake.pk}" in warning for warning in result["warnings"])


def test_a_groups_sites_are_no_people(acme, site, author, mailbox):
    member = acme.person("member", site)
    ticket = acme.ticket(site, creator_id=author.pk, group_id=acme.group(member, site).pk)

    result = send(acme, ticket.pk)

    assert set(mailbox.received[0].recipients) == {author.email, member.email}
    assert result["warnings"] == []


def test_a_group_of_another_client_is_not_opened(acme, globex, site, author, mailbox):
    ours_in_their_group = acme.person("member", site)
    ticket = acme.ticket(site, creator_id=author.pk, group_id=globex.group(ours_in_their_group).pk)

    send(acme, ticket.pk)

    assert mailbox.received[0].recipients == (author.email,)


def test_the_none_person_is_never_written_to(acme, site, author, mailbox):
    Ticket.objects.filter(pk=acme.ticket(site, creator_id=author.pk).pk).update(muser_id=NONE)

    result = send(acme, Ticket.objects.latest("pk").pk)

    assert mailbox.received[0].recipients == (author.email,)
    assert any("NONE" in warning for warning in result["warnings"])


def test_a_refusal_of_everybody_for_good_is_bad_input_and_nothing_is_marked(acme, ticket, mailbox):
    mailbox.on_recipient = dict.fromkeys(
        ["author.1@acme.example", "guard.3@acme.example", *_addresses(ticket)], "550 no such user"
    )

    with pytest.raises(BadInput, match="550 no such user"):
        send(acme, ticket.pk)

    assert TaskEffect.objects.get(key=f"ticket-mail:{ticket.pk}:created:0").status == "pending"


def test_a_mail_server_that_is_down_is_transient_and_the_next_attempt_sends(acme, ticket, no_mail_server, request):
    with pytest.raises(Transient):
        send(acme, ticket.pk)

    mailbox = request.getfixturevalue("mailbox")
    assert send(acme, ticket.pk, attempt=2)["sent"]
    assert len(mailbox.received) == 1


def _addresses(ticket: Ticket) -> list[str]:
    return [person.email for person in (ticket.assignedtopeople, ticket.cuser, ticket.muser) if person]
