"""What a report says about itself, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from task_catalog.conf import catalog
from task_catalog.rules.local_time import shown

from .cells import zone_in_words
from .registry import Column, Report
from .request import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Title, columns, and whose rows of which period these are."""

    report: Report
    client: str
    place: str
    start: datetime
    end: datetime
    offset: int
    """Minutes east of UTC: by this wall clock every instant is shown."""
    made_at: datetime
    company: str

    @property
    def title(self) -> str:
        return self.report.title

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.report.columns

    @property
    def period(self) -> str:
        return f"{shown(self.start, self.offset)} to {shown(self.end, self.offset)}"

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Name and value, in the order in which they are read."""
        return [
            ("Client", self.client),
            ("Site", self.place),
            ("Period", self.period),
            ("Times", zone_in_words(self.offset)),
            ("Made", shown(self.made_at, self.offset)),
        ]


def head_of(asked: Asked, made_at: datetime) -> Head:
    """The head of what was asked for."""
    return Head(
        report=asked.report,
        client=asked.client,
        place=asked.place,
        start=asked.filters.start,
        end=asked.filters.end,
        offset=asked.filters.offset,
        made_at=made_at,
        company=catalog().company_name,
    )
