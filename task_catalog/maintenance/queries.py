"""process_graphql_download_async (T30): answers what devices ask, and writes nothing."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection, transaction

from task_catalog.arguments import task
from task_catalog.conf import catalog
from task_catalog.mobile.context import Context
from task_catalog.ports import clock, graphql
from task_catalog.rules import payloads
from youtility_tasks import BadInput, Retry, current_tenant, queues
from youtility_tasks.conf import settings


@task(
    name="process_graphql_download_async",
    queue_name=queues.MAINTENANCE,
    priority=4,
    retry=Retry(4, base=60, factor=2, cap=600),
    timeout_s=60,
    seed_class="low",
)
def process_graphql_download_async(*, payload: str) -> dict[str, Any]:
    """Run a GraphQL query for a device in a read-only transaction; `payload` is `{"query": ...}` as JSON text.

    The answer may be 5 MB long.

    Second attempt: asks again; nothing is written.
    """
    client_id = current_tenant()
    message = payloads.query_of("process_graphql_download_async", payload)
    if client_id is None:
        raise BadInput("process_graphql_download_async: it needs a client; enqueue it inside `with tenant(client_id)`.")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        context = Context(client_id, clock.now())
        data = graphql.run(message.document, message.variables, context, kind="query")
    # The queue would store a note in place of a longer result, and the job would have succeeded without an answer.
    own, house = catalog().download_max_bytes, settings().max_result_bytes
    result = {"status": "ok", "warnings": context.warnings, "data": data}
    size = len(json.dumps(result, ensure_ascii=False).encode())
    if size > min(own, house):
        name = "TASK_CATALOG['download_max_bytes']" if own <= house else "YOUTILITY_TASKS['max_result_bytes']"
        raise BadInput(
            f"process_graphql_download_async: the answer is too large: {size} bytes, and {name} is {min(own, house)}. "
            "Ask for less: a later moment (mdtz), one site (buid)."
        )
    return result
