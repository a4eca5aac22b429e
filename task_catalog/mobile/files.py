"""Files of devices below MEDIA_ROOT: where they are put, how they are written, and how they are found again."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from task_catalog.mobile.reading import Rejected, Row
from task_catalog.rules import uploads
from task_catalog.rules.records import Flaw
from youtility_tasks import errors


def media_root() -> Path:
    """MEDIA_ROOT. Raises ConfigurationError when the settings name none: the working folder is no place for uploads."""
    if not settings.MEDIA_ROOT:
        raise errors.ConfigurationError(
            "MEDIA_ROOT is not set, so that there is no folder for files. Name one in the settings."
        )
    return Path(settings.MEDIA_ROOT)


def placed(rows: Sequence[Row], client_id: int) -> tuple[list[Row], list[Rejected]]:
    """Attachment rows whose path and name were made those of the client's own folder, and those that have no such path."""
    kept, rejected = [], []
    for row in rows:
        try:
            if "filepath" in row.values or "filename" in row.values:
                row.values["filepath"] = uploads.folder_of(client_id, row.values.get("filepath", ""))
                row.values["filename"] = uploads.name_of(row.key, row.values.get("filename"))
            kept.append(row)
        except Flaw as flaw:
            rejected.append(Rejected(row.index, str(flaw)))
    return kept, rejected


def write(filepath: str, filename: str, content: bytes) -> None:
    """Put a file there, whole or not at all; one that is there under that name is replaced.

    The folder must be one of `uploads.folder_of`. A link on the way that leads elsewhere is refused.
    """
    root = media_root()
    folder = root / filepath
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.resolve().is_relative_to(root.resolve()):
        raise errors.BadInput(f"The folder {filepath!r} leads out of MEDIA_ROOT.")
    descriptor, temporary = tempfile.mkstemp(prefix=".upload-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, folder / filename)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def found(filepath: str, filename: str) -> Path | None:
    """The file of an attachment row; None if it is not there, or not a plain file below MEDIA_ROOT."""
    root = media_root().resolve()
    try:
        path = (root / filepath.lstrip("/") / filename).resolve()
    except (OSError, ValueError, RuntimeError):
        return None
    return path if path.is_relative_to(root) and path.is_file() else None
