"""Which server an address means, before anybody is asked."""

from __future__ import annotations

import queue
import time

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from youtility_tasks import servers


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_newest", {})


def test_an_address_of_one_host_is_left_as_it_is() -> None:
    for address in ("postgresql://app@db1/x?target_session_attrs=read-write", "dbname=x", "host=/run/pg dbname=x"):
        assert servers.each_host(address) == [address]


def test_each_host_has_its_port_and_no_wish_of_its_own() -> None:
    several = servers.each_host(
        "postgresql://app@db1:5433,db2:5434/x?target_session_attrs=read-write&connect_timeout=2"
    )
    one_port = servers.each_host("host=/run/a,/run/b port=6000 dbname=x")

    found = [conninfo_to_dict(each) for each in several]
    assert [(each["host"], each["port"]) for each in found] == [("db1", "5433"), ("db2", "5434")]
    assert all("target_session_attrs" not in each and each["connect_timeout"] == "2" for each in found)
    assert [conninfo_to_dict(each)["port"] for each in one_port] == ["6000", "6000"]


def test_a_timeline_that_fell_back_is_refused_by_its_name() -> None:
    servers.accept("a cluster", 3, "b:5432")
    servers.accept("another", 1, "c:5432")

    with pytest.raises(servers.OldServer, match=r"a:5432 takes writes on timeline 2.*timeline 3"):
        servers.accept("a cluster", 2, "a:5432")
    with pytest.raises(psycopg.OperationalError, match="d:5432 is a standby"):
        servers.accept("a cluster", None, "d:5432")


def answers(*given: servers._Answer) -> queue.SimpleQueue[servers._Answer]:
    made: queue.SimpleQueue[servers._Answer] = queue.SimpleQueue()
    for each in given:
        made.put(each)
    return made


def test_the_others_are_waited_for_unless_one_has_taken_over() -> None:
    servers.accept("a cluster", 3, "a:5432")
    began = time.monotonic()

    servers._listen(answers(servers._Answer("host=b", "a cluster", 4)), 2)
    assert time.monotonic() - began < servers._OTHERS_S / 2

    heard = servers._listen(answers(servers._Answer("host=a", "a cluster", 3)), 2)
    assert servers._OTHERS_S <= time.monotonic() - began < servers._ANSWER_S
    assert [each.conninfo for each in heard] == ["host=a"]
