"""What a resolver is told, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from task_catalog.mobile.mine import Mine


@dataclass(slots=True)
class Context:
    """For whom a document is run, and when; one a transaction."""

    client_id: int
    now: datetime
    mine: Mine = field(init=False)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mine = Mine(self.client_id)

    @property
    def moment(self) -> datetime:
        """Now, in whole seconds, as the tables have it."""
        return self.now.replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Output:
    """What every mutation answers; `rc` 0 is good. Ours raise instead of answering anything else (D38)."""

    msg: str
    recordcount: int
    uuids: tuple[str, ...] = ()
    rc: int = 0
    traceback: str = ""

    @classmethod
    def of(cls, what: str, keys: Iterable[UUID | None]) -> Output:
        """The answer for rows that are stored."""
        listed = list(keys)
        return cls(f"{what}: {len(listed)}", len(listed), tuple(str(key) for key in listed if key is not None))

    def as_dict(self) -> dict[str, Any]:
        """For schemas that want a mapping."""
        return {name: list(self.uuids) if name == "uuids" else getattr(self, name) for name in OUTPUT_FIELDS}


OUTPUT_FIELDS = ("rc", "msg", "recordcount", "traceback", "uuids")
