"""The files below MEDIA_ROOT: found without following links, opened as what they are, deleted only if unchanged."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings

from task_catalog.rules.media import folders_above
from youtility_tasks import BadInput

_NEW_FOLDER_S = 3_600
"""An empty folder that is younger may be one into which somebody is about to write."""


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file as it was when it was found; `path` is relative to MEDIA_ROOT, with slashes."""

    path: str
    size: int
    modified_s: float
    identity: tuple[int, int, int, int]

    @classmethod
    def of(cls, path: str, facts: os.stat_result) -> Found:
        return cls(path, facts.st_size, facts.st_mtime, (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns))


def file_below_media_root(path: str) -> Path:
    """The file that a row means by a path below MEDIA_ROOT; it need not exist.

    Raises BadInput for a path that leaves MEDIA_ROOT, also by way of a link.
    """
    base = Path(os.path.realpath(settings.MEDIA_ROOT or "/nonexistent"))
    try:
        file = Path(os.path.realpath(base / path.lstrip("/")))
    except ValueError as error:  # NUL
        raise BadInput(f"The path {path!r} cannot be that of a file.") from error
    if base not in file.parents:
        raise BadInput(f"The path {path!r} leaves MEDIA_ROOT; right is one below it.")
    return file


class Changed(Exception):
    """The file is not the one that was found: somebody writes to it, or has replaced it."""


class MediaFiles:
    """The roots that are emptied. Raises BadInput when MEDIA_ROOT is not set or is no folder."""

    def __init__(self, roots: Sequence[str]) -> None:
        if not settings.MEDIA_ROOT:
            raise BadInput("MEDIA_ROOT is not set in the Django settings, so there is nothing to move.")
        self._base = Path(os.path.realpath(settings.MEDIA_ROOT))
        if not self._base.is_dir():
            raise BadInput(f"MEDIA_ROOT is {str(self._base)!r}, which is no folder here.")
        self._roots = roots
        self.links = 0
        self.warnings: list[str] = []

    def walk(self) -> Iterator[Found]:
        """Every regular file, in the order of the names; links are counted and not followed."""
        for root in self._roots:
            start = self._base / root
            if start.is_symlink() or self._base not in Path(os.path.realpath(start)).parents:
                if os.path.lexists(start):
                    self.links += 1
                    self.warnings.append(f"{root} is a link, or below one; it was left alone")
                continue
            for folder, folders, names in os.walk(start, onerror=self._note):
                folders[:] = sorted(each for each in folders if not self._is_link(os.path.join(folder, each)))
                for name in sorted(names):
                    full = os.path.join(folder, name)
                    try:
                        facts = os.lstat(full)
                    except FileNotFoundError:
                        continue
                    if stat.S_ISLNK(facts.st_mode):
                        self.links += 1
                    elif stat.S_ISREG(facts.st_mode):
                        yield Found.of(os.path.relpath(full, self._base).replace(os.sep, "/"), facts)

    @contextlib.contextmanager
    def opened(self, found: Found) -> Iterator[IO[bytes]]:
        """The file, to read. Raises Changed when it is another than was found."""
        try:
            descriptor = os.open(self._base / found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise Changed(f"it cannot be opened: {error.strerror}") from error
        with open(descriptor, "rb") as file:
            if Found.of(found.path, os.fstat(descriptor)) != found:
                raise Changed("it was changed since it was found")
            yield file

    def check_unchanged(self, found: Found) -> None:
        """Raise Changed unless the file is exactly as it was found."""
        try:
            now = Found.of(found.path, os.lstat(self._base / found.path))
        except OSError as error:
            raise Changed(f"it is gone: {error.strerror}") from error
        if now != found:
            raise Changed("it was changed while it was moved")

    def delete(self, found: Found) -> None:
        """Delete the file if it is still what was found. Raises Changed, and then it is left."""
        self.check_unchanged(found)
        os.unlink(self._base / found.path)

    def remove_empty_folders(self, deleted: Sequence[str]) -> int:
        """Remove the folders that hold nothing any more, never a root; how many.

        `deleted` are the files of this run: the folders they were in go at once. Others that are empty go when they are
        an hour old, since somebody may just have made one to write into it.
        """
        removed = 0
        for root in self._roots:
            for folder in folders_above(deleted, root):
                removed += self._remove(self._base / folder)
            start = self._base / root
            if start.is_symlink():
                continue
            for above, folders, _ in os.walk(start, topdown=False):
                for name in folders:
                    path = Path(above, name)
                    if not path.is_symlink() and self._is_settled(path):
                        removed += self._remove(path)
        return removed

    def _is_settled(self, folder: Path) -> bool:
        try:
            return folder.lstat().st_mtime < time.time() - _NEW_FOLDER_S
        except OSError:
            return False

    def _remove(self, folder: Path) -> int:
        with contextlib.suppress(OSError):  # it holds something, or somebody else has removed it
            folder.rmdir()
            return 1
        return 0

    def _is_link(self, path: str) -> bool:
        is_link = os.path.islink(path)
        self.links += is_link
        return is_link

    def _note(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            self.warnings.append(f"{error.filename}: {error.strerror}")
