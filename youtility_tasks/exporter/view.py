"""`/metrics` in the application's own web process; off unless the setting `metrics_view` says otherwise."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from youtility_tasks.conf import settings
from youtility_tasks.middleware import FINDS_OUT_ITSELF

from . import answering


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The same as `run_task_exporter`: for who shows `metrics_token`, or where none is set for who asks from this very host."""
    if not settings().metrics_view:
        raise Http404
    is_near = answering.is_loopback(request.META.get("REMOTE_ADDR", "")) and not any(
        name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip")
    )
    if settings().metrics_token is None and not is_near:
        raise Http404
    if not answering.may(request.headers.get("Authorization", "")):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    body, content_type = answering.body(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type, headers={"Cache-Control": "no-store"})


setattr(metrics, FINDS_OUT_ITSELF, True)
