"""Questions that devices ask."""

from __future__ import annotations

from typing import Any

from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


@task(
    name="process_graphql_download_async",
    queue_name=queues.MAINTENANCE,
    priority=4,
    retry=Retry(4, base=60, factor=2, cap=600),
    timeout_s=60,
    seed_class="low",
    guard=NotYetBuiltGuard("process_graphql_download_async"),
)
def process_graphql_download_async(*, payload: str) -> dict[str, Any]:
    """Run a GraphQL query for a device in a read-only transaction; `payload` is `{"query": ...}` as JSON text.

    The answer may be 5 MB long.

    Second attempt: asks again; nothing is written.
    """
    raise NotYetBuilt("process_graphql_download_async")
