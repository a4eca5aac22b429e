"""`Celery`: the application object of those who have one, so that `@app.task`, `app.conf` and `app.send_task` go on."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from django.apps import apps
from django.utils import timezone

from youtility_tasks.errors import NotOfCelery

from . import config, declare, known, sides, signatures
from .groups import GroupResult
from .results import AsyncResult
from .signals import Signal
from .task import Task, current_task

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

    Its settings are those of the process: a second application shares them.
    """

    def __init__(
        self, main: str | None = None, broker: Any = None, backend: Any = None, include: Any = (), set_as_current: bool = True,
        config_source: Any = None, task_cls: Any = None, **settings: Any,
    ) -> None:  # fmt: skip
        self.main = main or "__main__"
        self.conf = config.conf
        self.on_after_configure, self.on_after_finalize = _Once("on_after_configure"), _Once("on_after_finalize")
        self.Task: type[Task] = task_cls or Task
        self._include = [*include]
        known_settings = {key: value for key, value in settings.items() if key in config.DEFAULTS}
        self.conf.update(known_settings)
        if config_source is not None:
            self.config_from_object(config_source)

    def task(self, *args: Any, **options: Any) -> Any:
        """As Celery's: `@app.task`, `@app.task(bind=True, ...)`."""
        if args and callable(args[0]):
            return declare.declare(args[0], options, app=self, main=self.main)
        return lambda function: declare.declare(function, options, app=self, main=self.main)

    def register_task(self, made: Any, **options: Any) -> Task:
        """A task of a class with a `run`: `app.register_task(Mine())`."""
        made = made() if isinstance(made, type) else made
        name = made.name or f"{type(made).__module__}.{type(made).__name__}"
        made.app = self
        return declare.enter(made, name, options, made.run)

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks of Celery's form by their names."""
        return dict(known.tasks)

    def config_from_object(
        self, source: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take settings from a module, a class or their name; `"django.conf:settings"` with `namespace="CELERY"` as ever."""
        if isinstance(source, str) and source != "django.conf:settings":
            source = importlib.import_module(source.replace(":", "."))
        self.conf.from_object(source, namespace)
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
        house = known.house(name)
        bridged = known.of(house)
        said = {key: value for key, value in options.items() if value is not None}
        if bridged is not None:
            return sides.send(house, list(args or ()), dict(kwargs or {}), {**bridged.defaults(), **said})
        return sides.send(house, args, kwargs, said)

    def signature(self, *args: Any, **kwargs: Any) -> signatures.Signature:
        """See `signatures.signature`."""
        return signatures.signature(*args, **kwargs)

    subtask = signature

    AsyncResult = AsyncResult
    GroupResult = GroupResult

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
        return current_task

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


class _Once(Signal):
    """A signal that has come or is still to come: who connects after it is called at once."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._waiting: list[Callable[..., Any]] = []
        self._came_to: Any = None

    def connect(self, *receivers: Callable[..., Any], **options: Any) -> Any:
        def enter(receiver: Callable[..., Any]) -> Callable[..., Any]:
            if self._came_to is not None:
                receiver(self._came_to)
            else:
                self._waiting.append(receiver)
            return receiver

        return enter(receivers[0]) if receivers else enter

    def happen(self, app: Celery) -> None:
        """Call all who wait, once."""
        self._came_to, waiting = app, self._waiting
        self._waiting = []
        for receiver in waiting:
            receiver(app)


class _Control:
    """What of `app.control` is not of brokers and worker processes."""

    def revoke(self, task_id: Any, terminate: bool = False, signal: Any = None, **_: Any) -> None:
        """Revoke one or several, by their ids."""
        for each in task_id if isinstance(task_id, list | tuple | set) else [task_id]:
            AsyncResult(each).revoke(terminate=terminate)

    def terminate(self, task_id: Any, **_: Any) -> None:
        """Revoke it even if it runs."""
        self.revoke(task_id, terminate=True)

    def __getattr__(self, name: str) -> Any:
        raise NotOfCelery(
            f"app.control has no {name!r} here; instead, `manage_task_queue workers`, `limits`, `pause` and `cancel` say it to all workers."
        )
