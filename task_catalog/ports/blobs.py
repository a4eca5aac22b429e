"""Where old media are kept: blobs under names, in whatever a Django storage speaks to (a folder, S3, Google's).

`TASK_CATALOG["media_bucket"]` names the storage, by its alias in STORAGES or by its dotted path.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Protocol

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files import File
from django.core.files.storage import InvalidStorageError, Storage, storages
from django.utils.module_loading import import_string

from task_catalog.conf import catalog
from youtility_tasks import BadInput, Transient, errors

CHUNK = 1024 * 1024
"""Bytes read at once; a file may be larger than memory."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file or a blob holds: its size in bytes and its SHA-256 in hexadecimal."""

    size: int
    checksum: str


class BlobStore(Protocol):
    """Something that keeps blobs."""

    def put(self, name: str, file: IO[bytes]) -> str:
        """Keep the file's content under exactly this name; the SHA-256 of what can be read there afterwards.

        Replaces nothing: raises BadInput when the name is taken. Raises Transient when the store cannot be reached.
        """
        ...

    def stat(self, name: str) -> Content | None:
        """What is kept under the name, as read back from there; None for nothing."""
        ...

    def delete(self, name: str) -> None:
        """Take back what `put` has just kept."""
        ...


def store() -> BlobStore:
    """The store of the settings. Raises BadInput when none is configured, or one that cannot work."""
    if not catalog().media_bucket:
        raise BadInput(
            "No bucket is configured, so nothing was moved. Set TASK_CATALOG['media_bucket'] to an alias of STORAGES."
        )
    made: BlobStore = import_string(catalog().blob_store)()
    return made


def content_of(file: IO[bytes]) -> Content:
    """Size and checksum of what is left to read in a file."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return Content(size, digest.hexdigest())


class StorageBlobs:
    """Blobs in the Django storage of the settings."""

    extra = "storage"

    def __init__(self) -> None:
        flaw = self.flaw()
        if flaw:
            raise BadInput(f"TASK_CATALOG['media_bucket'] is {catalog().media_bucket!r}: {flaw}. Nothing was moved.")
        self._storage = _storage(catalog().media_bucket)

    @classmethod
    def flaw(cls) -> str | None:
        """What keeps the configured storage from being used, for `manage.py check`."""
        try:
            storage = _storage(catalog().media_bucket)
        except (ImportError, ImproperlyConfigured, InvalidStorageError) as error:
            return f"{error} (for S3 or Google: pip install 'youtility-tasks[storage]')"
        if getattr(storage, "file_overwrite", False) or getattr(storage, "_allow_overwrite", False):
            return "it overwrites what has the same name; set its option file_overwrite (allow_overwrite) to False"
        return None

    def put(self, name: str, file: IO[bytes]) -> str:
        with _in_our_words():
            stored = self._storage.save(name, File(file))
            if stored != name:
                self._storage.delete(stored)
                raise BadInput(f"the bucket would keep it as {stored!r}: the name {name!r} is taken, or cannot be used")
        kept = self.stat(name)
        if kept is None:
            raise Transient(f"the bucket took {name!r} and does not have it")
        return kept.checksum

    def stat(self, name: str) -> Content | None:
        with _in_our_words():
            if not self._storage.exists(name):
                return None
            with contextlib.closing(self._storage.open(name, "rb")) as blob:
                return content_of(blob)

    def delete(self, name: str) -> None:
        with _in_our_words():
            self._storage.delete(name)


def _storage(name: str) -> Storage:
    if name in settings.STORAGES:
        return storages[name]
    made: Any = import_string(name)()
    if not isinstance(made, Storage):
        raise ImproperlyConfigured(f"{name} is no Django storage")
    return made


@contextlib.contextmanager
def _in_our_words() -> Iterator[None]:
    """Every storage has errors of its own; all but refused names are taken for passing ones and retried."""
    try:
        yield
    except errors.TaskError:
        raise
    except SuspiciousOperation as error:
        raise BadInput(f"the bucket refuses the name: {error}") from error
    except Exception as error:
        raise Transient(f"the bucket could not be used: {type(error).__name__}: {error}") from error
