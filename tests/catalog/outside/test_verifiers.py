"""The face verifiers: what looks at photos may crash, hang or eat memory, and only its own process pays for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from task_catalog import checks
from task_catalog.ports import faces
from task_catalog.ports.faces import NoFace, Unreadable, process
from task_catalog.ports.faces.deepface import DeepFaceVerifier
from task_catalog.ports.faces.isolated import IsolatedVerifier
from task_catalog.ports.faces.labelled import LabelledVerifier, labelled_picture
from tests.catalog.outside.broker import until
from youtility_tasks import Transient

MAY_FORK = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
"""Python 3.12 and later warn of what these tests are about."""

ENGINE = '''
import ctypes, os, time
from task_catalog.ports.faces.process import NoFaceIn, UnreadableFile

class Engine:
    """Does what the name of the probe says."""

    def __init__(self):
        with open(os.environ["YT_TEST_STARTS"], "a") as starts:
            starts.write(f"{os.getpid()}\\n")

    def compare(self, reference, probe):
        word = os.path.basename(probe)
        if word == "crash":
            ctypes.string_at(0)
        if word == "hang":
            import re; re.match(r"(a+)+$", "a" * 64 + "b")  # never comes back to Python
        if word == "eat":
            bytearray(8 * 1024 ** 3)
        if word == "leave":
            os._exit(3)
        if word == "chatter":
            print("libraries do that")
        if word == "faceless":
            raise NoFaceIn("probe")
        if word == "rubbish":
            raise UnreadableFile("reference", "no header")
        if word == "bug":
            raise KeyError("x")
        return 0.25
'''


class Played(IsolatedVerifier):
    model, metric, threshold = "played", "word", 0.5
    engine: ClassVar[str] = "yt_test_engine:Engine"


@pytest.fixture
def starts(tmp_path, monkeypatch) -> Path:
    """The pids of the processes that were started."""
    (tmp_path / "yt_test_engine.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("YT_TEST_STARTS", str(tmp_path / "starts"))
    return tmp_path / "starts"


@pytest.fixture
def played(starts):
    verifier = Played()
    yield verifier
    verifier.end()


def ask(verifier, word, timeout_s=20.0):
    return verifier.verify(Path("/reference"), Path("/photos") / word, timeout_s=timeout_s)


def pids(starts):
    return [int(line) for line in starts.read_text().split()]


def test_the_process_is_kept_warm_between_questions(played, starts):
    assert [ask(played, "fine") for _ in range(5)] == [0.25] * 5

    assert len(pids(starts)) == 1
    assert pids(starts)[0] != os.getpid()


def test_it_is_replaced_after_so_many_questions(played, starts, configure):
    configure(face_calls=2)

    for _ in range(5):
        ask(played, "fine")

    assert len(set(pids(starts))) == 3
    assert not psutil.pid_exists(pids(starts)[0])


@pytest.mark.parametrize(("word", "how"), [("crash", "SIGSEGV"), ("leave", "left with status 3")])
def test_a_crash_costs_one_answer_and_the_next_question_is_answered(played, starts, word, how):
    ask(played, "fine")

    with pytest.raises(Transient, match=how):
        ask(played, word)

    assert ask(played, "fine") == 0.25
    assert len(pids(starts)) == 2


def test_one_that_does_not_come_back_is_ended_in_time(played, starts):
    ask(played, "fine")
    begun = time.monotonic()

    with pytest.raises(Transient, match="took too long"):
        ask(played, "hang", timeout_s=1)

    assert time.monotonic() - begun < 5
    assert not psutil.pid_exists(pids(starts)[0])
    assert ask(played, "fine") == 0.25


def test_memory_beyond_the_limit_is_an_error_of_one_answer(played, configure):
    configure(face_memory_mb=2048)

    with pytest.raises(Transient, match="MemoryError"):
        ask(played, "eat")

    assert ask(played, "fine") == 0.25


def test_a_process_that_somebody_killed_between_two_questions_is_replaced_unseen(played, starts):
    ask(played, "fine")
    os.kill(pids(starts)[0], signal.SIGKILL)
    until(lambda: psutil.Process(pids(starts)[0]).status() == "zombie", "it did not die")

    assert ask(played, "fine") == 0.25


def test_one_that_nobody_has_asked_for_long_leaves_and_is_replaced_before_it_does(played, starts, monkeypatch):
    ask(played, "fine")
    later = time.monotonic() + process.LEAVES_AFTER_S - 20
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: later)
        assert ask(played, "fine", timeout_s=60) == 0.25
    assert len(pids(starts)) == 2

    (ours, theirs) = socket.socketpair()
    with ours, theirs:
        left = subprocess.Popen(
            [
                *(sys.executable, "-c"),
                "import sys, task_catalog.ports.faces.process as p; p.LEAVES_AFTER_S = 0.1; "
                f"p.main('yt_test_engine:Engine', {theirs.fileno()}, 2048)",
            ],
            pass_fds=[theirs.fileno()],
        )
        assert left.wait(20) == 0


def test_what_a_library_prints_is_no_answer(played):
    assert ask(played, "chatter") == 0.25


def test_no_face_and_a_broken_file_are_told_with_the_picture(played):
    assert ask(played, "faceless") == NoFace("probe")
    with pytest.raises(Unreadable, match="the reference picture cannot be read: no header"):
        ask(played, "rubbish")


def test_a_bug_of_the_engine_is_told_and_the_process_kept(played, starts):
    with pytest.raises(Transient, match="KeyError"):
        ask(played, "bug")

    ask(played, "fine")
    assert len(pids(starts)) == 1


def test_a_missing_library_is_transient_and_says_what_to_install(starts, configure):
    class Missing(IsolatedVerifier):
        model, metric, threshold = "m", "m", 1.0
        engine = "yt_no_such_module:Engine"
        needs = ("yt_no_such_module",)
        to_install = "pip install 'youtility-tasks[faces]'"

    verifier = Missing()
    with pytest.raises(Transient, match=r"model is missing: No module named 'yt_no_such_module'.*\[faces\]"):
        ask(verifier, "fine")
    verifier.end()
    assert "yt_no_such_module cannot be imported" in Missing.flaw()


def test_the_check_names_the_extra_that_is_missing(configure, monkeypatch):
    configure(face_verifier="task_catalog.ports.faces.dlib.DlibVerifier")
    assert checks.check_task_catalog() == []
    find = checks.import_string("importlib.util.find_spec")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "dlib" else find(name))

    (found,) = checks.check_task_catalog()

    assert (found.id, found.level) == ("task_catalog.W001", 30)
    assert "dlib cannot be imported: pip install 'youtility-tasks[faces]'" in found.msg
    configure(face_verifier="")
    assert checks.check_task_catalog() == []


@MAY_FORK
def test_a_fork_has_a_process_of_its_own_and_leaves_its_parents_alone(played, starts):
    ask(played, "fine")
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if ask(played, "fine") == 0.25 and len(pids(starts)) == 2 else 1)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    assert ask(played, "fine") == 0.25
    assert len(pids(starts)) == 2


@MAY_FORK
def test_a_fork_while_somebody_looks_at_photos_does_not_wait_for_him(played, starts):
    with played._guard:
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(0 if ask(played, "fine", timeout_s=10) == 0.25 else 1)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@MAY_FORK
def test_the_process_ends_with_whoever_asked_also_while_it_hangs(starts):
    pid = os.fork()
    if pid == 0:
        try:
            ask(Played(), "hang", timeout_s=2)
        finally:
            os._exit(1)
    until(lambda: starts.exists() and pids(starts), "nothing was started")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    until(lambda: not _runs(pids(starts)[0]), "it lives on")


def _runs(pid):
    try:
        return psutil.Process(pid).status() != "zombie"
    except psutil.NoSuchProcess:
        return False


def test_the_end_of_the_attempt_is_noticed_while_waiting(played, monkeypatch):
    """SoftTimeLimit is raised in the waiting thread between two of its instructions."""
    import ctypes
    import threading

    from youtility_tasks.errors import SoftTimeLimit

    me = threading.get_ident()
    timer = threading.Timer(
        0.5, lambda: ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(me), ctypes.py_object(SoftTimeLimit))
    )
    timer.start()
    begun = time.monotonic()
    with pytest.raises(SoftTimeLimit):
        ask(played, "hang", timeout_s=60)

    assert time.monotonic() - begun < 5
    assert played._process is None


# -- DeepFace, of which only the manners are known here

DEEPFACE = """
class DeepFace:
    @staticmethod
    def verify(**asked):
        assert asked["model_name"] == "Facenet512", asked
        assert asked["detector_backend"] == "mtcnn" and asked["distance_metric"] == "cosine", asked
        assert asked["enforce_detection"] is True
        for name in ("img1_path", "img2_path"):
            if "faceless" in asked[name]:
                try:
                    raise ValueError("Face could not be detected in numpy array.")
                except ValueError as error:
                    raise ValueError(f"Exception while processing {name}") from error
        if "odd" in asked["img2_path"]:
            raise ValueError("Unimplemented model")
        return {"verified": True, "distance": 0.31, "threshold": 0.3}
"""


@pytest.fixture
def deepface(tmp_path, monkeypatch):
    package = tmp_path / "stub" / "deepface"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(DEEPFACE))
    monkeypatch.syspath_prepend(str(tmp_path / "stub"))
    for name in ("one.png", "two.png", "faceless.png", "odd.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty.png").touch()
    verifier = DeepFaceVerifier()
    yield lambda reference, probe: verifier.verify(tmp_path / reference, tmp_path / probe, timeout_s=20)
    verifier.end()


def test_deepface_is_asked_for_the_models_of_the_catalogue(deepface):
    assert deepface("one.png", "two.png") == 0.31
    assert (DeepFaceVerifier.model, DeepFaceVerifier.metric, DeepFaceVerifier.threshold) == (
        "Facenet512",
        "cosine",
        0.4,
    )


def test_deepfaces_missing_faces_files_and_other_errors_are_told_apart(deepface):
    assert deepface("one.png", "faceless.png") == NoFace("probe")
    assert deepface("faceless.png", "one.png") == NoFace("reference")
    with pytest.raises(Unreadable, match="probe picture"):
        deepface("one.png", "gone.png")
    with pytest.raises(Unreadable, match="it is empty"):
        deepface("empty.png", "one.png")
    with pytest.raises(Transient, match="Unimplemented model"):
        deepface("one.png", "odd.png")


# -- the stand-in of the demonstration


def test_labelled_pictures_say_what_is_written_on_them(tmp_path):
    for name, distance in (("me", 0), ("near", 0.21), ("far", 0.62), ("nobody", None)):
        (tmp_path / name).write_bytes(labelled_picture(distance))
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff real photo")
    verifier = LabelledVerifier()

    def look(reference, probe):
        return verifier.verify(tmp_path / reference, tmp_path / probe, timeout_s=1)

    assert (look("me", "near"), look("me", "far"), look("me", "nobody")) == (0.21, 0.62, NoFace("probe"))
    assert look("nobody", "near") == NoFace("reference")
    for reference, probe, which in (("photo", "near", "reference"), ("me", "photo", "probe"), ("me", "gone", "probe")):
        with pytest.raises(Unreadable) as caught:
            look(reference, probe)
        assert caught.value.picture == which


def test_a_labelled_picture_is_a_picture(tmp_path):
    from PIL import Image

    (tmp_path / "a.png").write_bytes(labelled_picture(0.5))

    with Image.open(tmp_path / "a.png") as opened:
        opened.load()
        assert opened.size == (1, 1)
    assert "demonstration" in LabelledVerifier.model


def test_the_verifier_of_the_settings_is_made_once(configure):
    configure(face_verifier="task_catalog.ports.faces.labelled.LabelledVerifier")

    assert isinstance(faces.verifier(), LabelledVerifier)
    assert faces.verifier() is faces.verifier()
    assert sys.modules.get("dlib") is None, "the port's module alone may import dlib, in its own process"
