"""What devices send on the day: how much, in which order, and what comes twice (catalog.md 5.7)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest

from task_catalog.company_day import post as post_module
from task_catalog.company_day.agenda import Agenda
from task_catalog.company_day.attendance import Attendance
from task_catalog.company_day.devices import Devices
from task_catalog.company_day.permit_desk import PermitDesk
from task_catalog.company_day.post import Post
from task_catalog.company_day.rounds import track
from task_catalog.company_day.seed import seed_company
from task_catalog.company_day.ticket_desk import TicketDesk
from task_catalog.company_day.traffic import PHOTO_AFTER

MONDAY = date(2025, 3, 3)
MIDNIGHT = datetime(2025, 3, 3, tzinfo=UTC)
EVENING = MIDNIGHT + timedelta(days=1)
GRID = timedelta(minutes=10)
"""The widest gap between two instants of the day."""

pytestmark = pytest.mark.django_db


class Bag(Post):
    """Keeps what devices send, and when."""

    def __init__(self):
        super().__init__()
        self.now = MIDNIGHT
        self.sent_at = []

    def deliver(self, payload):
        self.sent_at.append((self.now, json.loads(payload)))


def spread(agenda, bag):
    """The whole day, instant by instant of ten minutes."""
    while bag.now < EVENING:
        agenda.act_until(bag.now)
        bag.now += GRID


def test_every_20th_mutation_of_the_company_arrives_twice(monkeypatch):
    arrived = []
    monkeypatch.setattr(post_module, "enqueue_many", lambda task, calls: arrived.extend(calls))
    post = Post()

    for n in range(45):
        post.deliver(str(n))

    counts = Counter(call["payload"] for call in arrived)
    assert {payload for payload, count in counts.items() if count == 2} == {"19", "39"}
    assert len(arrived) == 47


def test_a_photo_comes_at_a_later_instant_than_its_punch():
    company, agenda, bag = seed_company(MONDAY), Agenda(), Bag()
    Attendance(company, MONDAY, agenda, Devices(bag))

    spread(agenda, bag)

    kinds = Counter(message["serviceName"] for _, message in bag.sent_at)
    assert kinds == {"punches": 400, "photos": 400}
    punched, photographed = defaultdict(list), defaultdict(list)
    for at, message in bag.sent_at:
        if message["serviceName"] == "punches":
            punched[message["uuids"][0]].append(at)
        else:
            photographed[json.loads(message["variables"]["biodata"])["owner"]].append(at)
    assert PHOTO_AFTER >= GRID
    for uuid, instants in punched.items():
        assert all(punch < photo for punch, photo in zip(instants, photographed[uuid], strict=True))


@pytest.mark.parametrize("scale", [1, 2])
def test_nobody_else_needs_the_reference_photo_that_was_taken_away(scale):
    company, agenda, bag = seed_company(MONDAY, scale=scale), Agenda(), Bag()
    attendance = Attendance(company, MONDAY, agenda, Devices(bag))
    taken = []
    while bag.now < EVENING:
        before = len(bag.sent_at)
        agenda.act_until(bag.now)
        people = Counter(
            json.loads(message["variables"]["biodata"])["people_id"]
            for _, message in bag.sent_at[before:]
            if message["serviceName"] == "photos"
        )
        taken += [people[person_id] for person_id in attendance.without_reference]
        attendance.put_photos_back()
        bag.now += GRID

    assert taken == [1] * 17


def test_a_batch_begins_with_the_last_rows_of_the_one_before():
    rows = seed_company(MONDAY).clients["B"]

    batches = [track(rows, "B", MONDAY, n) for n in range(3)]

    assert [len(batch) for batch in batches] == [50, 50, 50]
    assert [row["uuid"] for row in batches[1][:5]] == [row["uuid"] for row in batches[0][-5:]]
    assert batches[1][:5] == batches[0][-5:]
    assert len({row["uuid"] for batch in batches for row in batch}) == 140


def test_odd_tickets_and_odd_permits_come_from_devices():
    company, agenda, bag = seed_company(MONDAY), Agenda(), Bag()
    devices = Devices(bag)
    tickets, permits = Agenda(), Agenda()
    TicketDesk(company, MONDAY, tickets, devices)
    PermitDesk(company, MONDAY, permits, devices)

    sent = [act for act in (*tickets.waiting, *permits.waiting) if act.at < EVENING]

    assert len(sent) == 2 * 80 + 20 + 3 + 20 + 9 + 13 + 4
    assert agenda.act_until(EVENING) == 0
