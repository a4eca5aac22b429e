"""CPU seconds and memory of processes with all that they started, read from /proc (Linux)."""

from __future__ import annotations

import os
import time
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


def own_s(pid: int) -> float:
    """CPU seconds of all threads of one process, those that have ended included; 0 once it is gone.

    By its clock (clock_getcpuclockid(3)), as /proc counts in hundredths of a second, more than a few jobs take.
    """
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def reaped_s(pid: int) -> float:
    """CPU seconds of the children that one process has reaped, and of theirs; 0 once it is gone."""
    return sum(int(field) for field in _stat(pid)[13:15]) / _TICK


def cpu_s(roots: Iterable[int]) -> float:
    """CPU seconds used so far by these processes and all below them, those that have ended included."""
    return sum(own_s(pid) + reaped_s(pid) for root in roots for pid in tree(root))


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
