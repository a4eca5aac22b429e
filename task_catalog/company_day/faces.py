"""Photos of the day's people: blank pictures whose label says what a verifier would have seen."""

from __future__ import annotations

from task_catalog.ports.faces.labelled import labelled_picture

from .traffic import DISTANCES

REFERENCE = labelled_picture(0.0)
"""Anybody's own photo."""


def probe_photo(shown: str) -> bytes:
    """A photo taken at a punch: of the person, of somebody else, or of nobody."""
    return labelled_picture(None if shown == "no_face" else DISTANCES.get(shown, DISTANCES["match"]))
