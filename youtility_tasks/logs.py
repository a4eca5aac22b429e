"""Log lines for machines: one JSON object a line, with the job around it and the span, and never a job's arguments.

In the settings' LOGGING: `"formatters": {"json": {"()": "youtility_tasks.logs.JsonLines"}}`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

from . import running

_SAID = re.compile(r"%%|(?:(?<=\s)|^)([a-z_]+)=%[^\s%]*(?:/%[^\s%]*)?|%[^a-zA-Z%]*[a-zA-Z]")
"""A value of a line with the word in front of it, as this package writes them (`task=%s attempt=%s/%s`), or without one."""
_OURS = ("youtility_tasks", "task_catalog")
_FIELDS = {"id": "job", "task": "task", "tenant": "tenant", "attempt": "attempt", "worker": "worker", "queue": "queue"}
"""Words of our lines that are fields, too, so that nobody has to take a message apart."""


class JsonLines(logging.Formatter):
    """`at`, `level`, `logger`, `message`, `pid`; `job`, `task`, `tenant`, `attempt`, `trace_id`, `span_id` where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
            **_around(),
            **dict(_said(record)),
        }
        span = getattr(record, "span", None)
        if span is not None:
            line |= {"trace_id": span[0], "span_id": span[1]}
        if record.exc_info or record.exc_text:  # the text alone, where values were taken out of it
            line["exception"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        return json.dumps(line)


def to_stderr(*, as_json: bool) -> None:
    """Log to stderr, unless the project has configured the root logger and did not ask for JSON."""
    root = logging.getLogger()
    if root.handlers and not as_json:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(message)s")
    )
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # procrastinate logs arguments at INFO, and arguments hold people's names.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)


def _around() -> dict[str, Any]:
    """Of the code that logs: its job, or the tenant that it works for."""
    found: dict[str, Any] = {}
    job = running.current.get()
    tenants = sys.modules.get(
        "youtility_tasks.tenants"
    )  # which needs models, and logging is set up before there are any
    tenant_id = None if tenants is None else tenants.current_tenant()
    if job is not None:
        found = {"job": job.job_id, "task": job.task_name, "tenant": job.tenant_id, "attempt": job.attempt}
    elif tenant_id is not None:
        found = {"tenant": tenant_id}
    traced = sys.modules.get("opentelemetry.trace")  # whoever makes spans has imported it
    if traced is not None:
        span = traced.get_current_span().get_span_context()
        if span.is_valid:
            found |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
    return found


def _said(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    """Fields of a line of ours, from its own values: numbers stay numbers."""
    if not record.name.startswith(_OURS) or not isinstance(record.args, tuple) or not isinstance(record.msg, str):
        return
    at = 0
    for found in _SAID.finditer(record.msg):
        if found[0] == "%%":
            continue
        if at >= len(record.args):
            return
        word, value = found[1], record.args[at]
        at += found[0].count("%")
        if word in _FIELDS and isinstance(value, int | str):
            yield _FIELDS[word], value
