"""`Celery`: the application object of those who have one, so that `@app.task`, `app.conf` and `app.send_task` go on."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.apps import apps
from django.utils import timezone
from django.utils.module_loading import import_string

from youtility_tasks.errors import NotOfCelery

from . import config
from .signals import Signal

_ABSENT: Mapping[str, str] = {
    "Worker": "`manage.py run_postgresql_worker`",
    "WorkController": "`manage.py run_postgresql_worker`",
    "Beat": "workers fire schedules: `manage.py migrate_celery_beat`",
    "amqp": "a job is a row of the database",
    "backend": "`youtility_tasks.history.story(id)` has all that is known of a job",
    "broker_connection": "a job is a row of the database",
    "connection": "a job is a row of the database",
    "connection_for_read": "a job is a row of the database",
    "connection_for_write": "a job is a row of the database",
    "events": "look at the history and the metrics, which are always kept",
    "loader": "tasks are found in the installed applications",
    "log": "Django's LOGGING",
    "pool": "a job is a row of the database",
    "producer_pool": "a job is a row of the database",
    "start": "`manage.py run_postgresql_worker`",
    "steps": "there are no bootsteps: a worker has one way of working",
    "user_options": "write a management command",
    "worker_main": "`manage.py run_postgresql_worker`",
}


class Celery:
    """`app = Celery("proj", broker=..., backend=...)`: broker and backend are the database, whatever is named there.

    May be made, configured and given tasks before Django has loaded its settings, as the usual `proj/celery.py` does: what needs
    more waits until Django is ready. Its settings are those of the process: a second application shares them.
    """

    def __init__(
        self, main: str | None = None, broker: Any = None, backend: Any = None, include: Any = (), set_as_current: bool = True,
        config_source: Any = None, task_cls: Any = None, **settings: Any,
    ) -> None:  # fmt: skip
        self.main = main or "__main__"
        self.conf = config.conf
        if main is not None:
            self.conf.is_whole = True
        self.on_after_configure, self.on_after_finalize = _Once("on_after_configure"), _Once("on_after_finalize")
        self._task_class = task_cls
        self.conf.update({key: value for key, value in settings.items() if key in config.DEFAULTS})
        waiting.append(self._configured)
        self.conf.before_schedules.append(self._configured)
        if config_source is not None:
            self.config_from_object(config_source)
        current[:] = [self]

    @property
    def Task(self) -> Any:
        """The base of its tasks: `task_cls`, a class or the path of one, or what was put here."""
        if isinstance(self._task_class, str):
            self._task_class = import_string(self._task_class.replace(":", "."))
        return self._task_class or _module("task").Task

    @Task.setter
    def Task(self, base: Any) -> None:
        self._task_class = base

    def task(self, *args: Any, **options: Any) -> Any:
        """As Celery's: `@app.task`, `@app.task(bind=True, ...)`."""
        return _task(args, lambda function: self._declared(function, options))

    def _declared(self, function: Any, options: Mapping[str, Any]) -> Any:
        return _module("declare").declare(function, options, app=self, main=self.main)

    def register_task(self, made: Any, **options: Any) -> Any:
        """A task of a class with a `run`: `app.register_task(Mine())`."""
        made = made() if isinstance(made, type) else made
        name = made.name or f"{type(made).__module__}.{type(made).__name__}"
        made.app = self
        return _module("declare").enter(made, name, options, made.run)

    @property
    def tasks(self) -> dict[str, Any]:
        """The tasks of Celery's form by their names."""
        return dict(_module("known").tasks)

    def config_from_object(
        self, source: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take settings from a module, a class or their name; `"django.conf:settings"` with `namespace="CELERY"` as ever."""
        if isinstance(source, str) and source != "django.conf:settings":
            source = importlib.import_module(source.replace(":", "."))
        self.conf.from_object(source, namespace)

    def _configured(self) -> None:
        self.on_after_configure.happen(self)
        self.on_after_finalize.happen(self)

    def autodiscover_tasks(self, packages: Any = None, related_name: str | None = "tasks", force: bool = False) -> None:
        """Import `tasks` of each package (of each installed application): now if Django is ready; otherwise it does that itself."""
        if not apps.ready:
            return
        names = packages() if callable(packages) else packages or [each.name for each in apps.get_app_configs()]
        for name in names:
            path = f"{name}.{related_name}" if related_name else name
            with contextlib.suppress(ModuleNotFoundError):
                if importlib.util.find_spec(path) is not None:
                    importlib.import_module(path)

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Call a task by its name. Raises UnknownTask for one that is not declared here."""
        known, sides = _module("known"), _module("sides")
        house = known.house(name)
        bridged = known.of(house)
        said = {key: value for key, value in options.items() if value is not None}
        if bridged is not None:
            return sides.send(house, list(args or ()), dict(kwargs or {}), {**bridged.defaults(), **said})
        return sides.send(house, args, kwargs, said)

    def signature(self, *args: Any, **kwargs: Any) -> Any:
        """See `canvas.signature`."""
        return _module("canvas").signature(*args, **kwargs)

    subtask = signature

    @property
    def AsyncResult(self) -> Any:
        """The class of results."""
        return _module("groups").AsyncResult

    @property
    def GroupResult(self) -> Any:
        """The class of groups' results."""
        return _module("groups").GroupResult

    def add_periodic_task(
        self, schedule: Any, sig: Any, args: Any = (), kwargs: Any = None, name: str | None = None, **options: Any
    ) -> str:
        """Enter a schedule into `conf.beat_schedule`, which `migrate_celery_beat` reads."""
        key = name or repr(sig)
        entry = {
            "task": sig["task"],
            "schedule": schedule,
            "args": tuple(sig["args"]) or tuple(args or ()),
            "kwargs": sig["kwargs"] or dict(kwargs or {}),
            "options": {**sig["options"], **options},
        }
        self.conf.update(beat_schedule={**self.conf["beat_schedule"], key: entry})
        return key

    @property
    def control(self) -> _Control:
        """`app.control.revoke(id, terminate=True)`."""
        return _Control()

    @property
    def current_task(self) -> Any:
        """The task that runs here."""
        return _module("task").current_task

    def set_current(self) -> None:
        """Nothing: there is one."""

    set_default = finalize = close = set_current

    def now(self) -> Any:
        """The time, aware."""
        return timezone.now()

    def __getattr__(self, name: str) -> Any:
        if name in _ABSENT:
            raise NotOfCelery(f"The Celery application has no {name!r} here; instead, {_ABSENT[name]}.")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<Celery {self.main}>"


def shared_task(*args: Any, **options: Any) -> Any:
    """As Celery's: `@shared_task`, `@shared_task(bind=True, autoretry_for=(OSError,), retry_backoff=True, ...)`.

    Takes Celery's options of a task, and of ours `tenant` ("all" unless you say "one"), `isolated` and `record_at_once`. Raises NotOfCelery,
    as the module is imported, for what cannot be carried over, with the way out.
    """
    return _task(args, lambda function: _module("declare").declare(function, options))


def _task(args: tuple[Any, ...], declare: Callable[[Any], Any]) -> Any:
    """The task that a decorator makes, with or without options; where Django is not ready, one that is made when it is."""

    def enter(function: Any) -> Any:
        if apps.apps_ready:
            return declare(function)
        later = Later(lambda: declare(function), function)
        waiting.append(later.made)
        return later

    return enter(args[0]) if args and callable(args[0]) else enter


class _Once(Signal):
    """A signal that comes once Django is ready, or before somebody asks for the schedules."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._waiting: list[Callable[..., Any]] = []

    def connect(self, *receivers: Callable[..., Any], **options: Any) -> Any:
        def enter(receiver: Callable[..., Any]) -> Callable[..., Any]:
            self._waiting.append(receiver)
            return receiver

        return enter(receivers[0]) if receivers else enter

    def happen(self, app: Celery) -> None:
        """Call all who wait, each once."""
        while self._waiting:
            self._waiting.pop(0)(app)


class Later:
    """A task that is declared when Django is ready, or when it is first looked at."""

    def __init__(self, make: Callable[[], Any], function: Any) -> None:
        self._make, self._made = make, None
        functools.update_wrapper(self, function)

    def made(self) -> Any:
        """The task."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.made()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.made(), name)

    def __repr__(self) -> str:
        return repr(self.made())


class _Current:
    """`current_app`: the application that was made last; one without a name where there is none."""

    def __getattr__(self, name: str) -> Any:
        return getattr(current[0] if current else Celery(), name)


current: list[Celery] = []
current_app = _Current()


def get_task_logger(name: str) -> logging.Logger:
    """A logger as any other: what a task logs is kept with its attempt, and each line of a worker's log says of which job it is."""
    return logging.getLogger(name)


waiting: list[Callable[[], Any]] = []
"""What is to be done once Django is ready."""


def ready() -> None:
    """Do what has waited for Django. Raises NotOfCelery for settings that cannot be carried."""
    config.conf.check()
    while waiting:
        waiting.pop(0)()


def _module(name: str) -> Any:
    return importlib.import_module(f".{name}", __package__)


class _Control:
    """What of `app.control` is not of brokers and worker processes."""

    def revoke(self, task_id: Any, terminate: bool = False, signal: Any = None, **_: Any) -> None:
        """Revoke one or several, by their ids."""
        for each in task_id if isinstance(task_id, list | tuple | set) else [task_id]:
            _module("groups").AsyncResult(each).revoke(terminate=terminate)

    def terminate(self, task_id: Any, **_: Any) -> None:
        """Revoke it even if it runs."""
        self.revoke(task_id, terminate=True)

    def __getattr__(self, name: str) -> Any:
        raise NotOfCelery(
            f"app.control has no {name!r} here; instead, `manage_task_queue workers`, `limits`, `pause` and `cancel` say it to all workers."
        )
