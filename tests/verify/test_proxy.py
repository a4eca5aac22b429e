"""The proxy before the database: it passes, goes deaf, cuts replies and resets connections."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest

from youtility_tasks.verify.ground import Ground, Place
from youtility_tasks.verify.proxy import Frames, Proxy, after_commit


@pytest.fixture(scope="module")
def place(servers: Ground) -> Place:
    return servers.new_run("proxy")


@pytest.fixture
def proxy(place: Place) -> Iterator[Proxy]:
    with contextlib.closing(Proxy(f"{place.ground.queue.sockets}/.s.PGSQL.5432")) as made:
        yield made


def connect(place: Place, proxy: Proxy, **options: object) -> psycopg.Connection[object]:
    return psycopg.connect(place.through(proxy.port), **options)  # type: ignore[arg-type]


def test_it_passes_everything_on(place: Place, proxy: Proxy) -> None:
    with connect(place, proxy) as connection:
        found = connection.execute("SELECT length(%s)", ["x" * 300_000]).fetchone()

    assert found == (300_000,)


def test_a_reset_ends_every_connection(place: Place, proxy: Proxy) -> None:
    with contextlib.closing(connect(place, proxy)) as connection:
        proxy.reset_all()

        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_while_it_is_deaf_nobody_answers_and_then_new_connections_do(place: Place, proxy: Proxy) -> None:
    proxy.go_deaf()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        connect(place, proxy, connect_timeout=2)
    proxy.recover()

    with connect(place, proxy) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_commit_whose_reply_is_cut_is_in_the_database(place: Place, proxy: Proxy) -> None:
    proxy.cut(after_commit, 1)
    with contextlib.closing(connect(place, proxy)) as connection:
        connection.execute("INSERT INTO verify_effect (key) VALUES ('committed')")
        with pytest.raises(psycopg.OperationalError):
            connection.commit()

    assert proxy.cuts == 1
    with place.connect() as direct:
        assert direct.execute("SELECT count(*) FROM verify_effect WHERE key = 'committed'").fetchone() == (1,)


def test_a_slow_way_holds_back_each_reply_once_however_large_it_is(place: Place, proxy: Proxy) -> None:
    held_back: list[float] = []

    def delay_s() -> float:
        held_back.append(0.001)
        return 0.001

    with connect(place, proxy, autocommit=True) as connection:
        proxy.delay_s = delay_s
        connection.execute("SELECT repeat('x', 1000) FROM generate_series(1, 3000)").fetchall()
        assert len(held_back) == 1

        connection.execute("SELECT 1")
        assert len(held_back) == 2


def test_a_muffled_connection_is_answered_and_told_of_nothing(place: Place, proxy: Proxy) -> None:
    with connect(place, proxy, autocommit=True) as listener, place.connect() as direct:
        listener.execute("LISTEN here")
        direct.execute("SELECT pg_notify('here', 'before')")
        direct.commit()
        assert [told.payload for told in listener.notifies(timeout=5, stop_after=1)] == ["before"]

        assert proxy.deafen_listeners() == 1
        direct.execute("SELECT pg_notify('here', 'after')")
        direct.commit()
        for size in (1, 300_000):  # one frame by itself, and one in many pieces
            assert listener.execute("SELECT length(%s)", ["x" * size]).fetchone() == (size,)
        assert not list(listener.notifies(timeout=0.2))


def test_what_a_listener_asked_for_is_held_back_once_and_so_is_what_it_is_told(place: Place, proxy: Proxy) -> None:
    held_back: list[float] = []

    def delay_s() -> float:
        held_back.append(0.001)
        return 0.001

    with connect(place, proxy, autocommit=True) as listener, place.connect() as direct:
        listener.execute("LISTEN here")
        proxy.delay_s = delay_s
        listener.execute("SELECT repeat('x', 1000) FROM generate_series(1, 3000)").fetchall()
        assert len(held_back) == 1

        direct.execute("SELECT pg_notify('here', '')")
        direct.commit()
        assert list(listener.notifies(timeout=5, stop_after=1))
        assert len(held_back) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_messages_are_told_apart_however_they_are_cut(size: int) -> None:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    row, end, told = message(b"D", b"AAAAA"), message(b"n", b""), message(b"A", b"DDDDDD")
    stream, frames = row + told + end + told + row, Frames()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]

    assert frames.passed(b"N", muffled=True) == b"N"
    assert b"".join(frames.passed(piece, muffled=True) for piece in pieces) == row + end + row
    assert b"".join(frames.passed(piece, muffled=False) for piece in pieces) == stream
