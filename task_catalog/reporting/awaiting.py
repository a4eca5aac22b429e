"""Which report files still wait to be mailed: promised in the transaction that made them, kept until the mail is gone.

A file of a request is promised as `onfly-file:{path}`, which remembers the request and the content; its mail has the
effect key `onfly:{path}:{sha256}`. A scheduled one is promised as `sched-report-file:{id}:{end of its period}`, and its
mail is `sched-report-mail:` with the same rest. The promise ends after the mail, so that a process that dies in between
leaves something to go on from.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from task_catalog.reporting import files
from task_catalog.reporting.telling import Request
from youtility_tasks import effects

SCHEDULED_FILE, SCHEDULED_MAIL = "sched-report-file:", "sched-report-mail:"
_FILE = "onfly-file:"


def sha_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def relative(path: Path, folder: Path) -> str:
    """A file's path below its folder, with slashes."""
    return path.relative_to(folder).as_posix()


def mail_key(path: str, sha: str) -> str:
    """The effect key of the mail that carries a file."""
    return f"onfly:{path}:{sha}"


def promise_file(path: str, sha: str, request: Request) -> None:
    """Keep a request's file until its mail is gone; in the transaction that enqueues the mail."""
    effects.promise(_FILE + path, payload={"sha": sha, "request": request.as_json()}, bu_id=request.unit_id)


def file_promised(path: str) -> tuple[str, Request] | None:
    """The content's digest and the request of a file, also after it was mailed; None for a file of nobody's request."""
    stored: dict[str, Any] | None = effects.payload_of(_FILE + path)
    return None if not stored else (stored["sha"], Request.of_json(stored["request"]))


def release_file(path: str, reason: str) -> None:
    """Let cleanup have the file, once it is old enough."""
    effects.skip(_FILE + path, reason)


def files_in(folder: Path, client_id: int) -> set[Path]:
    """The current client's files in a report folder that are still to be mailed."""
    found: set[Path] = set()
    if folder == files.folder_or_none("ondemand"):
        found |= {folder / each.key.removeprefix(_FILE) for each in effects.unfinished(_FILE)}
    if folder == files.folder_or_none("scheduled"):
        part = files.of_tenant(folder, client_id)
        found |= {part / each.payload["file"] for each in effects.unfinished(SCHEDULED_FILE)}
    return found
