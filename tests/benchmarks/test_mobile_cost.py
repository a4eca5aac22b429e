"""What a device's message costs, in statements: times are for the benchmark's machine, statements are the same anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.catalog.closing.conftest import acme, clock_at, site  # noqa: F401
from tests.catalog.closing.world import tour_of
from tests.catalog.conftest import no_mail_server  # noqa: F401
from tests.catalog.mobile.conftest import device, media_root  # noqa: F401

Cost = Callable[..., int]


@pytest.fixture
def cost(device: Any) -> Cost:  # noqa: F811
    """Statements of one message, its BEGIN and COMMIT included."""

    def of(mutation: str, *records: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            device.send(mutation, *records)
        return len(captured)

    return of


def test_a_tour_of_seven_visits_and_twenty_four_answers(acme, site, device, cost):  # noqa: F811
    """BEGIN, ledger, people, lock, visits, answers, job, answer kept, COMMIT."""
    tour, stops = tour_of(acme, site, "ASSIGNED", ["ASSIGNED"] * 6)
    for stop in stops:
        device.asked(stop, 4)

    assert cost("updateTaskTour", device.done(tour), *(device.done(stop) for stop in stops)) == 9


def test_a_task_costs_as_much_as_a_tour(acme, site, device, cost):  # noqa: F811
    work = acme.work(site)
    device.asked(work, 4)

    assert cost("updateTaskTour", device.done(work)) == 9


def test_a_punch_and_a_ticket(device, cost):  # noqa: F811
    assert cost("insertRecord", device.punch()) == 9
    assert cost("insertRecord", device.ticket()) == 15


def test_fifty_tracks_cost_as_much_as_one(device):  # noqa: F811
    """BEGIN, people, rows, COMMIT."""
    for count in (1, 50):
        with CaptureQueriesContext(connection) as captured:
            device.batch("tracking", *(device.track() for _ in range(count)))
        assert len(captured) == 4
