"""The tier `hosts`: workers on three hosts, a primary and its synchronous standby on two, and whoever enqueues on a sixth.

One host is cut off, one dies, the primary dies and its standby is promoted, the old primary comes back as if nothing had
been, and is made a standby. What the ledger saw is then judged as after every run; beside it stands what only
hosts can show.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from .case import Check, Violation
from .crew import QUICK, Crew, NotInTime, until
from .dumping import dump
from .entries import Evidence, Kind
from .ground import Ground
from .ledger import Ledger
from .nemesis import Stage
from .networks import Host, hosts
from .pair import Pair
from .proxy import Proxy

FAILOVER_S = 10.0
"""After the promotion, by when claims flow again."""
_BEFORE_S = 2.0
_PROBE = "instant-after-the-promotion"
_LEFT_ALONE_S = 3.0
"""So long the old primary takes writes beside the new one, and is left alone."""
_WORKERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'youtility worker%'"
_CLAIMS = "SELECT coalesce(sum(claim_number), 0)::bigint FROM procrastinate_jobs"


class PairGround(Ground):
    """The queue is on a pair of servers; the ledger's server is on no network, and nothing happens to it."""

    def __init__(self, folder: Path, machines: list[Host]) -> None:
        super().__init__(folder)
        self.pair = Pair(folder / "pair", machines)
        self.queue = self.pair  # type: ignore[assignment]


@dataclass(slots=True)
class Seen:
    """What only hosts can show."""

    outlived: list[int] = field(default_factory=list)
    """Processes of the cut-off host that ran a task after its lease was over."""
    stopped_s: float = 0.0
    claims_s: float | None = None
    """After the promotion, when the first job began."""
    on_the_old: list[str] = field(default_factory=list)
    is_back: bool = False
    """The host that was cut off serves again."""
    standby: str = ""


@contextlib.contextmanager
def ground() -> Iterator[tuple[PairGround, list[Host]]]:
    """The servers, and the hosts of workers and of who enqueues. Raises NotPermitted."""
    folder = Path(tempfile.mkdtemp(prefix="yt-verify-"))
    folder.chmod(0o755)  # the servers' own user has to pass through
    try:
        with hosts("first", "second", "w1", "w2", "w3", "web") as (first, second, *others):
            made = PairGround(folder, [first, second])
            with made.pair.in_use(), made.ledger.in_use():
                made.migrate()
                yield made, others
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play(servers: PairGround, others: list[Host], *, seed: int, seconds: float) -> tuple[Evidence, Seen]:
    """Play it; what it left, and what was seen. Jobs come during all of it, and so many seconds longer."""
    *machines, web = others
    place, pair, rate = servers.new_run("hosts"), servers.pair, 20.0
    ledger = Ledger(place.ledger, place.folder)
    ledger.prepare()
    crew = Crew(place, pair.address(place.database), dict(QUICK))
    with contextlib.ExitStack() as stack:
        nothing = [stack.enter_context(contextlib.closing(Proxy("/nowhere"))) for _ in range(2)]
        stage = Stage(crew, ledger, nothing[0], nothing[1], random.Random(f"hosts {seed}"))  # noqa: S311
        stack.enter_context(contextlib.closing(crew))
        stack.enter_context(contextlib.closing(ledger))
        for number, machine in enumerate(machines, 1):
            with machine.entered():
                crew.start()
            crew.ready(2 * number)
        with web.entered():
            crew.generate(seed, round(seconds * rate), rate, pair.address(place.database))
        until(ledger.running, "work begins")
        seen = Seen()
        time.sleep(_BEFORE_S)
        _enqueue(stage, "verify_patient", "maintenance", *(f"patient-{n}" for n in range(8)))
        _cut_off(stage, machines[0], seen)
        _die(stage, machines[1])
        _fail_over(stage, pair, seen)
        _split(stage, pair, seen)
        seen.is_back = bool(_registered(crew, machines[0]))
        assert crew.generator is not None  # noqa: S101 - it was started above
        crew.generator.wait(seconds * 3 + 60)
        with contextlib.suppress(NotInTime), place.connect() as connection:
            left = "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') LIMIT 1"
            until(lambda: not connection.execute(left).fetchall(), "the queue is drained", within_s=60)
        for process in crew.alive():
            crew.stop(process)
        with psycopg.connect(place.direct) as connection:
            return Evidence(seed=seed, ledger=ledger.read(), dump=dump(connection)), seen


def _enqueue(stage: Stage, task_name: str, queue_name: str, *keys: str) -> None:
    """By SQL, and told to the ledger as the generator does."""
    statement = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, tenant_id, priority)"
        " VALUES (%s, %s, jsonb_build_object('key', %s::text), 1, 10) RETURNING id"
    )
    with stage.crew.place.connect() as connection:
        for key in keys:
            stage.ledger.write(Kind.INTENT, key=key, tenant=1)
            ((job_id,),) = connection.execute(statement, [queue_name, task_name, key]).fetchall()
            stage.ledger.write(Kind.ACK, key=key, job_id=job_id)


def _cut_off(stage: Stage, machine: Host, seen: Seen) -> None:
    """C41: what it runs must end with its lease, as others take it over then; it serves again when it is back."""
    mine = set(machine.pids())
    with stage.recorded("a host is cut off", sorted(mine), stage.lease_s + 2 * stage.deadline_s) as injury:
        running = until(lambda: _patient(stage.ledger, mine), "it runs something long")
        injury.hits = len(running)
        at = time.monotonic()
        machine.cut_off()
        with contextlib.suppress(NotInTime):
            until(lambda: not running & set(machine.pids()), "its children stop", within_s=stage.lease_s + 5)
        seen.stopped_s = time.monotonic() - at
        seen.outlived = sorted(running & set(machine.pids()))
        machine.reconnect()


def _die(stage: Stage, machine: Host) -> None:
    with stage.recorded("a host dies", machine.pids(), stage.lease_s):
        machine.die()


def _fail_over(stage: Stage, pair: Pair, seen: Seen) -> None:
    """B26: nothing is told to anybody; who writes has to find the new primary."""
    with stage.recorded("the primary dies", "*", FAILOVER_S):
        pair.kill_primary()
        promoted = pair.promote()
        with contextlib.suppress(NotInTime):
            _enqueue(stage, "verify_instant", "high_priority", _PROBE)
            until(lambda: _has_begun(stage.ledger, _PROBE), "claims flow", within_s=2 * FAILOVER_S)
            seen.claims_s = time.monotonic() - promoted


def _split(stage: Stage, pair: Pair, seen: Seen) -> None:
    """B28: the old primary is back and takes writes; all sessions are cut, so that everybody chooses anew."""
    database = stage.crew.place.database
    with stage.recorded("the old primary is back", "*", stage.lease_s + 2 * stage.deadline_s):
        pair.bring_back_the_old()
        pair.ask(
            pair.standby, "ALTER SYSTEM SET synchronous_standby_names = ''"
        )  # or its commits would wait, and prove nothing
        pair.ask(pair.standby, "SELECT pg_reload_conf()")
        before = pair.ask(pair.standby, _CLAIMS, database)
        pair.ask(pair.primary, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")  # noqa: S608
        give_up = time.monotonic() + _LEFT_ALONE_S
        while time.monotonic() < give_up:
            ((count,),) = pair.ask(pair.standby, _WORKERS)
            seen.on_the_old += [f"{count} sessions of workers"] if count else []
            time.sleep(0.1)
        after = pair.ask(pair.standby, _CLAIMS, database)
        seen.on_the_old += [f"claims {before} -> {after}"] if before != after else []
        pair.make_standby_of_the_old()
        pair.set_synchronous(True)
    ((seen.standby,),) = pair.ask(pair.primary, "SELECT sync_state FROM pg_stat_replication")


def _patient(ledger: Ledger, pids: set[int]) -> set[int]:
    """Those of them that run a job which takes longer than a lease."""
    return {pid for pid, key in ledger.running() if key.startswith("patient")} & pids


def _has_begun(ledger: Ledger, key: str) -> bool:
    with psycopg.connect(ledger.address) as connection:
        found = connection.execute("SELECT 1 FROM entry WHERE kind = 'begin' AND key = %s LIMIT 1", [key])
        return found.fetchone() is not None


def _registered(crew: Crew, machine: Host) -> list[int]:
    mine = set(machine.pids())
    with contextlib.suppress(NotInTime):
        return until(lambda: [pid for _, pid, _ in crew.workers() if pid in mine], "it is registered anew", within_s=15)
    return []


def checks(evidence: Evidence, seen: Seen, *, lease_s: float) -> list[Check]:
    """What was seen, as checks beside those of the ledger."""
    acknowledged = sum(entry.kind is Kind.ACK for entry in evidence.ledger)
    in_time = seen.claims_s is not None and seen.claims_s <= FAILOVER_S
    return [
        _check("the cut-off host stops its children", f"by lease end, {lease_s:g} s, and 2 s", f"{seen.stopped_s:.1f} s",
               not seen.outlived and seen.stopped_s <= lease_s + 2),
        _check("it serves again", "registered anew", "it does" if seen.is_back else "it does not", seen.is_back),
        _check("claims flow after the promotion", f"<= {FAILOVER_S:g} s", "never" if seen.claims_s is None else f"{seen.claims_s:.1f} s", in_time),
        _check("the old primary is left alone", "no session, no claim", "; ".join(seen.on_the_old[:3]) or "none", not seen.on_the_old),
        _check("the old primary follows the new", "sync", seen.standby, seen.standby == "sync"),
        _check("jobs were acknowledged", "more than 100", str(acknowledged), acknowledged > 100),
    ]  # fmt: skip


def _check(name: str, expected: str, got: str, ok: bool) -> Check:
    return Check(f"hosts: {name}", expected, got, [] if ok else [Violation("*", got)])
