"""process_graphql_mutation_async (T05): stores what devices report, while somebody waits for the answer on a screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import transaction

from task_catalog.arguments import task
from task_catalog.mobile.context import OUTPUT_FIELDS, Context
from task_catalog.ports import clock, graphql
from task_catalog.rules import payloads
from youtility_tasks import BadInput, Retry, current_tenant, effects, queues


class MutationFailed(Exception):
    """A mutation answered that it had failed (`rc` is not 0) without saying why another attempt could not help."""


def _lock(arguments: dict[str, Any]) -> str:
    return f"gql:{payloads.digest_of(arguments['payload'])}"


@task(
    name="process_graphql_mutation_async",
    queue_name=queues.HIGH_PRIORITY,
    priority=1,
    retry=Retry(6, base=300, factor=1, cap=300),
    timeout_s=60,
    lock=_lock,
    seed_class="high",
)
def process_graphql_mutation_async(*, payload: str) -> dict[str, Any]:
    """Run the GraphQL mutation that a device sent, with its variables; `payload` is its JSON text (R-GQL).

    A GraphQL error and an output whose `rc` is not 0 both fail the job.

    Second attempt: a payload that was applied returns its first answer with `duplicate`; rows are upserted by `uuid`.
    """
    client_id = current_tenant()
    message = payloads.mutation_of("process_graphql_mutation_async", payload)
    if client_id is None:
        raise BadInput("process_graphql_mutation_async: it needs a client; enqueue it inside `with tenant(client_id)`.")
    key = f"gql:{message.digest}"
    # The key and the rows commit together, so that a message delivered twice is applied once whoever dies when.
    with transaction.atomic():
        if not effects.once(key):
            return {**effects.answer(key), "status": "duplicate"}
        context = Context(client_id, clock.now())
        data = graphql.run(message.document, message.variables, context, kind="mutation")
        outputs = list(_outputs(data))
        for name, output in outputs:
            if output.get("rc") not in (0, None):
                raise MutationFailed(f"{name} answered rc {output['rc']!r}: {str(output.get('msg'))[:200]}")
        answer = {
            "status": "ok",
            "warnings": context.warnings[:100],
            "data": data,
            "uuids": message.uuids or [uuid for _, output in outputs for uuid in output.get("uuids") or ()],
            "service_name": message.service_name,
            "recordcount": sum(output.get("recordcount") or 0 for _, output in outputs),
            "rc": 0,
        }
        effects.keep_answer(key, answer)
    return answer


def _outputs(data: Mapping[str, Any], depth: int = 3) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the mutations of the document answered, by their names in it; some schemas put it one level deeper."""
    for name, output in data.items():
        if isinstance(output, dict):
            if not output.keys().isdisjoint(OUTPUT_FIELDS):
                yield name, output
            elif depth > 1:
                yield from _outputs(output, depth - 1)
