"""What is asked of the Celery that is still there: its application, which queue and priority of its is which of ours, and whose a call is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.module_loading import import_string

from youtility_tasks import queues
from youtility_tasks.conf import settings
from youtility_tasks.declaration import LEAST_URGENT, Task
from youtility_tasks.errors import ConfigurationError, ExtraMissing, NoTenant, UnknownTenant, did_you_mean

from . import config

TENANT_HEADER = "youtility_tenant"
"""The header by which a message says whose it is."""
_LOWEST = LEAST_URGENT - 1
"""Celery's least urgent priority on Redis, where 0 is the most urgent."""

Resolver = Callable[[str, list[Any], dict[str, Any]], int | None]
"""Task name, positional and named arguments -> the tenant; None: it does not know."""


def celery_app(named: str | None = None) -> Any:
    """The application that `named` says (as `celery -A` does), else the project's current one, else one made of Django's `CELERY_` settings.

    Raises ExtraMissing without the package celery, ConfigurationError for a name that leads to none.
    """
    try:
        import celery
        from celery.app.utils import find_app
    except ImportError:
        raise ExtraMissing("celery", "the package celery") from None
    named = named or getattr(settings(), "celery_app", None)
    if named is not None:
        try:
            found = find_app(named)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(
                f"No Celery application is found by {named!r} ({error}); right is what `celery -A` takes, for example 'project.celery:app'."
            ) from error
        if not hasattr(found, "conf"):
            raise ConfigurationError(f"{named!r} is a {type(found).__name__}, and no Celery application.")
        return found if hasattr(found, "amqp") else _real(celery, found.conf)
    current = celery.current_app._get_current_object()
    return current if current.main != "default" else _real(celery, config.conf)


def _real(celery: Any, said: Mapping[str, Any]) -> Any:
    """An application of Celery's with the settings of one of ours, which the project has put in its place."""
    made = celery.Celery("youtility_tasks", set_as_current=False)
    made.config_from_object("django.conf:settings", namespace="CELERY")
    made.conf.update({name: said[name] for name in said if said[name] is not None})
    return made


def queue_of(task: Task, named: str | None) -> tuple[str | None, str]:
    """Our queue for one that Celery names, None for the task's own; and what there is to say about it."""
    if not named:
        return None, ""
    wanted = (settings().celery_queues or {}).get(named, named)
    if wanted in queues.configured():
        return wanted, ""
    if named == (config.conf["task_default_queue"] or "celery"):
        return None, ""
    return None, f"queue {named!r} is none of ours: {task.queue_name!r}, which the task has"


def priority_of(given: int | None, *, is_redis: bool = True) -> int | None:
    """Ours (1, most urgent, to 10) for one of Celery's: on Redis 0 is the most urgent, on RabbitMQ the least."""
    if given is None:
        return None
    kept = max(0, min(given, _LOWEST))
    return kept + 1 if is_redis else LEAST_URGENT - kept


@dataclass(frozen=True, slots=True)
class Tenants:
    """Says whose a call of Celery's is."""

    fixed: int | None = None
    resolver: Resolver | None = field(default=None)

    @classmethod
    def of(cls, tenant_id: int | None, path: str | None) -> Tenants:
        """From the words of a command. Raises ConfigurationError for a path that leads to no function."""
        if path is None:
            return cls(tenant_id)
        try:
            found = import_string(path)
        except ImportError as error:
            raise ConfigurationError(
                f"No function is found by {path!r} ({error}); right is 'package.module.function'."
            ) from error
        if not callable(found):
            raise ConfigurationError(
                f"{path!r} is a {type(found).__name__}; right is a function (task_name, args, kwargs) -> id or None."
            )
        return cls(tenant_id, found)

    def of_call(
        self, task: Task, args: list[Any], kwargs: dict[str, Any], headers: Mapping[str, Any] | None = None
    ) -> int:
        """The tenant; 0 for a task that serves all of them. Raises NoTenant, UnknownTenant."""
        if task.tenant == "all" and (headers or {}).get(TENANT_HEADER) in (None, 0, "0"):
            return 0
        found = self.of_name(task.name, args, kwargs, headers)
        if found is None:
            raise NoTenant(task.name)
        return found

    def of_name(
        self, task_name: str, args: list[Any], kwargs: dict[str, Any], headers: Mapping[str, Any] | None = None
    ) -> int | None:
        """The same where the task is not known; None: nobody can tell."""
        said = (headers or {}).get(TENANT_HEADER)
        if said is None and self.resolver is not None:
            said = self.resolver(task_name, args, kwargs)
        if said is None:
            return self.fixed
        try:
            return int(said)
        except (TypeError, ValueError):
            raise UnknownTenant(f"A call of {task_name!r} is of tenant {said!r:.80}; right is a tenant's id.") from None


def unknown_task(name: str, known: Mapping[str, Task]) -> str:
    """Why a task's name leads nowhere, and what to do."""
    return (
        f"no task is called {name!r} here.{did_you_mean(name, known)} Import `shared_task` from youtility_tasks.celery_bridge in its module, "
        "or give the task that took its place the old name: `@task(aliases=(...))`"
    )
