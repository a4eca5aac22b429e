"""Tracing as OpenTelemetry's own variables describe it (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, ...)."""

from __future__ import annotations

import importlib
import logging
import os
from types import ModuleType

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from youtility_tasks.errors import ExtraMissing

from . import mail

logger = logging.getLogger(__name__)


def _found(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(f"opentelemetry.{name}")
    except ImportError:
        return None


# Imported here, in the process that forks the others: so they share it, and need not look for it.
_OTLP = _found("exporter.otlp.proto.http.trace_exporter")
_REQUESTS = ("DjangoInstrumentor", _found("instrumentation.django"))
_STATEMENTS = ("PsycopgInstrumentor", _found("instrumentation.psycopg"))
_INSTRUMENTED = {"web": (_REQUESTS, _STATEMENTS), "task": (_STATEMENTS,), "worker": ()}
"""A worker's own statements, several a second, belong to no trace."""


def from_environment(part: str) -> None:
    """A provider that sends to an OTLP receiver over HTTP, unless the process has one; then requests, SQL and mails make spans."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(_provider())
    for kind, module in _INSTRUMENTED[part]:
        if module is None:
            logger.info("no spans by the %s, which the extra 'otel' would bring", kind)
            continue
        instrumentor = getattr(module, kind)()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument()
    if part != "worker":
        mail.instrument()


def _provider() -> TracerProvider:
    if _OTLP is None:
        raise ExtraMissing("otel", "opentelemetry-exporter-otlp-proto-http")
    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "youtility-tasks"}
    provider = TracerProvider(resource=Resource.create(name))
    provider.add_span_processor(BatchSpanProcessor(_OTLP.OTLPSpanExporter()))
    return provider
