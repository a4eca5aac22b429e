"""The `django.tasks` backend: our tasks, and any other Django package's, become jobs in PostgreSQL."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.core import checks

from . import enqueue, foreign, history, queues, tasks_api
from .declaration import Task
from .errors import ConfigurationError, did_you_mean
from .registry import adopt

_OPTIONS = {"queues"}


class ProcrastinateBackend(tasks_api.BaseTaskBackend):
    """`TASKS = {"default": {"BACKEND": "youtility_tasks.backends.ProcrastinateBackend"}}`.

    Other packages' tasks keep their path as name; README.md, "Other packages' tasks", says what each promise of Django's
    means here. They may name the queues in `QUEUES`; without it, "default" and ours. `OPTIONS["queues"]` says which of
    theirs is which of ours, `{"default": "email"}`; what nobody serves becomes `maintenance`.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._names = params.get("QUEUES", [])
        if "QUEUES" not in params:
            self.queues |= _served()
        self._of_ours = copy.copy(self)
        self._of_ours.queues = set()  # they are checked by `queues.check`, with a suggestion

    @property
    def moved(self) -> Mapping[str, str]:
        """Which queue of other packages' is which of ours."""
        found = self.options.get("queues", {}) if isinstance(self.options, Mapping) else {}
        return found if isinstance(found, Mapping) else {}

    def validate_task(self, task: tasks_api.Task) -> None:  # type: ignore[type-arg]
        """Called for each declaration, each `using` and each `enqueue`.

        Raises ConfigurationError, UnknownQueue, WrongOption or NaiveDatetime for one of ours; Django's InvalidTask for
        another package's, and for what no backend could run (a function inside another one).
        """
        if isinstance(task, Task):
            task.validate()  # first: these errors are typed, and say what would be right
            tasks_api.BaseTaskBackend.validate_task(self._of_ours, task)
        else:
            super().validate_task(task)

    def enqueue(
        self,
        task: tasks_api.Task,  # type: ignore[type-arg]
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> tasks_api.TaskResult[Any]:
        """Write one job in the caller's transaction; the result's `id` is the job's, as text.

        Raises an EnqueueError, and then nothing was written: WrongArguments, NotJson, TooDeep, TooLarge, NoTenant, ...;
        Django's InvalidTask for another package's task that the settings of now do not allow.
        """
        if isinstance(task, Task):
            return enqueue.enqueue(task, args, kwargs)
        called = task if task.backend == self.alias else task.using(backend=self.alias)
        self.validate_task(called)
        return enqueue.enqueue(adopt(called, moved=self.moved), args, kwargs)

    def get_result(self, result_id: str) -> tasks_api.TaskResult[Any]:
        """What is known of a job, waiting, running or ended, as long as its history is kept.

        Raises TaskResultDoesNotExist for an id that is none, also for a job of another tenant than the current one.
        """
        return history.result(result_id)

    def check(self, **kwargs: Any) -> Iterable[checks.CheckMessage]:
        """What is wrong with this alias of TASKS; settings of our own are checked once, by `checks.py`."""
        return list(self._flaws())

    def _flaws(self) -> Iterator[checks.CheckMessage]:
        says = f"TASKS[{self.alias!r}]"
        names, options = self._names, self.options
        if not isinstance(names, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in names):
            yield _flaw(5, f"{says}['QUEUES'] is {names!r}; right is a list of names.", "For example ['default'].")
            return
        if not isinstance(options, Mapping):
            yield _flaw(
                5,
                f"{says}['OPTIONS'] is {options!r}; right is a dict.",
                "For example {'queues': {'default': 'email'}}.",
            )
            return
        for name in sorted(map(str, options.keys() - _OPTIONS)):
            hint = did_you_mean(name, _OPTIONS).strip() or "Take it out: settings of the house are in YOUTILITY_TASKS."
            yield _flaw(
                5, f"{says}['OPTIONS'] has {name!r}, which is none; right is {{'queues': {{theirs: ours}}}}.", hint
            )
        moved = options.get("queues", {})
        if not isinstance(moved, Mapping):
            yield _flaw(
                5, f"{says}['OPTIONS']['queues'] is {moved!r}; right is a dict.", "For example {'default': 'email'}."
            )
            return
        served = _served()
        if not served:
            return
        for theirs, ours in moved.items():
            if ours not in served:
                yield _flaw(
                    6,
                    f"{says}['OPTIONS']['queues'] sends {theirs!r} to {ours!r}, which no worker serves.",
                    f"Configured queues: {', '.join(sorted(served))}.",
                )
        for theirs in sorted(self.queues - set(moved)):
            if foreign.queue_name(theirs, moved) not in served:
                yield _flaw(
                    6,
                    f"{says} allows the queue {theirs!r}, which no worker serves.",
                    f"Say in OPTIONS['queues'] which it is: {{{theirs!r}: {min(served)!r}}}.",
                )


def _flaw(number: int, words: str, hint: str) -> checks.Error:
    return checks.Error(words, hint=hint, id=f"youtility_tasks.E{number:03}")


def _served() -> set[str]:
    """The queues that workers serve; empty under settings that cannot be read, of which `checks.py` tells."""
    try:
        return set(queues.configured())
    except ConfigurationError:
        return set()
