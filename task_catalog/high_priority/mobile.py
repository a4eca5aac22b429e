"""What devices send while somebody waits for the answer on a screen."""

from __future__ import annotations

from typing import Any

from task_catalog import keys
from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, Retry, queues, task


def _lock(arguments: dict[str, Any]) -> str:
    return f"gql:{keys.digest(arguments['payload'])}"


@task(
    name="process_graphql_mutation_async",
    queue_name=queues.HIGH_PRIORITY,
    priority=1,
    retry=Retry(6, base=300, factor=1, cap=300),
    timeout_s=60,
    lock=_lock,
    seed_class="high",
    guard=NotYetBuiltGuard("process_graphql_mutation_async"),
)
def process_graphql_mutation_async(*, payload: str) -> dict[str, Any]:
    """Run the GraphQL mutation that a device sent, with its variables; `payload` is its JSON text (R-GQL).

    A GraphQL error and an output whose `rc` is not 0 both fail the job.

    Second attempt: a payload that was applied returns its first answer with `duplicate`; rows are upserted by `uuid`.
    """
    raise NotYetBuilt("process_graphql_mutation_async")
