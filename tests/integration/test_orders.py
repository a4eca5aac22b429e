"""What a worker is told: by whom, which of them listen, and who is told why a queue stands still."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction

from youtility_tasks import membership, orders, registry, roster, tenant
from youtility_tasks.doctor import work
from youtility_tasks.errors import NotAllowed, Refused, WorkerNotFound
from youtility_tasks.models import TaskAuditLog, TaskWorker
from youtility_tasks.why import why

pytestmark = pytest.mark.django_db


@pytest.fixture
def put() -> Callable[..., TaskWorker]:
    def make(worker_id: int, **columns: object) -> TaskWorker:
        usual = {"host": "north", "pid": 11, "token": "t", "queue_name": "email", "status": "running"}
        return TaskWorker.objects.create(id=worker_id, **{**usual, **columns})

    return make


def test_an_order_stands_in_the_workers_row_and_in_the_audit_log(put) -> None:
    put(14)

    told = orders.quiet(14, "deploy")
    assert (told.told, told.told_reason, told.told_at is not None) == ("quiet", "deploy", True) and told.told_by
    orders.quiet(14, "still")
    released = orders.resume(14, "done")

    assert (released.told, released.told_by, released.told_reason, released.told_at) == ("", "", "", None)
    entered = TaskAuditLog.objects.order_by("pk").values_list("act", "reason", "before", "after")
    assert list(entered) == [
        ("quiet worker", "deploy", {"order": None, "status": "running"}, {"order": "quiet"}),
        ("quiet worker", "still", {"order": "quiet", "status": "running"}, {"order": "quiet"}),
        ("resume worker", "done", {"order": "quiet", "status": "running"}, {"order": None}),
    ]
    assert "email" in TaskAuditLog.objects.first().target


@pytest.mark.parametrize(
    ("columns", "act", "says"),
    [
        ({"status": "stopped"}, orders.quiet, "has gone: it is stopped"),
        ({"status": "lost"}, orders.drain, "has gone: it is lost"),
        ({"token": "", "host": "procrastinate"}, orders.quiet, "procrastinate's own"),
        ({"told": "drain", "told_by": "ann"}, orders.resume, "told to leave by ann"),
        ({"told": "drain", "told_by": "ann"}, orders.quiet, "cannot be taken back"),
        ({}, orders.resume, "was told nothing"),
    ],
)
def test_who_does_not_listen_is_not_told(put, columns, act, says) -> None:
    put(14, **columns)
    before = TaskWorker.objects.values().get()

    with pytest.raises(Refused, match=says):
        act(14, "why not")

    assert TaskWorker.objects.values().get() == before and not TaskAuditLog.objects.exists()


def test_no_such_worker_is_told_as_that(put) -> None:
    put(14)

    for act in (orders.quiet, orders.drain, orders.resume, orders.find):
        with pytest.raises(WorkerNotFound, match="No worker has the id 15"):
            act(15)


def test_only_operators_of_all_tenants_tell_workers(put) -> None:
    put(14)
    ann, ops = User.objects.create_user("ann"), User.objects.create_user("ops")
    ops.user_permissions.add(Permission.objects.get(codename="ops", content_type__app_label="youtility_tasks"))

    with membership.acting(ann):
        for act in (orders.quiet, orders.drain, orders.resume):
            with pytest.raises(NotAllowed):
                act(14)
    assert TaskWorker.objects.get().told == ""
    with membership.acting(ops):
        assert orders.quiet(14).told_by == "ops"


def test_no_other_word_can_be_written(put) -> None:
    put(14)

    with pytest.raises(IntegrityError), transaction.atomic():
        TaskWorker.objects.update(told="dance")


def test_a_queue_that_stands_still_for_a_quiet_worker_is_told_as_that(put) -> None:
    put(14, status="quiet", told="quiet", told_by="ann", told_reason="deploy")
    with tenant(roster.add(7, "Acme").pk):
        job = registry.get("send_ticket_email").enqueue(id=1)

    assert "worker 14 was told to be quiet by ann" in why(int(job.id)).sentence
    assert "14 (email, by ann)" in work.workers().found

    TaskWorker.objects.update(status="running", told="")

    assert "quiet" not in why(int(job.id)).sentence and "email" not in work.workers().found
