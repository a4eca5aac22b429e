"""Whether this process lives, and whether the whole is ready; for load balancers, so without a login and without details."""

from __future__ import annotations

import logging

from django.db import Error, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from youtility_tasks import queries, queues, tenants
from youtility_tasks.conf import settings
from youtility_tasks.doctor import steps
from youtility_tasks.errors import YoutilityTaskError
from youtility_tasks.middleware import FINDS_OUT_ITSELF

logger = logging.getLogger(__name__)

_is_migrated = False


@transaction.non_atomic_requests
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers; nothing else is asked."""
    return JsonResponse({"ok": True}, headers={"Cache-Control": "no-store"})


@transaction.non_atomic_requests
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """The database answers, its migrations are done, and each queue has a live worker; 503 otherwise. The log says which not."""
    flaw = _flaw()
    if flaw:
        logger.warning("not ready: %s", flaw)
    return JsonResponse({"ok": not flaw}, status=503 if flaw else 200, headers={"Cache-Control": "no-store"})


for _view in (healthz, readyz):
    setattr(_view, FINDS_OUT_ITSELF, True)  # whoever asks is asked nothing: their session may be what cannot be read


def _flaw() -> str:
    try:
        with tenants.nobody(), transaction.atomic(using=settings().database):
            queries.fetch("bound_transaction", {"deadline_ms": int(settings().api_statement_s * 1_000)})
            left = _pending()
            if left:
                return f"migrations are to be run: {', '.join(left[:5])}"
            served = {name for name, _ in queries.fetch("served", {"lease_s": settings().lease_s})}
    except (Error, YoutilityTaskError) as error:
        return f"the database cannot be asked: {(str(error).strip().splitlines() or ['?'])[0]}"
    unserved = sorted(queues.configured().keys() - served)
    return f"no live worker serves {', '.join(unserved)}" if unserved else ""


def _pending() -> list[str]:
    """Migrations that were done stay done while this code runs; to look costs 50 ms, so nobody can make us look again and again."""
    global _is_migrated
    left = [] if _is_migrated else steps.pending()
    _is_migrated = not left
    return left
