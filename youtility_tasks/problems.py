"""What a request is refused for: a status, a word for programs, a title, and what to do about it. The API sends it as problem+json (RFC 9457)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, DataError, InterfaceError, OperationalError, ProgrammingError
from django.http import JsonResponse, UnreadablePostError

from . import errors

MEDIA_TYPE = "application/problem+json"
_PREFIX = "urn:youtility-tasks:problem:"
_INSUFFICIENT_PRIVILEGE = "42501"
_RETRY_S = 5

logger = logging.getLogger(__name__)


@dataclass
class Problem(Exception):
    """An answer that is no success; raise it from an endpoint or a page, or let `of` make one of an error of the house."""

    status: int
    kind: str
    """The last word of its type: "unknown-field"."""
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    places: list[dict[str, str]] = field(default_factory=list)
    """Where in the request: {"at": "body.priority", "detail": ...}."""

    def response(self) -> JsonResponse:
        """As it goes out."""
        body: dict[str, Any] = {
            "type": _PREFIX + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.places:
            body["errors"] = self.places
        return JsonResponse(body, status=self.status, content_type=MEDIA_TYPE, headers=dict(self.headers))


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (errors.NotAllowed, 403),
    (errors.JobNotFound, 404),
    (errors.OperationNotFound, 404),
    (errors.WorkerNotFound, 404),
    (errors.WorkflowNotFound, 404),
    (errors.RedriveNotFound, 404),
    (errors.UnknownSchedule, 404),
    (errors.UnknownTemplate, 404),
    (errors.RouteChanged, 409),
    (errors.NothingToLift, 409),
    (errors.WrongRoute, 422),
    (errors.ScheduleExists, 409),
    (errors.SearchRefused, 422),
    (errors.WrongControl, 422),
    (errors.WrongSpan, 422),
    (errors.WrongSchedule, 422),
    (errors.Refused, 409),
    (errors.EnqueueError, 422),
)
"""The first that fits."""


def of(error: Exception) -> Problem:
    """The problem that an error is. What nobody expected is logged with its traceback, and told as 500 without any."""
    if isinstance(error, Problem):
        return error
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return Problem(status, _dashed(error), _words(error), str(error))
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning("database not available error=%s", _first_line(error))
        return Problem(
            503, "database-unavailable", "Database unavailable",
            f"The database does not answer, or not in time. Try again in {_RETRY_S} s; the doctor of the installation says more.",
            {"Retry-After": str(_RETRY_S)},
        )  # fmt: skip
    if isinstance(error, ProgrammingError) and getattr(error.__cause__, "sqlstate", "") == _INSUFFICIENT_PRIVILEGE:
        logger.warning("refused by the database error=%s", _first_line(error))
        return Problem(
            403, "not-allowed", "Not allowed",
            "The database lets nobody do this who acts as you do here. Operators see metadata: what changes or shows a tenant's own "
            "takes a role for that tenant (?tenant=ID).",
        )  # fmt: skip
    if isinstance(error, SuspiciousOperation | UnreadablePostError):  # thousands of words; a caller who hangs up
        return Problem(400, "not-readable", "Not readable", f"The request cannot be read: {error}")
    if isinstance(error, DataError):
        logger.warning("refused by the database error=%s", _first_line(error))
        return Problem(422, "wrong-value", "Wrong value", "A value is one that no column can hold.")
    logger.error("request failed", exc_info=error)
    return Problem(500, "fault", "Fault", "This is a mistake of the server's, and it is in its log.")


def _first_line(error: DatabaseError | InterfaceError) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _dashed(error: Exception) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()


def _words(error: Exception) -> str:
    return _dashed(error).replace("-", " ").capitalize()
