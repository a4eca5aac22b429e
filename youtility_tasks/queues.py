"""The four queues: name and how much of each runs at once. No other file spells a queue's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields

from .conf import QueueSettings, settings
from .errors import ConfigurationError, UnknownQueue

HIGH_PRIORITY = "high_priority"
EMAIL = "email"
REPORTS = "reports"
MAINTENANCE = "maintenance"

# catalog.md 2.7: at least 4, 4, 2 and 3 at once, so that one long job never holds a queue.
DEFAULTS: Mapping[str, QueueSettings] = {
    HIGH_PRIORITY: QueueSettings(processes=2, threads=2),
    EMAIL: QueueSettings(processes=1, threads=4),
    REPORTS: QueueSettings(processes=2, threads=1),
    MAINTENANCE: QueueSettings(processes=1, threads=3),
}

# procrastinate notifies on a channel made of the name, and PostgreSQL cuts channels at 63 bytes.
_NAME = re.compile(r"[a-z0-9_.-]{1,40}")


def configured() -> dict[str, QueueSettings]:
    """Every queue that may be used, by name.

    Raises ConfigurationError for a name that PostgreSQL's notifications could not carry, or bad numbers.
    """
    given = settings().queues
    if given is None:
        return dict(DEFAULTS)
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"YOUTILITY_TASKS['queues'] is {given!r}; right is a dict such as {{'email': {{'processes': 1, 'threads': 4}}}}."
        )
    queues = {}
    for name, numbers in given.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"YOUTILITY_TASKS['queues'] names {name!r}; a queue's name is 1 to 40 of a-z, 0-9, '_', '.', '-'."
            )
        right = {field.name for field in fields(QueueSettings)}
        if not isinstance(numbers, Mapping) or not right >= set(numbers) or not all(map(_is_count, numbers.values())):
            raise ConfigurationError(
                f"YOUTILITY_TASKS['queues'][{name!r}] is {numbers!r}; right is {{'processes': 1, 'threads': 2}}, whole "
                "numbers from 1."
            )
        queues[name] = QueueSettings(**numbers)
    return queues


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def check(task_name: str, queue_name: str) -> None:
    """Raise UnknownQueue, with a suggestion, unless the queue is configured.

    Under settings that cannot be read nothing is said of the queue: tasks are declared while Django imports them, and only
    if that goes well can `manage.py check` say what is wrong. Whatever uses the settings raises the ConfigurationError.
    """
    try:
        known = configured()
    except ConfigurationError:
        return
    if queue_name not in known:
        raise UnknownQueue(task_name, queue_name, known)
