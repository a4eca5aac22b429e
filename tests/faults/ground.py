"""What only root may make: small disks, memory limits, networks of one's own. A test that may not is skipped."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests import warm
from tests.acceptance.crew import REPOSITORY, Crew, Queue, until
from tests.prepared import in_memory, start_from_copy
from youtility_tasks.standalone.server import Server

CGROUPS = Path("/sys/fs/cgroup")


def run(*words: str | Path) -> None:
    """Run a command that is refused to most users; the test is skipped where it is."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20)
    except OSError as error:
        pytest.skip(f"{words[0]}: {error}")
    if done.returncode:
        pytest.skip(f"not permitted here: {' '.join(map(str, words))}: {done.stderr.strip()}")


# -- servers


def env_for(server: Server) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": server.url(), "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings"}


@contextmanager
def own_server(*options: str) -> Iterator[Server]:
    """A PostgreSQL of a module's own, migrated and running."""
    folder = Path(tempfile.mkdtemp(prefix="yt-fault-", dir=None if "fsync=on" in options else in_memory()))
    folder.chmod(0o755)
    server = Server(folder, options=["-c", "fsync=off", *options])

    def migrate() -> None:
        command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        warm.run(command, cwd=REPOSITORY, env=env_for(server), check=True)

    try:
        start_from_copy(server, REPOSITORY / ".pytest_cache" / "prepared-own", migrate)
        with server.in_use():
            yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def crew_of(server: Server, folder: Path) -> Iterator[Crew]:
    """A crew on that server, which holds no jobs before and after."""
    crew = Crew(Queue(server.url()), env_for(server), folder)
    try:
        yield crew
    finally:
        crew.close()
        server.start()
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("TRUNCATE procrastinate_jobs, procrastinate_workers, youtility_tasks_history CASCADE")


# -- disks


@dataclass(frozen=True)
class Disk:
    """A small disk in the place of a folder."""

    folder: Path

    @contextmanager
    def full(self) -> Iterator[None]:
        """There is no room on it inside the block."""
        filling = self.folder / "filling"
        with filling.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 20)):
                pass
        try:
            yield
        finally:
            filling.unlink()


@contextmanager
def small_disk(server: Server, part: str, *, room_mib: int) -> Iterator[Disk]:
    """A part of the server's data on a disk with so much room beside it; on the old one again afterwards."""
    server.stop()
    folder = server.data / part
    owner, kept = folder.stat(), folder.with_name(f"{part}.kept")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) + room_mib * 1024 * 1024
    folder.rename(kept)
    folder.mkdir()
    try:
        run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid={owner.st_uid},gid={owner.st_gid}", "yt", folder)
        copy(kept, folder)
        try:
            server.start()
            yield Disk(folder)
        finally:
            server.stop()
            shutil.rmtree(kept)
            kept.mkdir()
            copy(folder, kept)
            subprocess.run(["umount", folder], check=True, timeout=20)
    finally:
        folder.rmdir()
        kept.rename(folder)


def copy(source: Path, target: Path) -> None:
    """The folder with its owners and modes."""
    subprocess.run(["cp", "-a", f"{source}/.", target], check=True, timeout=60)


# -- memory


@contextmanager
def memory_limit(mib: int) -> Iterator[Path]:
    """A control group with so much memory for all its processes; write pids into its `cgroup.procs`."""
    old = (CGROUPS / "memory").is_dir()
    group = (CGROUPS / "memory" if old else CGROUPS) / f"yt-{secrets.token_hex(4)}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(mib * 1024 * 1024))
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"a memory limit is not permitted here: {error}")
    try:
        yield group
    finally:
        until(lambda: not (group / "cgroup.procs").read_text(), why="its processes are gone")
        group.rmdir()


# -- networks


@dataclass(frozen=True)
class Network:
    """A network of one host, and the cable between it and this one."""

    name: str
    cable: str
    """This host's end; the other is called `host`."""
    here: str
    there: str
    inside: tuple[str, ...]

    def drop_answers(self) -> None:
        """What this host sends arrives nowhere; nobody is told."""
        run("ip", "neigh", "replace", self.there, "lladdr", "02:00:00:00:00:99", "nud", "permanent", "dev", self.cable)

    def drop_everything(self) -> None:
        """Neither end hears the other; nobody is told."""
        self.drop_answers()
        run(
            *self.inside,
            "ip",
            "neigh",
            "replace",
            self.here,
            "lladdr",
            "02:00:00:00:00:99",
            "nud",
            "permanent",
            "dev",
            "host",
        )

    def recover(self) -> None:
        run("ip", "neigh", "del", self.there, "dev", self.cable)
        subprocess.run([*self.inside, "ip", "neigh", "del", self.here, "dev", "host"], capture_output=True, timeout=20)


@contextmanager
def network() -> Iterator[Network]:
    """A network namespace whose only way out is a cable to this host."""
    name = f"yt{secrets.token_hex(4)}"
    number = secrets.randbelow(60) * 4
    made = Network(name, f"{name}c", f"198.18.7.{number + 1}", f"198.18.7.{number + 2}", ("ip", "netns", "exec", name))
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", made.cable, "type", "veth", "peer", "name", "host", "netns", name)
        run("ip", "addr", "add", f"{made.here}/30", "dev", made.cable)
        run("ip", "link", "set", made.cable, "up")
        run(*made.inside, "ip", "addr", "add", f"{made.there}/30", "dev", "host")
        run(*made.inside, "ip", "link", "set", "host", "up")
        run(*made.inside, "ip", "link", "set", "lo", "up")
        yield made
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True, timeout=20)
