"""Where an uploaded file may be kept: below its client's own folder, under a name that no other upload has."""

from __future__ import annotations

import re
from uuid import UUID

from task_catalog.rules.records import Flaw

ROOT = "transactions"
"""The folder of everything that devices upload, below MEDIA_ROOT."""
_ROOTS = ("transactions", "transaction")
"""What devices call it."""
LONGEST_FOLDER, LONGEST_NAME = 100, 255
_PART = re.compile(r"[^/\\\x00-\x1f\x7f]{1,100}")


def folder_of(client_id: int, path: object) -> str:
    """The folder, relative to MEDIA_ROOT and with a slash at its end, for the path that a device names. Raises Flaw.

    It begins with the client: devices of two clients name the same folders, and neither may read or replace the files of
    the other.
    """
    if not isinstance(path, str) or "\\" in path:
        raise Flaw(f"path {path!r:.60} is no folder")
    parts = [part for part in path.strip().split("/") if part not in ("", ".")]
    if parts and parts[0] in _ROOTS:
        parts = parts[1:]
    if parts and parts[0] == str(client_id):
        parts = parts[1:]
    for part in parts:
        if part == ".." or not _PART.fullmatch(part):
            raise Flaw(f"path {path!r:.60} leads out of its folder, or holds a character that no folder has")
    folder = "/".join([ROOT, str(client_id), *parts, ""])
    if len(folder) > LONGEST_FOLDER:
        raise Flaw(
            f"path {path!r:.60} is too long; right are {LONGEST_FOLDER} characters at most, the client's folder included"
        )
    return folder


def name_of(key: UUID, filename: object) -> str:
    """The file's name, the upload's uuid before it, so that equal names are different files. Raises Flaw."""
    if not isinstance(filename, str) or filename.strip() in ("", ".", ".."):
        raise Flaw(f"filename {filename!r:.60} is no name")
    name = filename.strip()
    if "/" in name or "\\" in name or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise Flaw(f"filename {filename!r:.60} is a path, or holds a character that no name has")
    if name.startswith(f"{key}_"):
        return name
    name = f"{key}_{name}"
    if len(name.encode(errors="replace")) > LONGEST_NAME:
        raise Flaw(f"filename {filename!r:.60} is too long; right are {LONGEST_NAME - 37} bytes at most")
    return name
