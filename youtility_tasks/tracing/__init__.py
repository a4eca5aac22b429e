"""OpenTelemetry, where the setting `tracing` asks for it: one trace joins a request, the jobs it enqueued, and what they did.

Without the setting nothing of it is imported, no statement is sent and none is longer.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
from collections.abc import Iterator, Mapping

from django.utils.module_loading import import_string

from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError, ExtraMissing

FLUSH_S = 2.0
"""A process that leaves waits no longer for its last spans to be taken."""

_begun_in: set[int] = set()
"""Process ids: what was begun before a fork is another process's."""


def is_on() -> bool:
    """Whether spans are made here at all."""
    return settings().tracing is not None


def load() -> None:
    """Import what is needed, before processes are forked that share it. Raises ConfigurationError where it cannot be had."""
    if importlib.util.find_spec("opentelemetry") is None or importlib.util.find_spec("opentelemetry.sdk") is None:
        raise ExtraMissing("otel", "opentelemetry-sdk", "Or leave the setting `tracing` out.")
    _set_up()


def _set_up() -> object:
    from . import producing  # noqa: F401 - for the forked processes

    try:
        return import_string(settings().tracing or "")
    except ImportError as error:
        raise ConfigurationError(
            f"YOUTILITY_TASKS: tracing is {settings().tracing!r}, which cannot be imported ({error}); right is the dotted name of a "
            "function, for example 'youtility_tasks.tracing.setup.from_environment'."
        ) from error


def begin(part: str) -> None:
    """Set tracing up in this process, as "web", "worker" or "task": once, after all forks. Without the setting nothing happens.

    In the web before the application is made, for example in `wsgi.py`. Raises ConfigurationError.
    """
    if not is_on() or os.getpid() in _begun_in:
        return
    load()
    set_up = _set_up()
    if not callable(set_up):
        raise ConfigurationError(f"YOUTILITY_TASKS: tracing names {set_up!r}, which is no function.")
    set_up(part)
    _begun_in.add(os.getpid())


def carried() -> Mapping[str, str]:
    """What a statement that enqueues is told of the trace around it: nothing without the setting, an empty text outside of any."""
    if settings().tracing is None:
        return {}
    from . import carrying

    return {"trace": carrying.of_now()}


def of_job(job_id: int, carried_along: str | None, enqueued_at: float) -> str:
    """The id of the trace that a job's attempts belong to: what it carries, or what they begin if it carries none (`enqueued_at` in s)."""
    from . import carrying  # with the setting alone

    under = carrying.read(carried_along)
    return f"{under.trace_id if under else carrying.trace_of_job(job_id, enqueued_at):032x}"


@contextlib.contextmanager
def flushing() -> Iterator[None]:
    """At the end of the block the spans that wait are sent, for a moment: the process is about to leave without a word."""
    try:
        yield
    finally:
        if os.getpid() in _begun_in:
            from opentelemetry import trace

            flush = getattr(trace.get_tracer_provider(), "force_flush", lambda: None)
            last = threading.Thread(target=flush, name="spans", daemon=True)
            last.start()
            last.join(FLUSH_S)
