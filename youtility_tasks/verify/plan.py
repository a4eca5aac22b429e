"""What a run will enqueue and injure, decided by its seed alone: the same seed plans the same."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .shapes import SHAPES

TENANTS = {1: 50, 2: 25, 3: 15, 4: 7, 5: 3}
"""Five tenants of unequal weight: id -> its share of a hundred jobs."""

LOCKS = 6
_LATEST_S = 1.5


@dataclass(frozen=True, slots=True)
class Planned:
    """One job to be enqueued."""

    key: str
    shape: str
    tenant_id: int
    priority: int
    lock: str = ""
    delay_s: float = 0.0
    filling: int = 0


def jobs(seed: int, count: int) -> list[Planned]:
    """`count` jobs; each shape that is ever enqueued is among the first."""
    rng = random.Random(f"jobs {seed}")  # noqa: S311 - to be repeated, not to be secret
    shapes = [shape for shape in SHAPES.values() if shape.share]
    names = [shape.name for shape in shapes][:count]
    names += rng.choices([s.name for s in shapes], [s.share for s in shapes], k=max(0, count - len(names)))
    rng.shuffle(names)
    return [_one(rng, name, number) for number, name in enumerate(names)]


def _one(rng: random.Random, name: str, number: int) -> Planned:
    tenant_id = rng.choices(list(TENANTS), list(TENANTS.values()))[0]
    return Planned(
        key=f"{name}-{number:05d}",
        shape=name,
        tenant_id=tenant_id,
        priority=rng.randint(1, 10),
        lock=f"lock-{rng.randrange(LOCKS)}" if SHAPES[name].locked else "",
        delay_s=rng.uniform(0.3, _LATEST_S) if name == "scheduled" else (2.0 if name == "single" else 0.0),
        filling=rng.randint(50_000, 200_000) if name == "big" else 0,
    )


def faults(seed: int, names: list[str], minutes: float) -> list[tuple[float, str]]:
    """(seconds after the start, fault): gaps of 2 to 20 s, some so short that faults overlap."""
    rng = random.Random(f"faults {seed}")  # noqa: S311
    planned: list[tuple[float, str]] = []
    at = rng.uniform(2, 6)
    while at < minutes * 60 - 15:
        planned.append((at, rng.choice(names)))
        at += rng.uniform(2, 20)
    return planned
