"""When a Beat without tables fired each of its schedules last: read from its file, of which no class but time's own is ever loaded."""

from __future__ import annotations

import dbm
import io
import pickle
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from youtility_tasks.errors import ConfigurationError

_TIMES = {("datetime", name) for name in ("datetime", "timedelta", "timezone", "date", "time")}
_ENTRY = ("celery.beat", "ScheduleEntry")


class _Inert(tzinfo):
    """Stands for whatever the file names, a zone of its own too: it does nothing with what it is given."""

    def __new__(cls, *given: Any, **named: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given = given

    def __setstate__(self, state: Any) -> None: ...

    def utcoffset(self, _: datetime | None) -> None:
        return None


class _Entry(_Inert):
    """Name, task, last run, count, ..."""


def _attribute(owner: Any, name: str) -> Any:
    """A zone is written as `getattr(ZoneInfo, "_unpickle")` of its key; nothing else is looked up."""
    return (lambda key, *_: ZoneInfo(key)) if owner is ZoneInfo and name == "_unpickle" else _Inert


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _TIMES:
            return super().find_class(module, name)
        known = {_ENTRY: _Entry, ("zoneinfo", "ZoneInfo"): ZoneInfo, ("builtins", "getattr"): _attribute}
        return known.get((module, name), _Inert)


def last_runs(path: str) -> dict[str, datetime]:
    """By a schedule's name. Beat writes it all down when it is stopped (SIGTERM). Raises ConfigurationError for a file that is none of Beat's."""
    try:
        with dbm.open(path, "r") as file:
            entries = _Reader(io.BytesIO(file[b"entries"])).load()
        found = [each.given for each in entries.values() if isinstance(each, _Entry)]
    except (
        *dbm.error,
        OSError,
        KeyError,
        AttributeError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
        EOFError,
    ) as error:
        raise ConfigurationError(
            f"{path!r} cannot be read as a file of Beat's ({type(error).__name__}: {error}); right is what `celery beat --schedule` names, "
            "'celerybeat-schedule' in its working directory, once Beat is stopped."
        ) from error
    return {str(name): _aware(last) for name, _, last, *_ in found if isinstance(last, datetime)}


def _aware(instant: datetime) -> datetime:
    """One whose zone the file names by a class of Celery's own has lost it; Beat's own are UTC then."""
    return instant.astimezone(UTC) if instant.utcoffset() is not None else instant.replace(tzinfo=UTC)
