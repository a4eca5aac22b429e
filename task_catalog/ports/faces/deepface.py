"""Compares faces with DeepFace, as the application before did: Facenet512, cosine distance, faces found by mtcnn.

DeepFace is no dependency of any extra: it fetches its weights when it first runs, so install it, and let it fetch them, where
your workers are.
"""

from __future__ import annotations

from .isolated import IsolatedVerifier
from .process import NoFaceIn, UnreadableFile


class DeepFaceVerifier(IsolatedVerifier):
    """Cosine distance of Facenet512."""

    model = "Facenet512"
    metric = "cosine"
    threshold = 0.4
    engine = f"{__name__}:DeepFaceEngine"
    needs = ("deepface",)
    to_install = "pip install deepface, and run it once so that it fetches its weights"


class DeepFaceEngine:
    """DeepFace with its model loaded; only the process of `isolated.py` makes one."""

    def __init__(self) -> None:
        from deepface import DeepFace

        self._deepface = DeepFace

    def compare(self, reference: str, probe: str) -> float:
        """The distance between the faces of two picture files."""
        for path, picture in ((reference, "reference"), (probe, "probe")):
            _check_readable(path, picture)
        try:
            found = self._deepface.verify(
                img1_path=reference,
                img2_path=probe,
                model_name=DeepFaceVerifier.model,
                detector_backend="mtcnn",
                distance_metric=DeepFaceVerifier.metric,
                enforce_detection=True,
                silent=True,
            )
        except ValueError as error:
            raise NoFaceIn(_whose(error)) from error
        return float(found["distance"])


def _check_readable(path: str, picture: str) -> None:
    try:
        with open(path, "rb") as file:
            if not file.read(1):
                raise UnreadableFile(picture, "it is empty")
    except OSError as error:
        raise UnreadableFile(picture, str(error.strerror)) from error


def _whose(error: BaseException) -> str:
    """In which picture DeepFace found no face: it says so in the text only. Raises the error if it is about something else."""
    texts = []
    cause: BaseException | None = error
    while cause is not None:
        texts.append(str(cause))
        cause = cause.__cause__
    said = " ".join(texts)
    if "could not be detected" not in said and "img1_path" not in said and "img2_path" not in said:
        raise error
    return "reference" if "img1_path" in said else "probe"
