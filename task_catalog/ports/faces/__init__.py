"""Do two photos show the same person?

Which class says so is `TASK_CATALOG["face_verifier"]`: `dlib.DlibVerifier` (the extra `faces`), `deepface.DeepFaceVerifier`
(for those who have DeepFace and its weights), or `labelled.LabelledVerifier`, a stand-in for demonstrations.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from django.utils.module_loading import import_string

from task_catalog.conf import catalog
from youtility_tasks import Transient

Picture = Literal["reference", "probe"]


@dataclass(frozen=True, slots=True)
class NoFace:
    """No face was found, and in which of the two pictures."""

    picture: Picture


class Unreadable(Exception):
    """A file that is no picture: still being uploaded, or damaged."""

    def __init__(self, picture: Picture, why: str) -> None:
        super().__init__(f"the {picture} picture cannot be read: {why}")
        self.picture = picture


class FaceVerifier(Protocol):
    """Something that measures how far two faces are apart."""

    model: str
    metric: str
    threshold: float
    """The largest distance of one person's photos, for this model and metric; `face_threshold` wins over it."""

    def verify(self, reference: Path, probe: Path, *, timeout_s: float) -> float | NoFace:
        """The distance between the faces of the two pictures, or in which there is none.

        Raises Unreadable for a file that is no picture, and Transient when nobody could look: the model is missing, or
        looking took longer than `timeout_s` seconds, or more memory than allowed.
        """
        ...


def verifier() -> FaceVerifier:
    """The process's own verifier of the class that the settings name. Raises Transient when none is named."""
    path = catalog().face_verifier
    if not path:
        raise Transient("Nobody looks at photos: TASK_CATALOG['face_verifier'] is empty. Name a class there.")
    return _made(path)


@functools.cache
def _made(path: str) -> FaceVerifier:
    made: FaceVerifier = import_string(path)()
    return made
