"""Acts happen once, in order, each in the name of its client and all of it or nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from task_catalog import entities
from task_catalog.company_day.agenda import Agenda
from task_catalog.facility.sentinels import ensure_sentinels
from youtility_tasks import current_tenant

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def test_acts_happen_in_order_of_their_instants_then_of_their_noting():
    agenda, done = Agenda(), []
    for minute, name in ((5, "c"), (1, "a"), (5, "d"), (2, "b")):
        agenda.note(NOON + timedelta(minutes=minute), 7, done.append, name)

    assert agenda.act_until(NOON + timedelta(minutes=4)) == 2
    assert agenda.act_until(NOON + timedelta(minutes=5)) == 2
    assert agenda.act_until(NOON + timedelta(minutes=5)) == 0
    assert done == ["a", "b", "c", "d"]


def test_an_act_may_lead_to_another_one_that_is_due_too():
    agenda, done = Agenda(), []

    def begin():
        done.append("begun")
        agenda.note(NOON, 7, done.append, "ended")

    agenda.note(NOON, 7, begin)

    assert agenda.act_until(NOON) == 2
    assert done == ["begun", "ended"]


def test_each_act_is_in_the_name_of_its_client():
    agenda, names = Agenda(), []
    for client_id in (7, 8):
        agenda.note(NOON, client_id, lambda: names.append(current_tenant()))

    agenda.act_until(NOON)

    assert names == [7, 8]


def test_an_act_that_fails_leaves_nothing():
    ensure_sentinels()
    agenda = Agenda()

    def fail():
        entities.Vendor.objects.create(code="V", name="V", cdtz=NOON, mdtz=NOON)
        raise RuntimeError("half way")

    agenda.note(NOON, 7, fail)

    with pytest.raises(RuntimeError, match="half way"):
        agenda.act_until(NOON)
    assert not entities.Vendor.objects.exists()
