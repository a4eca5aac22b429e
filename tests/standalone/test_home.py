"""The state folder: where it is, how it is made, and the secret kept in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from youtility_tasks.standalone import home
from youtility_tasks.standalone.errors import StandaloneError


@pytest.fixture
def strict_umask() -> Iterator[None]:
    """As some companies set it for root: nothing is open to anybody."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_what_root_makes_can_be_passed_through_whatever_the_umask(tmp_path, strict_umask):
    home.make_folder(tmp_path / "a" / "b")

    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o755, 0o755)


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path):
    there = tmp_path / "there"
    there.mkdir(mode=0o710)

    home.make_folder(there)

    assert mode(there) == 0o710


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StandaloneError, match=r"file cannot be made: File exists.*YOUTILITY_HOME"):
        home.make_folder(tmp_path / "file")


def test_a_relative_or_winding_path_means_one_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOUTILITY_HOME", "a/../b/./c")

    assert home.folder() == tmp_path / "b" / "c"


def test_an_ordinary_user_has_a_state_folder_of_his_own(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("YOUTILITY_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ann")
    assert home.folder() == Path("/home/ann/.local/state/youtility-tasks")

    monkeypatch.setenv("XDG_STATE_HOME", "/home/ann/state")
    assert home.folder() == Path("/home/ann/state/youtility-tasks")


def test_the_secret_is_made_once_and_is_the_owners_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("YOUTILITY_HOME", str(tmp_path / "state"))

    first, second = home.secret_key(), home.secret_key()

    assert first == second
    assert len(first) >= 50
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["secret_key"]
    assert mode(tmp_path / "state" / "secret_key") == 0o600


def test_a_secret_that_is_given_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "given")
    monkeypatch.setenv("YOUTILITY_HOME", str(tmp_path / "state"))

    assert home.secret_key() == "given"
    assert not (tmp_path / "state").exists()
