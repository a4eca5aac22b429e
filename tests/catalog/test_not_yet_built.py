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
    "alert_sendmail": {"id": 1, "event": "observation"},
    "cleanup_reports_which_are_12hrs_old": {},
    "create_report_history": {"formdata": {}, "userid": 1, "buid": 1, "EI": [None, None, None]},
    "create_save_report_async": {"formdata": {}, "client_id": 1, "user_email": "a@b.example", "user_id": 1},
    "create_scheduled_reports": {},
    "insert_json_records_async": {"records": [], "tablename": "tracking"},
    "move_media_to_cloud_storage": {},
    "perform_facerecognition_bgt": {"pel_uuid": "u", "peopleid": 1},
    "process_graphql_download_async": {"payload": "{}"},
    "process_graphql_mutation_async": {"payload": "{}"},
    "publish_mqtt": {"topic": "t", "payload": "{}"},
    "send_generated_report_on_mail": {},
    "send_generated_report_onfly_email": {
        "filepath": "r.pdf",
        "fromemail": "a@b.example",
        "to": ["c@d.example"],
        "cc": None,
        "ctzoffset": 0,
    },
    "send_mismatch_notification": {"mismatch_data": {}},
    "send_report_on_email": {"formdata": {}, "json_report": "{}"},
}


def test_exactly_these_tasks_are_still_to_be_written():
    unbuilt = {name for name, task in registered().items() if isinstance(task.guard, NotYetBuiltGuard)}

    assert unbuilt == CALLS.keys()
    assert len(CALLS) == 15


@pytest.mark.parametrize("name", CALLS)
def test_enqueueing_an_unbuilt_task_is_refused_and_writes_nothing(name, acme):
    with tenant(acme.pk), pytest.raises(NotYetBuilt, match=f"{name!r} is registered but not built yet"):
        get(name).enqueue(**CALLS[name])

    assert not Job.objects.exists()


@pytest.mark.parametrize("name", CALLS)
def test_an_unbuilt_body_raises_instead_of_pretending(name):
    with pytest.raises(NotYetBuilt, match=repr(name)):
        get(name).func(**CALLS[name])
