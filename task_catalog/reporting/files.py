"""Where reports lie: below two configured folders, in their tenant's own, under names nobody guesses.

A file appears under its name whole or not at all: it is written under a temporary name beside it, flushed to disk and
renamed. Its time is that of the clock port, so that whoever cleans up by age plays the same day.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings as django_settings
from django.utils.crypto import salted_hmac

from task_catalog.conf import catalog
from task_catalog.rules.local_time import local
from youtility_tasks import BadInput

# Owner and group: the web process that hands files out may be another user of the worker's group.
_FOLDER_MODE, _FILE_MODE = 0o750, 0o640
_TOKEN = 32
_ATTEMPTS = 5
_LONGEST_PATH, _LONGEST_NAME = 4000, 255
_TOKEN_IN_NAME = re.compile(rf"__[0-9a-f]{{{_TOKEN}}}(?=\.[a-z]+$)")
PART = ".part"


_SETTINGS = {
    "ondemand": ("ondemand_reports_folder", "ONDEMAND_REPORTS_GENERATED"),
    "scheduled": ("scheduled_reports_folder", "TEMP_REPORTS_GENERATED"),
}
"""Which folder -> our setting, and the application's own, which counts where ours is empty."""


def on_demand_folder() -> Path:
    """The folder of reports that somebody asked for. Raises BadInput when none is configured."""
    return _folder("ondemand")


def scheduled_folder() -> Path:
    """The folder of reports that come by themselves. Raises BadInput when none is configured."""
    return _folder("scheduled")


def configured_folders() -> list[Path]:
    """Both, or the one that is configured. Raises BadInput when none is."""
    return [found for which in _SETTINGS if (found := folder_or_none(which)) is not None] or [on_demand_folder()]


def folder_or_none(which: str) -> Path | None:
    """The folder "ondemand" or "scheduled", or None when it is not configured."""
    name, of_the_application = _SETTINGS[which]
    given = getattr(catalog(), name) or getattr(django_settings, of_the_application, "")
    return Path(os.path.normpath(given)) if given and os.path.isabs(given) else None


def _folder(which: str) -> Path:
    found = folder_or_none(which)
    if found is None:
        name = _SETTINGS[which][0]
        raise BadInput(
            f"Reports need a folder: TASK_CATALOG[{name!r}] is {getattr(catalog(), name)!r}; right is an absolute path "
            "that the web server does not serve."
        )
    return found


def of_tenant(folder: Path, client_id: int, *below: int) -> Path:
    """A tenant's own part of a folder."""
    return folder.joinpath(str(client_id), *map(str, below))


def token(*parts: object) -> str:
    """What makes a name unguessable: the same for the same request, so that a second attempt finds its own file."""
    return salted_hmac("task_catalog.reports", ":".join(map(str, parts)), algorithm="sha256").hexdigest()[:_TOKEN]


def days(start: datetime, end: datetime, offset: int) -> str:
    """The local days of [start, end) as a name has them: `2025-03-01--2025-03-31`, the last one included."""
    first, last = local(start, offset), local(end - timedelta(microseconds=1), offset)
    return f"{first:%Y-%m-%d}--{last:%Y-%m-%d}"


def without_token(name: str) -> str:
    """A file's name as people get it."""
    return _TOKEN_IN_NAME.sub("", name)


def within(folder: Path, given: str) -> Path:
    """A path below the folder, given whole or relative to it. Raises BadInput for any other, links included."""
    if not isinstance(given, str) or not given or "\x00" in given or _is_too_long(given):
        raise BadInput(f"filepath is {given!r:.200}; right is the path of a report.")
    root = Path(os.path.realpath(folder))
    named = Path(os.path.normpath(root / given if not os.path.isabs(given) else _seen_from(root, folder, given)))
    if Path(os.path.realpath(named)) != named or root not in named.parents:
        raise BadInput(f"filepath {given!r:.200} is not in this client's report folder.")
    return named


def _is_too_long(given: str) -> bool:
    return len(given) > _LONGEST_PATH or any(len(os.fsencode(part)) > _LONGEST_NAME for part in given.split("/"))


def _seen_from(root: Path, folder: Path, given: str) -> Path:
    """An absolute path under the folder's real name, when it was given under the configured one."""
    with contextlib.suppress(ValueError):
        return root / Path(os.path.normpath(given)).relative_to(os.path.normpath(folder))
    return Path(given)


class Draft:
    """A file that is being written; it vanishes unless it is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size

    def keep_as(self, name: str, at: datetime) -> Path:
        """Give it its name, whole and on disk, with the time `at`; one of that name is replaced."""
        target = self.path.with_name(name)
        os.chmod(self.path, _FILE_MODE)
        os.utime(self.path, (at.timestamp(), at.timestamp()))
        _flush(self.path)
        os.replace(self.path, target)
        _flush(target.parent)
        return target


@contextlib.contextmanager
def draft(folder: Path) -> Iterator[Draft]:
    """A new file in a folder, which is made if need be; removed at the end of the block unless kept."""
    path = _new_file(folder)
    try:
        yield Draft(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _new_file(folder: Path) -> Path:
    for attempt in range(_ATTEMPTS):
        _make(folder)
        path = folder / f".{secrets.token_hex(16)}{PART}"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return path
        except FileNotFoundError:  # cleanup took the empty folder between our two steps
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _make(folder: Path) -> None:
    for each in reversed([folder, *folder.parents]):
        if not each.exists():
            each.mkdir(mode=_FOLDER_MODE, exist_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
