"""dlib on photos of people: those of face-recognition's source archive, fetched through pip and never kept here."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from task_catalog.high_priority.faces import perform_facerecognition_bgt
from task_catalog.ports.faces import NoFace, Unreadable
from task_catalog.ports.faces.dlib import DlibVerifier
from task_catalog.ports.faces.labelled import labelled_picture
from tests.catalog.closing.world import run
from tests.catalog.outside.punches import photo, profile, punch

# Not importorskip, which would import it here: it belongs into the verifier's own process.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("dlib") is None, reason="dlib is missing: pip install 'youtility-tasks[faces]'"
)

ARCHIVE = "face_recognition-1.3.0.tar.gz"


@pytest.fixture(scope="session")
def photos(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Labelled photos by name; kept in pytest's cache folder between runs."""
    cache = (
        Path(request.config.cache.mkdir("labelled-photos")) if request.config.cache else tmp_path_factory.mktemp("p")
    )
    archive = cache / ARCHIVE
    if not archive.exists():
        fetch = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "face-recognition==1.3.0", "--no-binary", ":all:"),
                *("--no-deps", "--quiet", "--disable-pip-version-check", "--dest", str(cache)),
            ],
            capture_output=True,
            text=True,
            timeout=100,
        )
        if not archive.exists():
            pytest.skip(f"pip's index serves no photos to test with: {(fetch.stderr + fetch.stdout).strip()[-300:]}")
    folder = tmp_path_factory.mktemp("photos")
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            if member.isfile() and "/tests/test_images/" in member.name:
                content = opened.extractfile(member)
                assert content is not None
                (folder / Path(member.name).name).write_bytes(content.read())
    return {file.stem: file for file in folder.iterdir()}


@pytest.fixture(scope="session")
def dlib() -> DlibVerifier:
    verifier = DlibVerifier()
    yield verifier
    verifier.end()


ONE_PERSON = ("obama", "obama2", "obama3")
ANOTHER = "biden"


def test_one_persons_photos_are_below_the_threshold_and_two_peoples_above(dlib, photos):
    same = [dlib.verify(photos[a], photos[b], timeout_s=60) for a, b in itertools.combinations(ONE_PERSON, 2)]
    different = [dlib.verify(photos[a], photos[ANOTHER], timeout_s=60) for a in ONE_PERSON]

    assert all(distance < dlib.threshold - 0.1 for distance in same), same
    assert all(distance > dlib.threshold + 0.1 for distance in different), different


def test_a_photo_is_no_distance_from_itself(dlib, photos):
    assert dlib.verify(photos["obama"], photos["obama"], timeout_s=60) == 0


def test_a_photo_on_its_side_that_says_so_is_the_same(dlib, photos, tmp_path):
    from PIL import Image

    with Image.open(photos["obama"]) as opened:
        turned = opened.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me right by 90 degrees"
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=95)

    assert dlib.verify(photos["obama"], tmp_path / "turned.jpg", timeout_s=60) < 0.2


def test_no_face_and_no_picture_are_told_apart(dlib, photos, tmp_path):
    (tmp_path / "blank.png").write_bytes(labelled_picture(None))
    (tmp_path / "cut.jpg").write_bytes(photos["obama"].read_bytes()[:5_000])

    assert dlib.verify(photos["obama"], tmp_path / "blank.png", timeout_s=60) == NoFace("probe")
    assert dlib.verify(tmp_path / "blank.png", photos["obama"], timeout_s=60) == NoFace("reference")
    for name in ("cut.jpg", "gone.jpg"):
        with pytest.raises(Unreadable):
            dlib.verify(photos["obama"], tmp_path / name, timeout_s=60)


def test_a_punch_with_a_real_photo(in_acme, media, photos, configure):
    configure(face_verifier="task_catalog.ports.faces.dlib.DlibVerifier")
    guard = in_acme.person("guard", in_acme.site("1"))
    profile(guard, photos["obama"].read_bytes(), media)
    found = []
    for name in ("obama2", ANOTHER):
        event = punch(in_acme, guard)
        photo(event, photos[name].read_bytes(), media)
        found.append(run(perform_facerecognition_bgt, pel_uuid=str(event.uuid), peopleid=guard.pk))

    assert [each["fr_status"] for each in found] == ["match", "mismatch"]
    assert [each["threshold"] for each in found] == [0.6, 0.6]
