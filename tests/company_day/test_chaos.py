"""Chaos is what it says: what a worker's finish deletes comes back once, and the mail server is away for its time."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection

from task_catalog.company_day.chaos import Chaos
from youtility_tasks.models import Job

MIDNIGHT = datetime(2025, 3, 3, tzinfo=UTC)


class Server:
    is_open, pid = True, None

    def close(self):
        self.is_open = False

    def open(self):
        self.is_open = True


@contextmanager
def rough_day(**more):
    scene = SimpleNamespace(sink=Server(), workers=SimpleNamespace(pid=None))
    chaos = Chaos(1, **more)
    with chaos.over(scene):
        yield chaos, scene


def finish(job_id):
    Job.objects.filter(pk=job_id)._raw_delete("default")


@pytest.mark.django_db(transaction=True)
def test_a_job_that_has_ended_comes_back_once():
    job = Job.objects.create(
        queue_name="email",
        task_name="send_ticket_email",
        priority=5,
        status="doing",
        args={"id": 1},
        tenant_id=7,
        enqueued_at=MIDNIGHT,
    )
    before = Job.objects.values("args", "task_name", "queue_name", "tenant_id").get(pk=job.pk)

    with rough_day() as (chaos, _):
        assert not chaos.deliver_again()
        finish(job.pk)
        assert chaos.deliver_again()
        back = Job.objects.get(pk=job.pk)
        assert (back.status, back.attempts) == ("todo", 0)
        assert Job.objects.values("args", "task_name", "queue_name", "tenant_id").get(pk=job.pk) == before
        finish(job.pk)
        assert not chaos.deliver_again()

    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_in_short_every_tenth_job_comes_back():
    for number in range(100, 120):
        Job.objects.create(
            pk=number, queue_name="email", task_name="t", priority=5, status="doing", tenant_id=7, enqueued_at=MIDNIGHT
        )

    with rough_day(every=10) as (chaos, _):
        Job.objects.all()._raw_delete("default")
        chaos.deliver_again()
        assert sorted(Job.objects.values_list("pk", flat=True)) == [100, 110]
        Job.objects.all()._raw_delete("default")


@pytest.mark.django_db(transaction=True)
def test_nothing_of_it_stays():
    with rough_day():
        pass

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'company_day'")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'company_day_%'")
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_the_mail_server_is_away_for_twenty_minutes():
    with rough_day() as (chaos, scene):
        away = []
        for minute in range(0, 24 * 60, 5):
            chaos.before(MIDNIGHT + timedelta(minutes=minute))
            if not scene.sink.is_open:
                away.append(minute)

    assert away == [840, 845, 850, 855]
