"""Which tasks are still to be written, and that nobody can believe they ran."""

from __future__ import annotations

import pytest

import task_catalog.tasks  # noqa: F401 - declares the tasks
from task_catalog.not_yet_built import NotYetBuiltGuard
from youtility_tasks import NotYetBuilt, tenant
from youtility_tasks.models import Job
from youtility_tasks.registry import get, registered

# One valid call of each; the list is empty when the catalogue is complete.
CALLS = {
    "move_media_to_cloud_storage": {},
    "perform_facerecognition_bgt": {"pel_uuid": "u", "peopleid": 1},
    "publish_mqtt": {"topic": "t", "payload": "{}"},
    "send_mismatch_notification": {"mismatch_data": {}},
}


def test_exactly_these_tasks_are_still_to_be_written():
    unbuilt = {name for name, task in registered().items() if isinstance(task.guard, NotYetBuiltGuard)}

    assert unbuilt == CALLS.keys()
    assert len(CALLS) == 4


@pytest.mark.parametrize("name", CALLS)
def test_enqueueing_an_unbuilt_task_is_refused_and_writes_nothing(name, acme):
    with tenant(acme.pk), pytest.raises(NotYetBuilt, match=f"{name!r} is registered but not built yet"):
        get(name).enqueue(**CALLS[name])

    assert not Job.objects.exists()


@pytest.mark.parametrize("name", CALLS)
def test_an_unbuilt_body_raises_instead_of_pretending(name):
    with pytest.raises(NotYetBuilt, match=repr(name)):
        get(name).func(**CALLS[name])
