"""The API under schemathesis: whatever is sent, no 5xx, and every answer is what the schema says.

`make fuzz` sends more: FUZZ_EXAMPLES requests a kind and endpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.speaking import ACME
from youtility_tasks import Workflow, dead_letters, schedules, tenant, tokens
from youtility_tasks.dead_letters import Letters
from youtility_tasks.workflows import templates

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """A server's requests give their connection back, and with it the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def there(add_task, fail_task, enqueue, acme) -> dict[str, Any]:
    """Parts of paths of things that there are, which no fuzzer guesses."""
    job_id = enqueue(acme, add_task)
    with tenant(acme):
        schedule = schedules.create("nightly", "add", cron="0 2 * * *")
        flow = Workflow("one step")
        flow.step(add_task)
        templates.save(flow)
        run = flow.start()
        redrive = dead_letters.redrive(Letters(task_name="add"), rate_per_s=1)
    return {
        "job_id": job_id,
        "schedule_id": schedule.pk,
        "workflow_id": run.id,
        "queue": "email",
        "tenant_id": ACME,
        "redrive_id": redrive.pk,
    }


@pytest.fixture
def send(person: Callable[[str], Any]) -> Callable[[Any, str], Any]:
    """`send(case, "admin")`; what it did is undone."""
    texts = {who: tokens.create(person(who), "fuzz")[1] for who in ("admin", "ops")}

    def one(case: Any, who: str) -> Any:
        with transaction.atomic():
            response = case.call(headers={"Authorization": f"Bearer {texts[who]}"})
            transaction.set_rollback(True)
        return response

    return one


def operations(headers: dict[str, str]) -> list[Any]:
    schema = schemathesis.openapi.from_wsgi("/tasks/api/schema/", get_wsgi_application(), headers=headers)
    return [each.ok() for each in schema.get_all_operations()]


@pytest.mark.timeout(120 + 60 * EXAMPLES)
def test_whatever_is_sent_the_answer_is_what_the_schema_says(person, send, there):
    _, text = tokens.create(person("admin"), "schema")
    found = operations({"Authorization": f"Bearer {text}"})
    assert len(found) >= 60

    flaws = []
    for operation in found:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                fuzz(operation, mode, send, there)
            except Exception as error:
                flaws.append(
                    f"{operation.label} ({mode.value}): {error!r:.2000}\n{getattr(error, 'exceptions', '')!s:.3000}"
                )
    assert not flaws, "\n\n".join(flaws)


def fuzz(operation: Any, mode: GenerationMode, send: Callable[[Any, str], Any], there: dict[str, Any]) -> None:
    checks = (*CHECKS, negative_data_rejection) if mode is GenerationMode.NEGATIVE else CHECKS

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(
        case=operation.as_strategy(generation_mode=mode), is_there=st.booleans(), who=st.sampled_from(["admin", "ops"])
    )
    def one(case: Any, is_there: bool, who: str) -> None:
        if is_there and mode is GenerationMode.POSITIVE:
            case.path_parameters = {
                name: there.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
        response = send(case, who)
        case.validate_response(response, checks=checks)

    one()
