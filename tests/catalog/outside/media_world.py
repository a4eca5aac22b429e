"""Folders of media, old and new, and a bucket to look into."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from task_catalog.maintenance.media import move_media_to_cloud_storage
from tests.catalog.closing.world import NOON, run


def put(media: Path, path: str, content: bytes = b"photo", *, days: float = 61, now: datetime = NOON) -> Path:
    """A file that was last changed so many days before the catalogue's noon."""
    file = media / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    changed = (now - timedelta(days=days)).timestamp()
    os.utime(file, (changed, changed))
    return file


def move(**arguments: Any) -> dict[str, Any]:
    return run(move_media_to_cloud_storage, **arguments)


def names_in(folder: Path) -> dict[str, bytes]:
    """What a folder holds, by relative path."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


class Died(BaseException):
    """A process that was killed: nothing after it is carried out."""


def die(*args: Any, **kwargs: Any) -> None:
    raise Died
