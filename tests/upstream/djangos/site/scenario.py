"""`python -m tests.upstream.djangos.site.scenario`: pages, pictures and backfills whose tasks our workers run; exit 1 if one is not.

The packages are as they come from the index. Workers are real processes, started as an operator would, that leave when all is done.
"""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.files.base import ContentFile  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402
from modelsearch.tasks import insert_or_update_object_task  # noqa: E402
from PIL import Image as Picture  # noqa: E402
from wagtail.images.models import Image  # noqa: E402
from wagtail.models import Page, ReferenceIndex  # noqa: E402
from wagtail.tasks import update_reference_index_task  # noqa: E402

from tests.upstream.djangos.site.models import SitePage  # noqa: E402
from youtility_tasks import tasks_api, tenants  # noqa: E402
from youtility_tasks.conf import settings  # noqa: E402
from youtility_tasks.models import Job  # noqa: E402
from youtility_tasks.tenancy import roles  # noqa: E402

ON_6 = django.VERSION >= (6, 0)
Status = tasks_api.TaskResultStatus
enqueued: list[Any] = []
failed: list[str] = []


def remember(sender: Any, task_result: Any, **_: Any) -> None:
    enqueued.append(task_result)


tasks_api.task_enqueued.connect(remember)


def check(what: str, is_so: Any) -> None:
    print(f"{'ok' if is_so else 'NO':3} {what}", flush=True)  # noqa: T201
    if not is_so:
        failed.append(what)


def drain() -> None:
    """Workers of all queues until nothing is left to do."""
    subprocess.run([sys.executable, "-m", "django", "run_postgresql_worker", "--drain"], check=True, timeout=120)


def names_waiting() -> set[str]:
    with tenants.no_tenant():
        return set(Job.objects.filter(status="todo").values_list("task_name", flat=True))


def job_count(*ids: str) -> int:
    """Of these jobs, or of all. Under roles those of no tenant are seen by who works for none."""
    with tenants.no_tenant():
        return Job.objects.filter(pk__in=ids).count() if ids else Job.objects.count()


def picture() -> Image:
    data = io.BytesIO()
    Picture.new("RGB", (8, 8)).save(data, "PNG")
    return Image.objects.create(title="door", file=ContentFile(data.getvalue(), "door.png"))


def pages() -> None:
    root = Page.objects.get(depth=1)
    image = picture()
    page = root.add_child(instance=SitePage(title="Gate", slug="gate", body="a turnstile that squeaks", picture=image))
    before, told = job_count(), len(enqueued)
    try:
        with transaction.atomic():
            root.add_child(instance=SitePage(title="Never", slug="never", body="nobody saves this"))
            raise RuntimeError
    except RuntimeError:
        check("what is enqueued in a transaction goes with it", job_count() == before and len(enqueued) > told)
        del enqueued[told:]
    wanted = {"modelsearch.tasks.insert_or_update_object_task", "wagtail.tasks.update_reference_index_task"}
    check("saving a page enqueues Wagtail's tasks", wanted <= names_waiting())
    check("a page is not found before a worker ran", not SitePage.objects.search("turnstile").count())
    drain()
    check("a page is found once a worker ran", [each.pk for each in SitePage.objects.search("turnstile")] == [page.pk])
    references = ReferenceIndex.get_references_for_object(page)
    check("its picture is known as used by it", references.filter(to_object_id=str(image.pk)).exists())
    stored = Path(image.file.path)
    image.delete()
    check("its file is there until a worker ran", stored.exists())
    drain()
    check("its file is gone", not stored.exists())


def results() -> None:
    task = insert_or_update_object_task
    page = SitePage.objects.get()
    lost = task.enqueue("site", "sitepage", "999999")
    later = task.using(run_after=timezone.now() + timedelta(hours=1), priority=-37).enqueue(
        "site", "sitepage", str(page.pk)
    )
    elsewhere = update_reference_index_task.using(backend="late").enqueue("site", "sitepage", str(page.pk))
    with tenants.no_tenant():
        check("another alias has its own queue", Job.objects.get(pk=elsewhere.id).queue_name == "reports")
    awaited = asyncio.run(in_a_loop(page.pk))
    drain()
    lost.refresh()
    check("a task that raises has failed", (lost.status, lost.attempts) == (Status.FAILED, 1))
    check("its error can be imported", lost.errors[0].exception_class is SitePage.DoesNotExist)
    check("its traceback is there", "matching query does not exist" in lost.errors[0].traceback)
    later.refresh()
    check("a task of later waits", (later.status, later.attempts) == (Status.READY, 0))
    known = task.get_result(later.id)
    check("and is known as it was called", (known.task, known.task.priority) == (later.task, -37))
    elsewhere.refresh()
    check("a result knows its alias", (elsewhere.status, task_of(elsewhere).backend) == (Status.SUCCESSFUL, "late"))
    check("a result can be awaited", asyncio.run(task.aget_result(awaited.id)).status == Status.SUCCESSFUL)
    for result in enqueued:
        result.refresh()
    wrong = [
        result for result in enqueued if result.status != Status.SUCCESSFUL and result.id not in (lost.id, later.id)
    ]
    check(f"all {len(enqueued) - 2} others succeeded", not wrong)


def task_of(result: Any) -> Any:
    return result.task.get_backend().get_result(result.id).task


async def in_a_loop(pk: int) -> Any:
    made = await asyncio.gather(*(insert_or_update_object_task.aenqueue("site", "sitepage", str(pk)) for _ in range(5)))
    return made[-1]


def backfill() -> None:
    """django-maintenance-tasks: a batch a job, each of which enqueues the next."""
    from django.contrib.auth.models import Group
    from maintenance_tasks import runner
    from maintenance_tasks.models import Run
    from maintenance_tasks.task import all_tasks

    Group.objects.bulk_create(Group(name=f"team {n}") for n in range(7))
    (shout,) = all_tasks()
    run = runner.start(shout.name)
    drain()
    run.refresh_from_db()
    check("a backfill ran in batches", (run.status, run.tick_count, run.tick_total) == (Run.Status.SUCCEEDED, 7, 7))
    check("it did its work", Group.objects.filter(name__startswith="TEAM").count() == 7)
    batches = [each for each in enqueued if each.task.module_path.startswith("maintenance_tasks.")]
    check(
        "each batch was a job",
        job_count(*(each.id for each in batches)) == 0 and len(batches) == 1,
    )


def monitor() -> None:
    """django-tasks-monitor: a row a result, written by the three signals, in three processes."""
    from tasks_monitor import retry
    from tasks_monitor.models import TaskRecord

    # What is enqueued inside a task is recorded by the worker's child.
    for record in TaskRecord.objects.exclude(status=Status.READY):
        result = record_result(record)
        check(
            f"{record.task_name} {record.result_id} is recorded as it is known: {record.status}",
            (record.status, record.attempts, record.worker_ids, record.enqueued_at, record.started_at)
            == (result.status, result.attempts, result.worker_ids, result.enqueued_at, result.started_at)
            and record.duration is not None,
        )
    lost = TaskRecord.objects.get(status=Status.FAILED)
    check("its error is recorded", lost.exception_class.endswith("DoesNotExist") and "Traceback" in lost.traceback)
    waits = TaskRecord.objects.get(status=Status.READY)
    check("what waits is recorded with its own priority", (waits.priority, waits.run_after is None) == (-37, False))
    check("each job has one record", TaskRecord.objects.count() == len({*TaskRecord.objects.values_list("result_id")}))
    check(
        "nobody is missing", {each.id for each in enqueued} <= {*TaskRecord.objects.values_list("result_id", flat=True)}
    )
    again = retry.retry(lost)
    drain()
    again.refresh_from_db()
    check("a record can be retried", (again.status, again.retry_of) == (Status.FAILED, lost))


def record_result(record: Any) -> Any:
    return tasks_api.task_backends[record.backend].get_result(record.result_id)


def main() -> int:
    call_command("check")
    roles.act_as(roles.MIGRATOR)
    call_command("migrate", verbosity=0)
    if settings().roles is not None:
        call_command("setup_task_queue", stdout=io.StringIO())
        roles.act_as("web")
    pages()
    results()
    if ON_6:
        backfill()
        monitor()
    print(f"{len(failed)} failed" if failed else "all is as it should be", flush=True)  # noqa: T201
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
