"""What the system says of a process, read from /proc (Linux): without psutil, which takes longer to load than a child to be born."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE, _TICK = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


class Gone(Exception):
    """There is no such process any more."""


def resident_bytes(pid: int) -> int:
    """Memory that it occupies now. Raises Gone."""
    return int(_read(pid, "statm").split()[1]) * _PAGE


def state(pid: int) -> str:
    """One letter: R runs, S sleeps, T is stopped, Z is dead and not reaped. Raises Gone."""
    return stat(pid)[0]


def own_cpu_s(pid: int) -> float:
    """Processor time of it alone. Raises Gone."""
    return sum(map(int, stat(pid)[11:13])) / _TICK


def cpu_s(pid: int) -> float:
    """Processor time of it and of its children that it has reaped. Raises Gone."""
    return sum(map(int, stat(pid)[11:15])) / _TICK


def stat(pid: int) -> list[str]:
    """Its fields from its state on: a program's name, which comes before that, may hold anything. Raises Gone."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Gone(f"No process has the number {pid}.") from error
