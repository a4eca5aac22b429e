"""CPU seconds and memory of processes with all that they started, read from /proc (Linux)."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from youtility_tasks.workers import processes

_TICK = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """The process and everything that descends from it."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children[int(fields[1])].append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children[pid]
    return found


def below(pid: int) -> list[int]:
    """The processes that this one has started and that still live."""
    found = []
    for entry in Path("/proc").iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else []
        if fields and int(fields[1]) == pid:
            found.append(int(entry.name))
    return found


def ticks(pid: int) -> tuple[int, int, int, int]:
    """CPU time of one process in clock ticks: its own (user, system) and that of children it has reaped (user, system)."""
    fields = _stat(pid)
    user, system, reaped_user, reaped_system = (int(field) for field in fields[11:15] or (0, 0, 0, 0))
    return user, system, reaped_user, reaped_system


def cpu_s(roots: Iterable[int]) -> float:
    """CPU seconds used so far by these processes and all below them, those that have ended included."""
    return sum(sum(ticks(pid)) for root in roots for pid in tree(root)) / _TICK


def pss_mib(root: int) -> dict[int, float]:
    """Memory of each process of a tree, where a page that n of them share counts one n-th; by pid, in MiB."""
    sizes = {}
    for pid in tree(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        sizes[pid] = next(int(line.split()[1]) / 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return sizes


def cpu_model() -> str:
    """What the machine calls its processor, and how many there are."""
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            return f"{line.partition(':')[2].strip()} x {os.cpu_count()}"
    return f"unknown x {os.cpu_count()}"


def _stat(pid: int) -> list[str]:
    """As `processes.stat`; empty once it is gone, or is not for us to see."""
    try:
        return processes.stat(pid)
    except (processes.Gone, OSError):
        return []
