"""Compares faces with dlib: its frontal detector, the 5-point predictor and the ResNet of 128 numbers (the extra `faces`).

On labelled photos one person's are 0.34 to 0.44 apart and those of two people 0.82 to 0.87; dlib itself names 0.6.
"""

from __future__ import annotations

from typing import Any

from task_catalog import extras

from .isolated import IsolatedVerifier
from .process import NoFaceIn, UnreadableFile

_LONGEST_SIDE = 800
"""Pixels: a photo is made smaller first; what is found in it is found as well, in a tenth of the time and memory."""


class DlibVerifier(IsolatedVerifier):
    """Euclidean distance of dlib's face descriptors."""

    model = "dlib_face_recognition_resnet_model_v1"
    metric = "euclidean"
    threshold = 0.6
    engine = f"{__name__}:DlibEngine"
    needs = ("dlib", "face_recognition_models", "numpy", "PIL")
    to_install = extras.to_install("faces")


class DlibEngine:
    """The models, loaded once; only the process of `isolated.py` makes one."""

    def __init__(self) -> None:
        import dlib
        import face_recognition_models as models

        self._detect = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(models.pose_predictor_five_point_model_location())
        self._encoder = dlib.face_recognition_model_v1(models.face_recognition_model_location())

    def compare(self, reference: str, probe: str) -> float:
        """The distance between the largest faces of two picture files."""
        import numpy

        one, other = self._descriptor(reference, "reference"), self._descriptor(probe, "probe")
        return float(numpy.linalg.norm(one - other))

    def _descriptor(self, path: str, picture: str) -> Any:
        import numpy

        pixels = _pixels(path, picture)
        faces = self._detect(pixels, 0) or self._detect(pixels, 1)  # 1: twice the size, for small faces
        if not faces:
            raise NoFaceIn(picture)
        largest = max(faces, key=lambda face: face.width() * face.height())
        landmarks = self._landmarks(pixels, largest)
        return numpy.array(self._encoder.compute_face_descriptor(pixels, landmarks, 1))


def _pixels(path: str, picture: str) -> Any:
    import numpy
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))  # a large JPEG is read at a fraction of its size
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableFile(picture, f"{type(error).__name__}: {error}") from error
    upright.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return numpy.array(upright)
