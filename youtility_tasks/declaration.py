"""What a task declares: queue, priority, retry, limits, isolation, tenant."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from croniter import croniter
from django.utils.module_loading import import_string

from . import queues, tasks_api, uniqueness
from .conf import Settings, settings
from .errors import ConfigurationError, NaiveDatetime, WrongOption
from .retry import ONCE, Retry, is_number
from .secrets import keyring, marks
from .uniqueness import Debounce, Key, Rule, Unique

MOST_URGENT, LEAST_URGENT = 1, 10


class CeleryFace(Protocol):
    """What stands behind a task's `delay`, `apply_async` and `AsyncResult`."""

    def apply_async(self, task: Task, args: Any, kwargs: Any, options: Mapping[str, Any]) -> Any: ...
    def result(self, job_id: Any) -> Any: ...
    def attribute(self, task: Task, name: str) -> Any: ...
    def refuse_attribute(self, task: Task, name: str) -> Exception | None: ...


celery_face: list[CeleryFace] = []
"""One; `apps.py` puts it there."""

_LONGEST_NAME = 128
"""procrastinate's column."""

_CRON_FIELDS = 5
_MADE_UP = re.compile(r"(?:^|\s)[rh](?![a-z])", re.IGNORECASE)
_SOME_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


def _is_shown_everywhere(instant: datetime) -> bool:
    """Whether Python can say it in every zone; PostgreSQL's years go on after Python's end, and could not be read back."""
    try:
        return datetime.min.year < instant.astimezone(UTC).year < datetime.max.year
    except OverflowError:
        return False


def _or_none(given: Any) -> Any:
    """0 is a wrong window, and not False."""
    return None if given is False else given


class _Bare(str):
    """An annotation kept as text (`from __future__ import annotations`), shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _signature(function: Callable[..., Any], *, takes_context: bool) -> inspect.Signature:
    """What a caller may give, readable: without the context, annotations without quotes."""

    def bare(annotation: object) -> object:
        return _Bare(annotation) if isinstance(annotation, str) else annotation

    full = inspect.signature(function)
    parameters = [each.replace(annotation=bare(each.annotation)) for each in full.parameters.values()]
    return full.replace(
        parameters=parameters[1:] if takes_context else parameters, return_annotation=bare(full.return_annotation)
    )


@functools.lru_cache(maxsize=1024)  # `using` makes a new Task at every call
def _shape(
    function: Callable[..., Any], takes_context: bool
) -> tuple[inspect.Signature, Mapping[str, bool] | None, marks.Marks, bool]:
    """What a caller may give, the same by name alone, which of it is marked, and whether the function is a coroutine's."""
    signature = _signature(function, takes_context=takes_context)
    found = marks.read(function, signature)
    if found:
        keyring.load()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    takes = signature.parameters.values()
    by_name = (
        {each.name: each.default is each.empty for each in takes} if all(each.kind in named for each in takes) else None
    )
    return signature, by_name, found, inspect.iscoroutinefunction(function)


@functools.lru_cache(maxsize=256)  # `using` validates as well, at every call
def schedule_flaw(expression: str) -> str | None:
    """What is wrong with a schedule's cron expression, or None: five legal fields that fire at least once in fifty years."""
    given = expression.split()
    if len(given) != _CRON_FIELDS:
        return f"it has {len(given)} field{'' if len(given) == 1 else 's'}"
    if _MADE_UP.search(expression):
        return "R and H stand for a time made up anew in every process"
    try:
        croniter(expression, _SOME_YEAR).get_next(datetime)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(tasks_api.Task):  # type: ignore[type-arg]
    """A `django.tasks` Task with what a company needs besides.

    `enqueue`, `aenqueue`, `using`, `get_result`, `call` mean what Django's documentation says of them.
    Priority is 1 (most urgent) to 10; procrastinate stores `11 - priority`.
    """

    # Django 6.0 has no defaults for these.
    priority: int = 5
    backend: str = "default"
    queue_name: str = queues.MAINTENANCE
    run_after: datetime | None = None
    task_name: str
    """The stable name, never the path: it is stored in jobs, history and schedules."""
    aliases: tuple[str, ...] = ()
    """Earlier names, so that jobs enqueued before a renaming still run."""
    retry: Retry = ONCE
    timeout_s: float | None = None
    """Soft time limit of one attempt, in seconds; a few seconds later its process is killed."""
    isolated: bool = False
    """Runs in a child process to itself."""
    record_at_once: bool = False
    """Each ending is reported the moment it happens, not within milliseconds together with its neighbours': fewer
    repetitions after a kill, more work a job."""
    lock: Key = None
    """At most one running job per lock (within the tenant). A function of the arguments is given digests of marked ones."""
    queueing_lock: Key = None
    """At most one waiting job per queueing lock (within the tenant)."""
    unique: str | Unique | None = None
    """At most one job of this task for the same key (within the tenant), for as long as it says; text is that key, held by a waiting or
    running job."""
    debounce: Debounce | None = None
    """Of calls that come shortly after one another the last one runs; a number is the window in seconds, for calls that are alike."""
    expires_at: datetime | None = None
    """A job that nobody has begun by then is not run; set by `using`."""
    tenant: Literal["one", "all"] = "one"
    """"one": needs a tenant. "all": a sweep, which loops over `tenants_in_scope()` itself."""
    schedule: str | None = None
    """Default cron expression, UTC: minute, hour, day, month, weekday."""
    seed_class: str = ""
    """The class the task had in the plan it came from; for listings only."""
    guard: Callable[[dict[str, Any]], None] | None = None
    """Called with the arguments at enqueue, marked ones in clear; raises to refuse the call."""
    verbatim: bool = False
    """Arguments are stored as they were called (`{"args": [], "kwargs": {}}`) and not by name; for adopted tasks."""
    stands_for: tasks_api.Task | None = field(default=None, repr=False, compare=False)  # type: ignore[type-arg]
    """Another Django package's task that this one is; its results show it."""
    called_with: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What the call's `using` changed of that package's declaration, as JSON."""
    signature: inspect.Signature = field(init=False, repr=False, compare=False)
    by_name: Mapping[str, bool] | None = field(init=False, repr=False, compare=False)
    """Its parameters and whether each must be given, if all can be given by name and there are no others."""
    marks: marks.Marks = field(init=False, repr=False, compare=False)
    """Which arguments are marked `Secret` or `Pii`; false when none is."""
    is_async: bool = field(init=False, repr=False, compare=False)
    """Whether the function is a coroutine's: it then runs on the child's loop, not in a thread."""
    found_valid: Settings | None = field(init=False, default=None, repr=False, compare=False)
    """The settings under which `validate` has let it pass."""

    def __post_init__(self) -> None:
        signature, by_name, found, is_async = _shape(self.func, self.takes_context)
        object.__setattr__(self, "signature", signature)
        object.__setattr__(self, "by_name", by_name)
        object.__setattr__(self, "marks", found)
        object.__setattr__(self, "is_async", is_async)
        if self.unique is False:  # type: ignore[comparison-overlap]
            object.__setattr__(self, "unique", None)
        if is_number(self.debounce, least=float("-inf")):
            object.__setattr__(self, "debounce", Debounce(self.debounce))  # type: ignore[arg-type]
        # Not super(): a slotted dataclass is a new class, which the zero-argument form does not know.
        try:
            tasks_api.Task.__post_init__(self)
        except tasks_api.InvalidTask as error:
            kind = type(self.get_backend())
            if any(base.__module__ == f"{__package__}.backends" for base in kind.__mro__):
                raise
            raise ConfigurationError(
                f"Task {self.task_name!r} cannot be declared for {kind.__module__}.{kind.__qualname__}: {error} Right in the "
                f"settings is TASKS = {{{self.backend!r}: {{'BACKEND': 'youtility_tasks.backends.ProcrastinateBackend'}}}}."
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        """By the path of its function, as Django 6.1 does it; what `using` changed goes along."""
        declared = _declared(self.module_path)
        mine = {each.name: getattr(self, each.name) for each in fields(self) if each.init and each.compare}
        return _using_again, (self.module_path, {k: v for k, v in mine.items() if v != getattr(declared, k)})

    @property
    def name(self) -> str:
        """The stable name, `task_name` (Django's own would be the function's)."""
        return self.task_name

    def get_backend(self) -> tasks_api.BaseTaskBackend:
        """As Django's, without its import at every call."""
        return tasks_api.task_backends[self.backend]

    @property
    def is_built(self) -> bool:
        """False for a task whose body is still to come; its guard says so with an attribute of the same name."""
        return bool(getattr(self.guard, "is_built", True))

    @property
    def rule(self) -> Rule | None:
        """By what two calls are one; None also where a text says so, which is simpler."""
        return self.debounce or (self.unique if isinstance(self.unique, Unique) else None)

    @property
    def stored_priority(self) -> int:
        """The number in procrastinate's column, where larger goes first."""
        return LEAST_URGENT + 1 - self.priority

    @property
    def max_attempts(self) -> int:
        """Runs after which a failing job becomes a dead letter (catalog.md 2.0, the n of `R(n, base, factor, cap)`)."""
        return self.retry.max_attempts

    def using(
        self,
        *,
        priority: int | None = None,
        queue_name: str | None = None,
        run_after: datetime | None = None,
        backend: str | None = None,
        lock: Key = None,
        queueing_lock: Key = None,
        unique: str | Unique | Literal[False] | None = None,
        debounce: Debounce | float | Literal[False] | None = None,
        expires_at: datetime | None = None,
    ) -> Task:
        """The same task with other options for the next call; the task itself is unchanged.

        `unique` and `debounce` (a number: its window in seconds) take each other's place; False is neither, whatever was declared.
        Raises NaiveDatetime for a `run_after` or `expires_at` without a zone, UnknownQueue, WrongOption for what cannot be.
        """
        given: dict[str, Any] = {
            "priority": priority,
            "queue_name": queue_name,
            "run_after": run_after,
            "backend": backend,
            "lock": lock,
            "queueing_lock": queueing_lock,
            "expires_at": expires_at,
        }
        changes = {key: value for key, value in given.items() if value is not None}
        if unique is not None or debounce is not None:
            changes |= {"unique": _or_none(unique), "debounce": _or_none(debounce)}
        return replace(self, **changes)

    def delay(self, *args: Any, **kwargs: Any) -> Any:
        """As in Celery: `enqueue`, positional arguments in the order of the parameters; returns an AsyncResult.

        Raises a subclass of EnqueueError, and then nothing was written.
        """
        return celery_face[0].apply_async(self, args, kwargs, {})

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """As in Celery: `delay` with `countdown` (s), `eta`, `expires` (s or an instant), `queue`, `priority` (1, most urgent, to 10),
        `link`, `link_error`, `task_id`.

        Raises NotOfCelery for any other option, saying what to use instead; WrongOption, NaiveDatetime, UnknownQueue,
        WrongArguments and all that `enqueue` raises. Nothing was written then.
        """
        return celery_face[0].apply_async(self, args, kwargs, options)

    def AsyncResult(self, task_id: str | int) -> Any:
        """The job with this id as Celery's call sites look at it."""
        return celery_face[0].result(task_id)

    if TYPE_CHECKING:  # with the package's own backend

        def enqueue(self, *args: Any, **kwargs: Any) -> tasks_api.EnqueuedResult[Any]: ...
        async def aenqueue(self, *args: Any, **kwargs: Any) -> tasks_api.EnqueuedResult[Any]: ...

    if not TYPE_CHECKING:  # or every misspelt attribute would pass for one

        def __getattr__(self, name: str) -> Any:
            found = celery_face[0].attribute(self, name) if celery_face else None
            if found is not None:
                return found
            refusal = celery_face[0].refuse_attribute(self, name) if celery_face else None
            raise refusal or AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def validate(self) -> None:
        """Raise the typed error of whatever is wrong with the declaration or with `using`."""
        now = _settings_if_right()
        if now is not None and self.found_valid is now:
            return
        if not 0 < len(self.task_name) <= _LONGEST_NAME or not self.task_name.isprintable():
            raise ConfigurationError(
                f"A task's name has 1 to {_LONGEST_NAME} printable characters; given: {self.task_name[:200]!r}."
            )
        queues.check(self.task_name, self.queue_name)
        if (
            isinstance(self.priority, bool)
            or not isinstance(self.priority, int)
            or not MOST_URGENT <= self.priority <= LEAST_URGENT
        ):
            raise WrongOption(
                f"Task {self.task_name!r} has priority {self.priority!r}; right is a whole number from "
                f"{MOST_URGENT} (most urgent) to {LEAST_URGENT}."
            )
        self._validate_instant("run_after", self.run_after)
        self._validate_instant("expires_at", self.expires_at)
        if self.unique is not None or self.debounce is not None:
            uniqueness.check(self, kept_s=settings().kept_days(self.task_name) * 86_400)
        if self.timeout_s is not None and not (is_number(self.timeout_s, least=0) and self.timeout_s > 0):
            raise ConfigurationError(
                f"Task {self.task_name!r} has timeout_s={self.timeout_s!r}; right is more than 0 s."
            )
        if not isinstance(self.retry, Retry):
            raise ConfigurationError(
                f"Task {self.task_name!r} has retry={self.retry!r}; right is Retry(max_attempts, base=60, factor=2)."
            )
        if self.tenant not in ("one", "all"):
            raise ConfigurationError(f"Task {self.task_name!r} has tenant={self.tenant!r}; right is 'one' or 'all'.")
        if self.schedule is not None:
            self._validate_schedule(self.schedule)
        if not isinstance(self.aliases, tuple):
            raise ConfigurationError(
                f"Task {self.task_name!r} has aliases={self.aliases!r}; right is a tuple of earlier names."
            )
        for parameter in self.signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL) and not self.verbatim:
                raise ConfigurationError(
                    f"Task {self.task_name!r} takes {str(parameter)!r}, which has no name to be stored by; arguments are "
                    "stored by name. Put a `*` before them all: they are then given by name too."
                )
        object.__setattr__(self, "found_valid", now)

    def _validate_instant(self, name: str, given: object) -> None:
        if given is None:
            return
        if not isinstance(given, datetime):
            raise WrongOption(f"Task {self.task_name!r}: {name} is {given!r}; right is an aware datetime.")
        if given.tzinfo is None or given.utcoffset() is None:
            raise NaiveDatetime(
                f"Task {self.task_name!r}: {name} is {given!r}, which names no instant; "
                "give it a zone, for example timezone.now() + timedelta(minutes=5)."
            )
        if not _is_shown_everywhere(given):
            raise WrongOption(
                f"Task {self.task_name!r}: {name} is {given!r}; right is an instant of the years 2 to 9998."
            )

    def _validate_schedule(self, given: object) -> None:
        flaw = schedule_flaw(given) if isinstance(given, str) else "it is no text"
        if flaw is not None:
            raise ConfigurationError(
                f"Task {self.task_name!r} has schedule={given!r}: {flaw}. Right is a cron of five fields in UTC, minute hour "
                "day month weekday, for example '30 2 * * 1-5'."
            )

    def key(self, key: Key, arguments: Mapping[str, Any]) -> str | None:
        """A lock or key for these arguments."""
        return key(dict(arguments)) if callable(key) else key


def _settings_if_right() -> Settings | None:
    """None where they cannot be read: a task may be declared all the same, as `queues.check` says."""
    try:
        return settings()
    except ConfigurationError:
        return None


def _declared(path: str) -> Task:
    found = import_string(path)
    if not isinstance(found, Task):
        raise TypeError(f"{path} is no task of this package, so what was made of it cannot be pickled.")
    return found


def _using_again(path: str, changed: Mapping[str, Any]) -> Task:
    return replace(_declared(path), **changed)
