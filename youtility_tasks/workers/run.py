"""Inside a child, around one task: tenant, clock, soft limit, abort; returns or raises, stores nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import json
import logging
import resource
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from youtility_tasks import context, failpoints, foreign, history, notes, payload, registry, running, tasks_api, tenants
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import AbortRequested, BadInput, Expired, NoTenant, SoftTimeLimit, TryAgain, UnknownTask
from youtility_tasks.finish import FinalFailure, Happened, Verdict, classify, decide, on_final_failure
from youtility_tasks.secrets import scrubbing, sealing
from youtility_tasks.tenancy import token
from youtility_tasks.workflows import resolve

from . import output, telling

_NO_LIMIT_S = 3_600.0
_NOTHING = "youtility_tasks_nothing"
_MAX_NAME, _MAX_MESSAGE, _MAX_TRACEBACK = 500, 10_000, 50_000

time_is_up: list[type[SoftTimeLimit]] = [SoftTimeLimit]
"""What is raised in a task whose time is up; `celery_bridge` puts a subclass there that is Celery's own error, too."""

on_expired: list[Callable[[Assignment], None]] = []
"""Called, in the child, for a job whose turn came too late."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a child is told of a job."""

    job_id: int
    claim_number: int
    task_name: str
    args: dict[str, Any] | BadInput
    """As `read` from the job's row: what is no arguments fails the job when it runs, and nothing before."""
    attempt: int
    tenant_id: int
    worker_id: int
    begin_by: float | None = None
    """Monotonic seconds after which it is not begun any more; None: it does not expire."""


@dataclass(slots=True)
class Run:
    """One attempt while it runs; the child's main thread interrupts it through `interrupt`."""

    assignment: Assignment
    task: Task | None
    started: float | None = None
    """Monotonic seconds; None while it waits for a thread."""
    resolved: dict[str, Any] | None = None
    """Of a workflow's step: its arguments with values in the place of references."""
    hidden: scrubbing.Scrubber | None = None
    """What must not be seen of its arguments, once they are open; None when none is marked."""
    known: tasks_api.TaskResult[Any] | None = None
    """Of another package's task: what is known of its job as the attempt begins, for its context and for who listens."""
    stored_result: Any = None
    """What it returned, as its history will have it."""
    backend: type[tasks_api.BaseTaskBackend] = field(init=False, repr=False, compare=False)
    """The sender of Django's signals."""
    fields: telling.Fields = field(init=False, repr=False, compare=False)
    """Of Django's TaskResult, as the attempt begins."""
    interrupted: bool = False
    abort: threading.Event | None = None
    """What the task's context shows of an abort; made for a task that takes its context, or given."""
    notes: notes.Notes | None = None
    """Of a task that takes its context: what it says of its way."""
    trace: list[Any] | None = None
    """Of a traced job: see `spans.Told`."""
    keeps_error: bool = False
    error: BaseException | None = None
    """What left the task, where somebody watches (`keeps_error`)."""
    _abort_asked: bool = False
    _thread_id: int | None = None
    _async_task: asyncio.Task[Any] | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _reason: type[BaseException] | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def soft_deadline(self) -> float | None:
        """Monotonic seconds at which the time limit passes."""
        if self.started is None or self.task is None or self.task.timeout_s is None:
            return None
        return self.started + self.task.timeout_s

    def ask_to_abort(self) -> None:
        """Let a task that looks at its context see that it should end."""
        with self._guard:
            self._abort_asked = True
            if self.abort is not None:
                self.abort.set()

    def abort_event(self) -> threading.Event:
        """What the context shows of an abort; made only for tasks that take their context."""
        with self._guard:
            if self.abort is None:
                self.abort = threading.Event()
                if self._abort_asked:
                    self.abort.set()
            return self.abort

    def interrupt(self, reason: type[BaseException]) -> None:
        """Raise `reason` inside the task, once, if it is still running. Code blocked in C notices when it returns."""
        with self._guard:
            if self.interrupted:
                return
            self.interrupted = True
            self._reason = reason
            if self._thread_id is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread_id), ctypes.py_object(reason))
            elif self._async_task is not None and self._loop is not None:
                self._loop.call_soon_threadsafe(self._async_task.cancel)

    @property
    def is_foreign(self) -> bool:
        """Whether its task is another Django package's."""
        return self.task is not None and self.task.stands_for is not None

    def keep(self, returned: Any) -> None:
        """Make what the task returned fit for its history. Raises TypeError or ValueError when another package's is no JSON."""
        if returned is None:
            return
        before = self._reason
        if self.is_foreign:
            returned = foreign.result(returned)
        cleaned = payload.clean(returned, max_bytes=settings().max_result_bytes)
        self.stored_result = cleaned if self.hidden is None else self.hidden.json(cleaned)
        if (
            self._reason is not None and self._reason is not before
        ):  # it came while `clean` was at work, which takes any error
            raise self._reason

    @contextlib.contextmanager
    def interruptible_thread(self) -> Iterator[None]:
        """While this thread is inside the block, `interrupt` raises in it; raises at once what was asked for before."""
        with self._guard:
            self._thread_id = threading.get_ident()
        try:
            if self._reason is not None:  # it was asked for before this thread came to it
                raise self._reason
            yield
        finally:
            with self._guard:
                # Whatever was asked for and has not arrived must not hit the next job of this thread.
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread_id or 0), None)
                self._thread_id = None

    @contextlib.asynccontextmanager
    async def interruptible_task(self) -> Any:
        """As `interruptible_thread`, for the asyncio task that is inside the block."""
        with self._guard:
            self._async_task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        try:
            if self._reason is not None:  # it was asked for before the loop came to it
                raise self._reason
            yield
        except asyncio.CancelledError:
            if self._reason is not None:
                raise self._reason from None
            raise
        finally:
            with self._guard:
                self._async_task = None


def read(args: str) -> dict[str, Any] | BadInput:
    """A job's arguments from its row, which SQL may have written: whatever they are, jobs beside it must not notice."""
    try:
        found = json.loads(args)
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 3,000 brackets
        return BadInput(f"The arguments are JSON that Python cannot read: {error}. Enqueue the job by its task.")
    if isinstance(found, dict):
        return found
    return BadInput(
        f"The arguments are a JSON {type(found).__name__}; right is an object. Enqueue the job by its task."
    )


def begin(assignment: Assignment) -> Run:
    """Find the task; its clock starts when it runs."""
    return Run(assignment, registry.resolve(assignment.task_name))


def rehearse(queue_name: str) -> None:
    """Do all that is done around a sync task of this queue, around one that does nothing, and tell nobody.

    After a pause none of that code is in the processor's caches, and the first job would wait for it; while it is being claimed there is time.
    """
    rehearsed = Run(Assignment(0, 0, _NOTHING, {}, 1, tenants.ALL, 0), _nothing(queue_name))
    run_sync(rehearsed, tells=False)
    tasks_api.result_of_json(rehearsed.fields)


@functools.cache
def _nothing(queue_name: str) -> Task:
    return Task(func=_do_nothing, task_name=_NOTHING, queue_name=queue_name, tenant="all")


def _do_nothing() -> None: ...


def run_sync(run: Run, *, tells: bool = True) -> dict[str, Any]:
    """Run a sync task in this thread; the ending to be reported. Django's signals are sent if it `tells`."""
    run.started = time.monotonic()
    before = _usage()
    with output.kept() as said:
        try:
            with run.interruptible_thread():
                _look(run)
                with _surroundings(run, tells=tells) as (task, args, kwargs):
                    run.keep(task.func(*args, **kwargs))
        except BaseException as error:  # a task's SystemExit is its own failure, not the worker's end
            ending = _ending(run, said, before, error=error)
            _tell_if_final(run, ending)
            return ending
    return _ending(run, said, before)


async def run_async(run: Run) -> dict[str, Any]:
    """Run an async task on this loop; the ending to be reported. Its CPU time is not told apart from its neighbours'."""
    run.started = time.monotonic()
    with output.kept() as said:
        try:
            async with run.interruptible_task():
                if run.is_foreign:
                    await sync_to_async(_look)(run)
                with _surroundings(run, tells=False) as (task, args, kwargs):
                    async with _told_of(run):
                        run.keep(await task.func(*args, **kwargs))
        except BaseException as error:
            ending = _ending(run, said, None, error=error)
            await sync_to_async(_tell_if_final)(run, ending)
            return ending
    return _ending(run, said, None)


def run_in_place(run: Run) -> dict[str, Any]:
    """Run a task, sync or async, to its end in this thread; the ending to be reported."""
    return async_to_sync(run_async)(run) if is_async(run) else run_sync(run)


def call_in_place(run: Run) -> Any:
    """Run the task here and now, in its tenant; returns its result, or raises its error without values of marked arguments."""
    try:
        with _surroundings(run) as (task, args, kwargs):
            returned = task.call(*args, **kwargs)
            run.keep(returned)
        return returned
    except BaseException as error:
        told = error if run.hidden is None else run.hidden.error(error)
        if told is error:
            raise
        raise told from None


def whose(run: Run) -> contextlib.AbstractContextManager[Any]:
    """The tenant of a job, for what is looked up before its task runs."""
    stack = contextlib.ExitStack()
    stack.enter_context(_whose(run.assignment))
    if run.task is not None:
        stack.enter_context(token.living(_longest_s(run.task)))
    return stack


def is_async(run: Run) -> bool:
    """Whether it runs on the loop rather than in a thread; an unknown task, which can only fail, does not."""
    return run.task is not None and run.task.is_async


def _look(run: Run) -> None:
    """Read what is known of the job of another package's task, whose context and signals tell all that Django's would."""
    job, task = run.assignment, run.task
    if task is not None and run.is_foreign:
        with _whose(job), token.living(_longest_s(task)):
            run.known = telling.known_of(job.job_id)


def _whose(job: Assignment) -> contextlib.AbstractContextManager[Any]:
    return tenants.tenant(job.tenant_id) if job.tenant_id != tenants.ALL else tenants.no_tenant()


@contextlib.asynccontextmanager
async def _told_of(run: Run) -> AsyncIterator[None]:
    """Django's signals around the run of an async task; who listens may ask the database, which Django allows in a thread only."""
    tell = sync_to_async if telling.has_listeners() else telling.at_once
    await tell(telling.started)(run.backend, run.fields)
    try:
        yield
    except BaseException as error:
        final = _final(run, error)
        if final is not None:
            await tell(telling.failed)(run.backend, run.fields, final)
        raise
    await tell(telling.succeeded)(run.backend, run.fields, run.stored_result)


@contextlib.contextmanager
def _surroundings(run: Run, *, tells: bool = True) -> Iterator[tuple[Task, list[Any], dict[str, Any]]]:
    """Around a task; if it `tells`, it sends Django's signals, too."""
    job, task = run.assignment, run.task
    if task is None:
        raise UnknownTask(job.task_name, registry.registered())
    if job.tenant_id == tenants.ALL and task.tenant == "one":
        raise BadInput(str(NoTenant(task.name)))
    if isinstance(job.args, BadInput):
        raise job.args
    if job.begin_by is not None and time.monotonic() > job.begin_by:
        for tell in on_expired:
            tell(job)
        raise Expired(time.monotonic() - job.begin_by)
    if job.job_id:  # a rehearsal is no start
        failpoints.reach("before_start")
    stored, workflow_id = job.args, None
    if resolve.KEY in stored:
        workflow_id = workflow_of(stored)
        stored = run.resolved = _of_step(job, task, stored)
    opened = None
    if task.marks or sealing.holds_sealed(stored, verbatim=task.verbatim):
        opened = sealing.unseal(sealing.Place(job.tenant_id, job.task_name, task.marks, task.verbatim), stored)
    args, kwargs = history.unpack(task, stored if opened is None else opened.stored)
    shown_args, shown_kwargs = (args, kwargs) if opened is None else history.unpack(task, opened.shown)
    fields = context.running(
        task, job_id=job.job_id, attempt=job.attempt, args=shown_args, kwargs=shown_kwargs, worker_id=job.worker_id
    )
    fields |= telling.begun(task, attempt=job.attempt, known=run.known, stored=stored)
    before = running.current.set(running.Running(job.job_id, task.name, workflow_id, job.tenant_id, job.attempt))
    if opened is not None:
        run.hidden = opened.scrubber
        scrubbing.watch(run.hidden)
    try:
        with _whose(job), token.living(_longest_s(task)):
            args = [_context(run, task, fields), *args] if task.takes_context else args
            run.backend, run.fields = type(task.get_backend()), fields
            if not tells:
                yield task, args, kwargs
                return
            telling.started(run.backend, fields)
            try:
                yield task, args, kwargs
            except BaseException as error:
                final = _final(run, error)
                if final is not None:
                    telling.failed(run.backend, fields, final)
                raise
            telling.succeeded(run.backend, fields, run.stored_result)
    finally:
        running.current.reset(before)
        if run.hidden is not None:
            scrubbing.unwatch(run.hidden)


def workflow_of(stored: Any) -> int | None:
    """The run that a job with these arguments is a step of."""
    at = resolve.place(stored) if isinstance(stored, dict) else None
    return None if at is None else at.workflow_id


def _of_step(job: Assignment, task: Task, stored: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a workflow's step, with values in the place of what they refer to."""
    at = resolve.place(stored)
    if at is None:
        return resolve.without_place(stored)
    with _whose(job), token.living(_longest_s(task)):
        return resolve.opened(stored, at, verbatim=task.verbatim)


def _longest_s(task: Task) -> float:
    """For how long one of its statements may run."""
    return _NO_LIMIT_S if task.timeout_s is None else task.timeout_s + settings().soft_limit_grace_s


def _context(run: Run, task: Task, fields: telling.Fields) -> context.TaskContext:
    job, abort, result = run.assignment, run.abort_event(), tasks_api.result_of_json(fields)
    scrub = str if run.hidden is None else run.hidden.text
    run.notes = notes.Notes(job.job_id, job.worker_id, job.claim_number, tenant_id=job.tenant_id, scrub=scrub)
    return context.TaskContext(
        task_result=result,
        task=task,
        job_id=job.job_id,
        tenant_id=job.tenant_id,
        # Django's counts crashes, too.
        number=job.attempt if task.stands_for is None else max(job.attempt, result.attempts),
        abort=abort,
        notes=run.notes,
    )  # fmt: skip


def _usage() -> resource.struct_rusage:
    """CPU seconds of this thread and the peak memory of the process, in one system call."""
    return resource.getrusage(resource.RUSAGE_THREAD)


def _ending(
    run: Run,
    said: output.Tail,
    before: resource.struct_rusage | None,
    *,
    error: BaseException | None = None,
) -> dict[str, Any]:
    after = _usage()
    ending: dict[str, Any] = {
        "id": run.assignment.job_id,
        "claim_number": run.assignment.claim_number,
        "happened": Happened.RETURNED,
        "run_ms": round((time.monotonic() - (run.started or 0)) * 1000, 3),
        "cpu_ms": None if before is None else round((_cpu_s(after) - _cpu_s(before)) * 1000, 3),
        "peak_memory_kib": after.ru_maxrss,
    }
    hidden = run.hidden
    printed = said.text(hidden)
    if printed:
        ending["output"] = payload.clean_text(printed)
    if run.notes is not None and error is not None:
        last = run.notes.rest()
        if last is not None:
            ending["progress"] = last
    if error is None:
        if run.stored_result is not None:
            ending["result"] = run.stored_result
    else:
        if run.keeps_error:
            run.error = error
        ending["happened"] = Happened.ABORTED if run._reason is AbortRequested else classify(error)
        if ending["happened"] is Happened.ASKED and isinstance(error, TryAgain):
            ending["asked_s"] = error.delay_s
        elif run._reason is not None and issubclass(run._reason, SoftTimeLimit):
            ending["happened"] = Happened.TIMED_OUT
        ending["error_class"], ending["error_message"], ending["traceback"] = _told(run, error)
    return ending


def _final(run: Run, error: BaseException) -> tuple[str, str, str] | None:
    """As `_told`, of an error that no other attempt will follow; None of others."""
    task = run.task
    if (
        task is None
        or decide(classify(error), task, attempt=run.assignment.attempt, crash_count=0).verdict is Verdict.RETRY
    ):
        return None
    return _told(run, error)


def _told(run: Run, error: BaseException) -> tuple[str, str, str]:
    """Class, message and traceback of an error as they are kept."""
    if isinstance(error, TryAgain) and error.__cause__ is not None:
        error = error.__cause__
    kind = type(error)
    # Scrubbed before it is cut: half a value is a value, too.
    scrub = str if run.hidden is None else run.hidden.text
    return (
        payload.clean_text(f"{kind.__module__}.{kind.__qualname__}", limit=_MAX_NAME),
        payload.clean_text(scrub(payload.safe(str, error)), limit=_MAX_MESSAGE),
        payload.clean_text(scrub(_traceback(error)), limit=_MAX_TRACEBACK),
    )


def _cpu_s(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _tell_if_final(run: Run, ending: dict[str, Any]) -> None:
    job, task, happened = run.assignment, run.task, Happened(ending["happened"])
    if task is None or not on_final_failure:
        return
    if decide(happened, task, attempt=job.attempt, crash_count=0).verdict is not Verdict.FAILED:
        return
    failure = FinalFailure(
        task,
        job.job_id,
        job.tenant_id,
        ending["error_class"],
        error_message=ending["error_message"],
        traceback=ending["traceback"],
        arguments={} if isinstance(job.args, BadInput) else run.resolved or resolve.without_place(job.args),
        workflow_id=workflow_of(job.args),
    )
    with tenants.no_tenant():
        for tell in on_final_failure:
            try:
                tell(failure)
            except Exception:
                logger.exception("nobody was told of the failure id=%s task=%s", job.job_id, task.name)


def _traceback(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(error)
    except BaseException as broken:  # whatever the error's own text raises
        lines = [f"{type(error).__name__} whose traceback could not be made: {type(broken).__name__}"]
    return "".join(lines)
