"""One run: every system made ready, then rounds in which each takes its turn, then one result."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import cluster, deep, environments, meter, result
from .errors import UnknownPeer
from .measures import MEASURES, Bench, Sizes
from .processes import Place
from .systems import OURS, SYSTEMS, System


def run(
    names: Sequence[str],
    sizes: Sizes,
    *,
    wanted: frozenset[str],
    depths: deep.Depths,
    url: str | None = None,
    worker_words: Sequence[str] = (),
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measure ourselves and these peers; the document of design's contract. Raises BenchError."""
    systems = [SYSTEMS[name] for name in (OURS, *names)]
    if any(system.needs_redis for system in systems):
        environments.redis_program()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(cluster.running(url))
        folder = Path(tempfile.mkdtemp(prefix="yt-bench-logs-"))
        stack.callback(shutil.rmtree, folder)
        benches: list[Bench] = []
        for system in systems:
            say(f"making ready: {system.title}")
            place = _place(system, server, folder, stack, tuple(worker_words) if system.name == OURS else ())
            benches.append(Bench(server, place, sizes))
            stack.callback(benches[-1].client.close)
        versions, load = _versions(server, benches), os.getloadavg()[0]
        for number in range(sizes.rounds):
            for bench in benches:
                say(f"round {number + 1} of {sizes.rounds}: {bench.place.system.title}")
                bench.round(wanted & frozenset(MEASURES))
        depth = deep.measure(benches[0], depths, say) if "deep" in wanted else None
        return result.document(
            {bench.place.system.name: bench.figures for bench in benches},
            {
                "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "versions": versions,
                "load_before": round(load, 2),
                "durability": server.durability,
                "sizes": {name: getattr(sizes, name) for name in Sizes.__dataclass_fields__},
                "systems": {system.name: {"title": system.title, "note": system.note} for system in systems},
                **({"deep": depth} if depth else {}),
            },
        )


def _place(
    system: System, server: cluster.Cluster, folder: Path, stack: contextlib.ExitStack, words: tuple[str, ...]
) -> Place:
    python = environments.python_of(system)
    own = folder / system.name
    own.mkdir()
    redis_url, servers = "", [server.pid] if server.pid is not None else []
    if system.needs_redis:
        redis_url, redis_pid = stack.enter_context(environments.redis(own))
        servers.append(redis_pid)
    dbname = f"yt_bench_{system.name}"
    env = system.env(server.database(dbname), redis_url)
    place = Place(system, python, env, dbname, tuple(servers), own, words)
    place.prepare()
    return place


def _versions(server: cluster.Cluster, benches: Sequence[Bench]) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "postgres": server.version,
        "cpu": meter.cpu_model(),
        **{bench.place.system.name: bench.client.ask("versions") for bench in benches},
    }


def known_peers(names: Sequence[str]) -> list[str]:
    """These names, checked. Raises UnknownPeer with those that are known."""
    for name in names:
        if name == OURS or name not in SYSTEMS:
            peers = ", ".join(sorted(set(SYSTEMS) - {OURS}))
            raise UnknownPeer(f"No peer is called {name!r}; known: {peers}.")
    return list(names)
