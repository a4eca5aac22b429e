"""Which files are old enough to leave, and how they are known (R-MED)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

_LONGEST_PATH_IN_KEY = 700


def is_old(modified_s: float, *, now: datetime, skip_days: int) -> bool:
    """Whether a file last changed at that second since 1970 is older than so many days."""
    # As seconds: some file systems keep times that no calendar has, and one such file must not stop the others.
    return modified_s < (now - timedelta(days=skip_days)).timestamp()


def key_prefix(path: str) -> str:
    """How the effect keys of one path begin; a path too long for a key is known by its digest."""
    shown = (
        path if len(path.encode()) <= _LONGEST_PATH_IN_KEY else f"sha256-{hashlib.sha256(path.encode()).hexdigest()}"
    )
    return f"media:{shown}:"


def key(path: str, *, size: int, modified_s: float) -> str:
    """The effect key of one content of one path: `media:{relative path}:{size}:{mtime}`."""
    return f"{key_prefix(path)}{size}:{modified_s:.6f}"


def folders_above(paths: Iterable[str], root: str) -> Iterator[str]:
    """The folders that hold these paths, below the root and without it; each once, the deepest first."""
    found = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder.startswith(f"{root}/"):
            found.add(folder)
            folder = folder.rpartition("/")[0]
    yield from sorted(found, key=lambda each: (-each.count("/"), each))
