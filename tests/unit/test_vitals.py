"""A service manager hears that all serve, then that all live, and nothing more of a worker whose heartbeat has stopped."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from youtility_tasks.management.commands import run_postgresql_worker
from youtility_tasks.workers import family, vitals
from youtility_tasks.workers.pulse import Pulse
from youtility_tasks.workers.supervisor import Supervisor
from youtility_tasks.workers.vitals import Vitals


class Manager:
    """What systemd is to a service: a datagram socket, and what came to it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        """The lines since the last look."""
        lines = []
        while True:
            try:
                lines += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


@pytest.fixture(params=["a file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(
        str(tmp_path / "notify") if request.param == "a file" else f"@yt-{os.getpid()}-{time.monotonic_ns()}"
    )
    yield made
    made.socket.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass, for signs of life and pulses alike."""
    passed = [0.0]
    real = time.monotonic

    class Clock:
        monotonic = staticmethod(lambda: real() + passed[0])

    monkeypatch.setattr(vitals, "time", Clock)
    monkeypatch.setattr("youtility_tasks.workers.pulse.time", Clock)

    def let_pass(seconds: float) -> None:
        passed[0] += seconds

    return let_pass


def test_ready_is_said_once_when_the_last_worker_serves(manager: Manager, clock: Callable[[float], None]) -> None:
    pulses = {"email": Pulse(), "reports": Pulse()}
    told = Vitals(manager.address, patience_s=10)

    pulses["email"].note_registration()
    told.look(pulses)
    assert manager.heard() == []

    pulses["reports"].note_registration()
    told.look(pulses)
    assert manager.heard() == ["READY=1", "WATCHDOG=1", "STATUS=serving email, reports"]

    told.look(pulses)
    assert manager.heard() == []  # within a second of the last
    clock(1.1)
    told.look(pulses)
    assert manager.heard() == ["WATCHDOG=1", "STATUS=serving email, reports"]


def test_one_silent_worker_ends_the_signs_of_life_and_its_next_beat_brings_them_back(
    manager: Manager, clock: Callable[[float], None], tmp_path: Path
) -> None:
    pulses = {"email": Pulse(), "reports": Pulse()}
    for pulse in pulses.values():
        pulse.note_registration()
    alive = tmp_path / "alive"
    told = Vitals(manager.address, alive_file=alive, patience_s=10)
    told.look(pulses)
    manager.heard()
    os.utime(alive, (0, 0))

    clock(11)
    pulses["email"].beat()
    told.look(pulses)
    assert manager.heard() == ["STATUS=no heartbeat of reports"]
    assert alive.stat().st_mtime == 0

    clock(2)
    pulses["reports"].beat()
    told.look(pulses)
    assert manager.heard() == ["WATCHDOG=1", "STATUS=serving email, reports"]
    assert alive.stat().st_mtime > 0


def test_without_a_look_at_the_pulse_a_silent_worker_would_pass_for_well(
    manager: Manager, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pulse = Pulse()
    pulse.note_registration()
    monkeypatch.setattr(Pulse, "silent_s", lambda self: 0.0)

    clock(11)
    Vitals(manager.address, patience_s=10).look({"email": pulse})

    assert "WATCHDOG=1" in manager.heard()


def test_stopping_is_said(manager: Manager) -> None:
    Vitals(manager.address, patience_s=10).stopping()

    assert manager.heard() == ["STOPPING=1", "STATUS=ending what runs"]


def test_a_forked_process_is_heard_by_its_pulse() -> None:
    pulse = Pulse()
    assert not pulse.has_registered()

    os.waitpid(family.fork(pulse.note_registration), 0)

    assert pulse.has_registered()


@pytest.mark.parametrize(
    ("environ", "patience_s"),
    [
        ({"WATCHDOG_USEC": "7000000"}, 7.0),
        ({"WATCHDOG_USEC": "7000000", "WATCHDOG_PID": str(os.getpid())}, 7.0),
        ({"WATCHDOG_USEC": "7000000", "WATCHDOG_PID": "1"}, 18.0),  # of somebody else
        ({}, 18.0),  # 3 s between renewals, and three statements of 5 s
        ({"WATCHDOG_USEC": "soon"}, 18.0),
    ],
)
def test_the_watchdog_of_the_unit_says_how_long_a_worker_may_be_silent(
    environ: dict[str, str], patience_s: float
) -> None:
    assert Vitals.asked_for_by(environ)._patience_s == patience_s


@pytest.mark.parametrize("away", ["no socket", "nobody listens", "it does not read"])
def test_a_manager_that_is_away_or_deaf_holds_nobody_up(away: str, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    deaf = Manager(address)
    if away == "nobody listens":
        deaf.socket.close()
    told = Vitals(None if away == "no socket" else address, patience_s=10)

    for _ in range(2_000 if away == "it does not read" else 1):  # more than the kernel keeps for it
        told.stopping()

    deaf.socket.close()


def test_the_file_of_the_life_before_is_no_sign_of_this_one(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    alive.touch()

    told = Vitals(alive_file=alive, patience_s=10)
    told.look({"email": Pulse()})

    assert not alive.exists()


def test_what_tasks_start_finds_no_way_to_the_manager(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "7000000")
    monkeypatch.setattr(run_postgresql_worker, "_log_to_stderr", lambda *, as_json: None)
    monkeypatch.setattr(run_postgresql_worker, "_wait_for_a_database_that_will_do", lambda: None)

    def run(supervisor: Supervisor) -> int:
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & set(os.environ)
        supervisor.vitals.stopping()
        return 0

    monkeypatch.setattr(Supervisor, "run", run)
    with pytest.raises(SystemExit, match="0"):
        call_command("run_postgresql_worker")
    assert "STOPPING=1" in manager.heard()


def test_a_file_that_cannot_be_is_bad_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_postgresql_worker, "_log_to_stderr", lambda *, as_json: None)
    (tmp_path / "no folder").touch()

    with pytest.raises(CommandError, match="Name a file in a folder that can be written") as refused:
        call_command("run_postgresql_worker", "--alive-file", str(tmp_path / "no folder" / "alive"))
    assert refused.value.returncode == 2
