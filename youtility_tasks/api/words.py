"""The models that endpoints share: what may be said, and what is answered."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from youtility_tasks.addresses import LARGEST_ID, LARGEST_TENANT
from youtility_tasks.audit import LONGEST_REASON

MOST_ON_A_PAGE = 500
_EARLIEST, _LATEST = 1900, 9000


class Said(BaseModel):
    """What a caller says: a field that is not known is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class Given(BaseModel):
    """What is answered. More fields may come with a later release."""


class Nothing(Said):
    """No words."""


def _digits(value: Any) -> Any:
    """Words behind a question mark are text: a number is in ASCII digits, and nothing else is one."""
    if isinstance(value, str):
        if not re.fullmatch(r"-?[0-9]{1,19}", value):
            raise ValueError(f"{value[:40]!r} is not a whole number")
        return int(value)
    return value


def _yes_or_no(value: Any) -> Any:
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise ValueError(f"{value[:40]!r} is neither true nor false")
        return value == "true"
    return value


def _iso(value: Any) -> Any:
    if not isinstance(value, str) or not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", value):
        raise ValueError(f"{str(value)[:40]!r} is no instant such as 2026-11-24T06:00:00Z")
    return value


def _in_bounds(value: datetime) -> datetime:
    """Its neighbours exist in every zone, too."""
    if not _EARLIEST <= value.year <= _LATEST:
        raise ValueError(f"the year is {value.year}; right is {_EARLIEST} to {_LATEST}")
    return value


# The bounds before the reader of digits, or the schema would not have them.
Digits = BeforeValidator(_digits)
TenantId = Annotated[int, Field(ge=1, le=LARGEST_TENANT), Digits]
PageSize = Annotated[int, Field(ge=1, le=MOST_ON_A_PAGE), Digits]
SiteId = Annotated[int, Field(ge=-(2**63), le=LARGEST_ID), Digits]
Ahead = Annotated[int, Field(ge=1, le=100), Digits]
Switch = Annotated[bool, BeforeValidator(_yes_or_no)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_bounds)]
QueryInstant = Annotated[AwareDatetime, BeforeValidator(_iso), AfterValidator(_in_bounds)]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class OfTenant(Said):
    """Of which tenant."""

    tenant: TenantId | None = Field(
        None, description="Work for this tenant. Needed by who belongs to several; an operator without one means all."
    )


class OfTenantOrSweeps(OfTenant):
    """Of which tenant, or of the sweeps, which serve all of them."""

    tenant: Annotated[int, Field(ge=0, le=LARGEST_TENANT), Digits] | None = Field(
        None, description="Work for this tenant; 0: for the sweeps, as an operator."
    )


class Paged(OfTenant):
    """A page of a list, newest first."""

    limit: PageSize = Field(50, description="At most so many.")
    cursor: str | None = Field(
        None, max_length=100, description="`next` of the page before; what has come since then does not move the pages."
    )

    @field_validator("cursor")
    @classmethod
    def _is_one(cls, given: str | None) -> str | None:
        id_of(given)
        return given

    @property
    def before_id(self) -> int | None:
        """The id that the page before ended with."""
        return id_of(self.cursor)


class Why(Said):
    """Why somebody does this."""

    reason: str = Field("", max_length=LONGEST_REASON, description="Kept in the audit log.")


class Place(Given):
    """Where in the request, and what is wrong there."""

    at: str
    detail: str


class ProblemDocument(Given):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Place] | None = None


def page_of(rows: list[Any], limit: int, last_id: Callable[[Any], int]) -> tuple[list[Any], str | None]:
    """Of one row more than fits, the page and the cursor of the next; None where this is the last."""
    page = rows[:limit]
    return page, cursor_of(last_id(page[-1])) if len(rows) > limit else None


def cursor_of(last_id: int) -> str:
    """The cursor of a page that ends with this id."""
    return base64.urlsafe_b64encode(f"1:{last_id}".encode()).decode().rstrip("=")


def id_of(cursor: str | None) -> int | None:
    """The id that a page ended with. Raises ValueError for a cursor that no page has given."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, ValueError):
        text = ""
    found = re.fullmatch(r"1:([0-9]{1,19})", text)
    if found is None or int(found[1]) > LARGEST_ID:
        raise ValueError("The cursor is none that a page has given: take `next` of the page before, or leave it out.")
    return int(found[1])
