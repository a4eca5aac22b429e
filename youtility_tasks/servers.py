"""Of the servers that an address names, the one that takes writes; never one that another has taken over from.

libpq's `target_session_attrs=read-write` takes the first that is writable: after a failover that is the old primary, once
somebody has started it again. Each promotion begins a new timeline, and the server with the highest is the one that all
others write to.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

LOOK = (
    "SELECT system_identifier::text, CASE WHEN NOT pg_is_in_recovery()"
    " THEN ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer END FROM pg_control_system()"
)
"""The cluster, and its timeline as of now (the control file tells it only after a checkpoint); none on a standby."""

_NAME = "youtility looks"
_CONNECT_S = 2
_ANSWER_S = 2.5
_OTHERS_S = 0.5
"""After the first that takes writes, all others have so much longer: one of them may have taken over from it."""

logger = logging.getLogger(__name__)

_newest: dict[str, int] = {}
"""Cluster -> the highest timeline on which this process has seen a server take writes."""


class OldServer(psycopg.OperationalError):
    """The server takes writes, and another was promoted in its place: nobody will ever see what is written here."""

    def __init__(self, where: str, timeline: int, newest: int) -> None:
        super().__init__(
            f"The server {where} takes writes on timeline {timeline}, and another was promoted to timeline {newest}; right is the "
            "newer one. Nothing was asked of the old one. Stop it, and make it a standby (pg_rewind, or a new base backup)."
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    conninfo: str
    system: str = ""
    timeline: int | None = None
    failure: str = ""


def each_host(conninfo: str) -> list[str]:
    """The same address once for each host that it names, each without a preference of its own."""
    parts: dict[str, Any] = dict(conninfo_to_dict(conninfo))
    lists = {key: str(parts[key]).split(",") for key in ("host", "hostaddr", "port") if parts.get(key)}
    count = max((len(lists.get(key, ())) for key in ("host", "hostaddr")), default=1)
    if count < 2:
        return [conninfo]
    for key in ("target_session_attrs", "load_balance_hosts"):
        parts.pop(key, None)
    return [
        make_conninfo("", **{**parts, **{key: given[min(n, len(given) - 1)] for key, given in lists.items()}})
        for n in range(count)
    ]


def pick(conninfo: str) -> str:
    """The address of the one server to write to; all are asked at once, so that a deaf one costs half a second and not its timeout.

    An address of one host is returned as it is. Raises OldServer, or OperationalError if none takes writes.
    """
    several = each_host(conninfo)
    if len(several) == 1:
        return conninfo
    answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
    for one in several:
        threading.Thread(target=_ask, args=(one, answers), name="which server", daemon=True).start()
    heard = _listen(answers, len(several))
    writers = sorted((each for each in heard if each.timeline is not None), key=lambda each: -(each.timeline or 0))
    if not writers:
        said = "; ".join(f"{_where(each.conninfo)}: {each.failure or 'a standby'}" for each in heard) or "no answer"
        raise psycopg.OperationalError(f"none of {len(several)} servers takes writes: {said}")
    best = writers[0]
    for old in writers[1:]:
        if old.system == best.system and old.timeline != best.timeline:
            logger.error(
                "two servers take writes, the old one is left alone old=%s timeline=%s new=%s timeline=%s",
                _where(old.conninfo), old.timeline, _where(best.conninfo), best.timeline,
            )  # fmt: skip
    accept(best.system, best.timeline, _where(best.conninfo))
    return best.conninfo


def accept(system: str, timeline: int | None, where: str) -> None:
    """Remember what a server has answered to LOOK. Raises OldServer for one behind what was seen, OperationalError for a standby."""
    if timeline is None:
        raise psycopg.OperationalError(f"the server {where} is a standby")
    newest = _newest.setdefault(system, timeline)
    if timeline < newest:
        raise OldServer(where, timeline, newest)
    if timeline > newest:
        logger.warning("another server has taken over server=%s timeline=%s before=%s", where, timeline, newest)
        _newest[system] = timeline


def where(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> str:
    """Its host and port, for people."""
    return f"{connection.info.host}:{connection.info.port}"


def _where(conninfo: str) -> str:
    parts = conninfo_to_dict(conninfo)
    return f"{parts.get('host') or parts.get('hostaddr')}:{parts.get('port') or 5432}"


def _ask(conninfo: str, answers: queue.SimpleQueue[_Answer]) -> None:
    """In a thread that nobody waits for: a server that takes the connection and then says nothing holds it for good."""
    try:
        with psycopg.connect(
            conninfo, autocommit=True, connect_timeout=_CONNECT_S, application_name=_NAME
        ) as connection:
            system, timeline = connection.execute(LOOK).fetchone() or ("", None)
        answers.put(_Answer(conninfo, system, timeline))
    except Exception as error:
        answers.put(_Answer(conninfo, failure=str(error).strip().partition("\n")[0] or type(error).__name__))


def _listen(answers: queue.SimpleQueue[_Answer], count: int) -> list[_Answer]:
    heard: list[_Answer] = []
    give_up = time.monotonic() + _ANSWER_S
    while len(heard) < count:
        try:
            answer = answers.get(timeout=max(0.0, give_up - time.monotonic()))
        except queue.Empty:
            break
        heard.append(answer)
        if answer.timeline is not None:
            if answer.timeline > _newest.get(answer.system, answer.timeline):
                break  # the next in line; whoever is before it has nothing to say
            give_up = min(give_up, time.monotonic() + _OTHERS_S)
    return heard
