"""A stand-in for demonstrations and tests: it compares no faces, but reads from the picture what a verifier would have said.

The played day has no photos of people; its pictures are blank squares with a label inside. Never use it for real punches:
whoever uploads the picture decides the outcome.
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

from . import NoFace, Picture, Unreadable

_KEYWORD = b"youtility-demonstration-face"
_LABEL = re.compile(re.escape(_KEYWORD) + rb"\x00(none|[0-9.]{1,20})")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def labelled_picture(distance: float | None) -> bytes:
    """A PNG of one grey pixel whose label says how far its face is from any reference; None: it shows no face."""
    label = b"none" if distance is None else f"{distance:.6g}".encode()
    return _SIGNATURE + b"".join(
        _chunk(kind, content)
        for kind, content in (
            (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
            (b"tEXt", _KEYWORD + b"\x00" + label),
            (b"IDAT", zlib.compress(b"\x00\x80")),
            (b"IEND", b""),
        )
    )


class LabelledVerifier:
    """Says what the label of the probe says; the reference must be labelled too."""

    model = "labelled pictures (demonstration)"
    metric = "label"
    threshold = 0.4

    def verify(self, reference: Path, probe: Path, *, timeout_s: float) -> float | NoFace:
        if _label(reference, "reference") is None:
            return NoFace("reference")
        distance = _label(probe, "probe")
        return NoFace("probe") if distance is None else distance


def _label(file: Path, picture: Picture) -> float | None:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Unreadable(picture, str(error.strerror)) from error
    found = _LABEL.search(content)
    if not content.startswith(_SIGNATURE) or found is None:
        raise Unreadable(picture, "it is not one of labelled.labelled_picture()")
    return None if found[1] == b"none" else float(found[1])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
