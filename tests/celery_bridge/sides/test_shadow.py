"""A shadow cannot send a mail, write a file or a row, start a program, or reach the network; it tells what it kept back."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core import mail
from django.db import connections, transaction

from youtility_tasks import Task, effects, tenant
from youtility_tasks.celery_bridge import old_side, runs, shadow, stage
from youtility_tasks.models import BridgeRun, Job, TaskEffect, Tenant
from youtility_tasks.rehearsal import Rehearsal
from youtility_tasks.testing import run_jobs

HERE: dict[str, Any] = {}


def by_thread(do: Callable[[], Any]) -> None:
    """Past the transaction of this thread."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            do()
        except BaseException as error:
            failed.append(error)
        finally:
            connections["default"].close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in failed:
        raise error


def insert() -> None:
    Tenant.objects.create(id=99, name="from a shadow")


def insert_by_psycopg() -> None:
    with psycopg.connect(HERE["url"], autocommit=True) as connection:
        connection.execute("UPDATE youtility_tasks_tenant SET name = 'from a shadow'")


def commit_by_sql() -> None:
    insert()
    with connections["default"].cursor() as cursor:
        cursor.execute(" commit")


def write_a_file() -> None:
    Path(HERE["folder"], "from-a-shadow").write_text("x")


def append_to_a_file() -> None:
    with open(HERE["file"], "a") as file:
        file.write("x")


def send_over_a_socket() -> None:
    with socket.create_connection(("127.0.0.1", HERE["port"]), timeout=2) as connection:
        connection.sendall(b"x")


HARMLESS: dict[str, Callable[[], Any]] = {
    "a row": insert,
    "a row in a transaction": lambda: transaction.atomic()(insert)(),
    "a row after the commit": lambda: transaction.on_commit(insert),
    "an effect": lambda: effects.once("k") and effects.perform("k2", lambda _: write_a_file()),
    "a promise": lambda: effects.promise("k3", payload={}),
    "a mail": lambda: mail.send_mail("s", "b", "a@example.org", ["b@example.org"]),
    "a job": lambda: HERE["task"].enqueue(what="a row"),
}
"""What succeeds as far as the task can tell."""
REFUSED: dict[str, Callable[[], Any]] = {
    "a row by another connection": insert_by_psycopg,
    "a row by a thread": lambda: by_thread(insert),
    "a commit": commit_by_sql,
    "a new file": write_a_file,
    "an old file": append_to_a_file,
    "a file by its descriptor": lambda: os.open(HERE["file"], os.O_WRONLY | os.O_TRUNC),
    "a file taken away": lambda: os.remove(HERE["file"]),
    "a file renamed": lambda: os.rename(HERE["file"], HERE["file"] + "2"),
    "a folder": lambda: os.mkdir(Path(HERE["folder"], "from-a-shadow")),
    "a program": lambda: subprocess.run(["touch", str(Path(HERE["folder"], "from-a-shadow"))], check=True),
    "a shell": lambda: os.system(f"touch {HERE['folder']}/from-a-shadow"),  # noqa: S605
    "a connection": send_over_a_socket,
}


def acts(*, what: str) -> str:
    {**HARMLESS, **REFUSED}[what]()
    return what


@pytest.fixture
def world(acme: int, database_url: str, tmp_path: Path, declare: Callable[..., Task]) -> Iterator[Callable[[], Any]]:
    """What a shadow might change; the fixture tells how it is now."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("as it was")
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)
    HERE.update(
        url=database_url, folder=str(folder), file=str(folder / "file"), port=server.getsockname()[1],
        task=declare(acts, name="bridge_acts"),
    )  # fmt: skip

    def now() -> Any:
        try:
            server.accept()[0].close()
            was_called = True
        except TimeoutError:
            was_called = False
        files = {each.name: each.read_text() if each.is_file() else None for each in folder.iterdir()}
        rows = sorted(Tenant.objects.values_list("id", "name"))
        return rows, files, TaskEffect.objects.count(), len(mail.outbox), Job.objects.count(), was_called

    yield now
    server.close()
    HERE.clear()


def as_shadow(tenant_id: int, what: str) -> BridgeRun:
    BridgeRun.objects.all().delete()
    with tenant(tenant_id):
        shadow.enqueue(HERE["task"], [], {"what": what}, {}, celery_id="c-1", tenant_id=tenant_id)
    assert run_jobs() == 1
    return BridgeRun.objects.get()


@pytest.mark.parametrize("what", HARMLESS)
def test_what_a_shadow_does_is_seen_by_nobody(acme: int, world: Callable[[], Any], what: str) -> None:
    before = world()
    run = as_shadow(acme, what)
    assert world() == before
    assert (run.side, run.outcome, run.result, run.error_class) == (
        "shadow",
        "succeeded",
        "" if what == "" else what,
        "",
    )
    assert run.kept_back == ("a mail" if what == "a mail" else "")


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_be_seen_outside_is_refused_and_told(acme: int, world: Callable[[], Any], what: str) -> None:
    before = world()
    run = as_shadow(acme, what)
    assert world() == before
    assert run.outcome == "failed"
    assert not Job.objects.filter(status="failed").exists()


def test_without_the_stage_each_of_these_would_be_seen(
    acme: int, world: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guards taken away: all but those that need no stage (a commit's callback would run) change the world."""
    monkeypatch.setattr(stage, "rehearsing", lambda: contextlib.nullcontext(Rehearsal()))
    for what in (*HARMLESS, *REFUSED):
        if what == "a job":
            continue  # it would call itself
        Tenant.objects.filter(pk=99).delete()
        TaskEffect.objects.all().delete()
        for each in Path(HERE["folder"]).iterdir():
            each.rmdir() if each.is_dir() else each.unlink()
        Path(HERE["file"]).write_text("as it was")
        Tenant.objects.filter(pk=acme).update(name="Acme")
        before = world()
        as_shadow(acme, what)
        assert world() != before, what


def test_a_shadow_has_a_folder_that_goes_with_it(acme: int, world: Callable[[], Any], monkeypatch: Any) -> None:
    def keep() -> None:
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write("x")
            HERE["left"] = file.name

    monkeypatch.setitem(HARMLESS, "a temporary file", keep)
    run = as_shadow(acme, "a temporary file")
    assert (run.outcome, run.kept_back, os.path.exists(HERE["left"])) == ("succeeded", "", False)


def test_after_a_shadow_everything_works_again(acme: int, world: Callable[[], Any]) -> None:
    as_shadow(acme, "a new file")
    write_a_file()
    by_thread(insert)
    mail.send_mail("s", "b", "a@example.org", ["b@example.org"])
    rows, files, _, mails, *_ = world()
    assert ((99, "from a shadow") in rows, "from-a-shadow" in files, mails) == (True, True, 1)


def test_a_shadow_waits_at_the_end_of_the_line_and_not_for_ever(acme: int, world: Callable[[], Any]) -> None:
    with tenant(acme):
        shadow.enqueue(HERE["task"], [], {"what": "a row"}, {"countdown": 60}, celery_id="c-2", tenant_id=acme)
    (job,) = Job.objects.all()
    found = shadow.find(job.task_name)
    assert found is not None
    assert (found.isolated, found.max_attempts, found.priority, job.priority) == (True, 1, 10, 1)
    assert job.scheduled_at is not None and job.expires_at is not None
    assert (job.expires_at - job.scheduled_at).total_seconds() == pytest.approx(3_600, abs=2)


def test_results_are_compared_without_what_differs_each_time(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"celery_bridge_ignore": {"bridge_acts": ["id"]}}
    one, two = ({"id": each, "rows": [1, 2]} for each in (1, 2))
    assert runs.digest_of("bridge_acts", one)[1] == runs.digest_of("bridge_acts", two)[1]
    assert runs.digest_of("other", one)[1] != runs.digest_of("other", two)[1]
    assert runs.digest_of("bridge_acts", {"rows": [2, 1]})[1] != runs.digest_of("bridge_acts", one)[1]
    kept, digest = runs.digest_of("bridge_acts", "x" * 5_000)
    assert kept is None and digest


def test_a_call_of_celerys_has_one_number_that_no_job_has() -> None:
    assert old_side.number_of("a") == old_side.number_of("a") != old_side.number_of("b")
    assert -(2**62) <= old_side.number_of("a") < 0


def test_a_shadow_that_opens_its_process_s_first_connection_leaves_it_able_to_write(acme: int) -> None:
    connections["default"].close()  # as in a process that was forked for it

    with stage.rehearsing():
        Tenant.objects.filter(pk=acme).update(name="from a shadow")

    Tenant.objects.filter(pk=acme).update(name="noted afterwards")
    assert Tenant.objects.get(pk=acme).name == "noted afterwards"
