"""A task as Celery's code knows it: the object that `@shared_task` leaves in a module, and what `self` is in a bound one."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from youtility_tasks import declaration
from youtility_tasks.conf import settings
from youtility_tasks.errors import WrongArguments

from . import absent, config, eager, exceptions, known, request, retrying, saying, sides
from .canvas import chunks, xmap, xstarmap
from .results import AsyncResult, EagerResult
from .signatures import Signature


class Task:
    """The base of all tasks, and of the bases that an application makes: `@app.task(base=Mine)`, `class Mine(Task)`.

    Attributes mean what Celery's documentation says of them; those that cannot be carried raise NotOfCelery when the task is declared.
    """

    name: str = ""
    typing: bool = True
    max_retries: int | None = 3
    default_retry_delay: float = 180
    autoretry_for: Sequence[type[BaseException]] = ()
    dont_autoretry_for: Sequence[type[BaseException]] = ()
    retry_kwargs: Mapping[str, Any] = {}
    retry_backoff: bool | float = False
    retry_backoff_max: float = 600
    retry_jitter: bool = True
    time_limit: float | None = None
    soft_time_limit: float | None = None
    ignore_result: bool = False
    throws: Sequence[type[BaseException]] = ()
    """Kept; a task that raises one of these is a dead letter like any other."""
    acks_late: bool = False
    """Kept; every job is: what its worker was killed with runs again."""
    track_started: bool = True
    trail: bool = True
    expires: float | datetime | None = None
    priority: int | None = None
    queue: str | None = None
    abstract: bool = True
    bind: bool = False
    app: Any = None
    """The application that it was declared by, else the one that was made last."""
    house: declaration.Task
    """The same task to our queue, workers and pages."""
    signature_of_run: inspect.Signature
    said: Mapping[str, Any] = {}
    """What its declaration says, without its base and the settings."""

    MaxRetriesExceededError = property(lambda self: exceptions.MaxRetriesExceededError)

    # -- what an application writes

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """The body."""
        raise NotImplementedError("Tasks must define the run method.")

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Called before each attempt."""

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Called when the body has returned."""

    def on_retry(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Called when another attempt will follow."""

    def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Called when the body has raised and no attempt will follow; not when its process dies."""

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Called after either, unless another attempt follows."""

    # -- calls

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the body here, as a function. A base's own `__call__` may end in this one: the attempt's request then stays."""
        now = request.of(self)
        if not now.called_directly and not now.is_called and type(self).__call__ is not Task.__call__:
            now.is_called = True
            return self.run(*args, **kwargs)
        with request.pushed(self, request.Request(args=args, kwargs=kwargs)):
            return self.run(*args, **kwargs)

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """`apply_async` without options."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self, args: Any = None, kwargs: Any = None, task_id: str | None = None, link: Any = None, link_error: Any = None, **options: Any
    ) -> Any:  # fmt: skip
        """Have it run, on the side that its route says; an AsyncResult. Raises NotOfCelery for an option that cannot be had.

        `countdown`, `eta`, `expires`, `queue`, `priority`, `ignore_result`, `headers`, `link`, `link_error`, `task_id` mean what they do
        in Celery. A call without `link` is in the caller's transaction.
        """
        given_args, given_kwargs = self.checked(args, kwargs)
        said = {**self.defaults(), **options, "task_id": task_id, "link": link, "link_error": link_error}
        if config.conf["task_always_eager"]:
            return self.apply(given_args, given_kwargs, **said)
        return sides.send(self.house, given_args, given_kwargs, {k: v for k, v in said.items() if v is not None})

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """`delay` when the caller's transaction commits. `delay` alone does better on our side: it commits with the transaction."""
        self.apply_async_on_commit(args, kwargs)

    def apply_async_on_commit(self, args: Any = None, kwargs: Any = None, **options: Any) -> None:
        """`apply_async` when the caller's transaction commits."""
        self.checked(args, kwargs)
        transaction.on_commit(functools.partial(self.apply_async, args, kwargs, **options), using=settings().database)

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> EagerResult:
        """Run it here and now, retries too; an EagerResult."""
        return eager.apply(self, args or (), kwargs or {}, **options)

    def defaults(self) -> dict[str, Any]:
        """Options of a call that the declaration gives."""
        mine = {"expires": self.expires, "ignore_result": self.ignore_result or None}
        return {name: value for name, value in mine.items() if value is not None}

    def checked(self, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call. Raises WrongArguments (a TypeError) for what the body would not take, unless `typing` is off."""
        args, kwargs = () if args is None else args, {} if kwargs is None else kwargs
        if isinstance(args, str | bytes) or not isinstance(args, Sequence) or not isinstance(kwargs, Mapping):
            raise WrongArguments(
                f"Task {self.name!r}: args is {args!r:.80} and kwargs {kwargs!r:.80}; right are a list or tuple, and a dict."
            )
        if self.typing:
            try:
                self.signature_of_run.bind(*args, **kwargs)
            except TypeError as error:
                raise WrongArguments(
                    f"Task {self.name!r}: {error}. Right is {self.name}{self.signature_of_run}."
                ) from None
        return list(args), dict(kwargs)

    def AsyncResult(self, task_id: str, **_: Any) -> AsyncResult:
        """The task of this id."""
        return AsyncResult(task_id)

    # -- canvas

    def s(self, *args: Any, **kwargs: Any) -> Signature:
        """A signature with these arguments."""
        return self.signature(args, kwargs)

    def si(self, *args: Any, **kwargs: Any) -> Signature:
        """The same, immutable: it takes no result of another task."""
        return self.signature(args, kwargs, immutable=True)

    def signature(self, args: Any = None, kwargs: Any = None, *_: Any, **options: Any) -> Signature:
        """A signature with these arguments and options."""
        return Signature(self.name, args, kwargs, **options)

    subtask = signature

    def chunks(self, it: Any, n: int) -> Any:
        """Many calls, n of them in each job."""
        return chunks(self.s(), it, n)

    def map(self, it: Any) -> Any:
        """One job that calls this with each element."""
        return xmap(self.s(), it)

    def starmap(self, it: Any) -> Any:
        """One job that calls this with each element as its arguments."""
        return xstarmap(self.s(), it)

    # -- in the body

    @property
    def request(self) -> request.Request:
        """Of the attempt that runs here."""
        return request.of(self)

    def retry(
        self, args: Any = None, kwargs: Any = None, exc: BaseException | None = None, throw: bool = True,
        eta: datetime | None = None, countdown: float | None = None, max_retries: int | None = None, **options: Any,
    ) -> BaseException:  # fmt: skip
        """Have another attempt follow: `raise self.retry(exc=exc, countdown=60)`; other arguments, too, but no other queue.

        Raises `exc` (else MaxRetriesExceededError) when there were `max_retries` already.
        """
        return retrying.retry(
            self, args, kwargs, exc=exc, throw=throw, eta=eta, countdown=countdown, max_retries=max_retries, **options
        )

    def update_state(self, task_id: str | None = None, state: str | None = None, meta: Any = None, **_: Any) -> None:
        """Say how far this attempt is: `AsyncResult.state` and `.info` until it has ended. Inside a transaction: when it commits."""
        saying.update(self, task_id, state, meta)

    def replace(self, sig: Any) -> Any:
        """Refused: a job ends with its own result."""
        raise absent.refuse_replaced(self.name, "replace")

    def add_to_chord(self, sig: Any, lazy: bool = False) -> Any:
        """Refused: a chord's header is known when it starts."""
        raise absent.refuse_replaced(self.name, "add_to_chord")

    # -- ours

    def enqueue(self, *args: Any, **kwargs: Any) -> Any:
        """Our own `enqueue`: never routed to Celery."""
        return self.house.enqueue(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        refusal = absent.refuse_attribute(f"Task {self.name!r}", name, absent.OF_BRIDGED)
        raise refusal or AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<@task: {self.name}>"

    def __reduce__(self) -> Any:
        return _again, (self.name,)


def _again(name: str) -> Task:
    return known.tasks[name]


class _Current:
    """`current_task`: the task that runs here; false outside of one."""

    def __bool__(self) -> bool:
        return self._found() is not None

    def __getattr__(self, name: str) -> Any:
        found = self._found()
        if found is None:
            raise AttributeError(f"No task runs here, so that there is no {name!r} of it.")
        return getattr(found, name)

    def _found(self) -> Any:
        """Of ours, else Celery's own in one of its workers."""
        found = request.innermost()
        state = sys.modules.get("celery._state")
        return found[0] if found is not None else None if state is None else state.get_current_task()


current_task = _Current()
