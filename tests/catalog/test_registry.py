"""The registry says what catalog.md 2.6, 2.7 and the argument lists of section 2 say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from croniter import croniter

import task_catalog.tasks
from youtility_tasks import Retry, Task
from youtility_tasks.registry import registered

# catalog.md 2.7, row by row.
TABLE = """
| T01 | create_ppm_job | high | high_priority | 3 | 5,60,2,900 | 600 | `3 3,16 * * *` |
| T02 | auto_close_jobs | high | high_priority | 2 | 5,60,2,600 | 300 | `*/30 * * * *` |
| T03 | create_job | high | high_priority | 2 | 5,60,2,900 | 600 | `27 */8 * * *` |
| T04 | perform_facerecognition_bgt | high | high_priority | 4 | 6,300,1,300 | 120 | - |
| T05 | process_graphql_mutation_async | high | high_priority | 1 | 6,300,1,300 | 60 | - |
| T06 | send_ticket_email | email | email | 3 | 6,300,1,300 | 60 | - |
| T07 | send_reminder_email | email | email | 4 | 5,60,2,900 | 300 | `*/10 * * * *` |
| T08 | alert_sendmail | email | email | 2 | 6,120,2,900 | 90 | - |
| T09 | send_email_notification_for_workpermit_approval | email | email | 3 | 6,120,2,1800 | 120 | - |
| T10 | send_email_notification_for_wp_verifier | email | email | 3 | 6,120,2,1800 | 120 | - |
| T11 | send_email_notification_for_wp_from_mobile_for_verifier | email | email | 3 | 6,120,2,1800 | 120 | - |
| T12 | send_email_notification_for_wp | email | email | 3 | 6,120,2,1800 | 120 | - |
| T13 | send_email_notification_for_vendor_and_security_of_wp_cancellation | email | email | 2 | 6,120,2,1800 | 120 | - |
| T14 | send_email_notification_for_vendor_and_security_for_rwp | email | email | 4 | 6,120,2,1800 | 120 | - |
| T15 | send_email_notification_for_vendor_and_security_after_approval | email | email | 3 | 6,120,2,1800 | 120 | - |
| T16 | send_email_notification_for_sla_vendor | email | email | 5 | 6,120,2,1800 | 120 | - |
| T17 | create_scheduled_reports | reports | reports | 5 | 4,300,2,1800 | 900 | `22 */8 * * *` |
| T18 | create_save_report_async | reports | reports | 3 | 3,15,2,60 | 300 | - |
| T19 | send_report_on_email | reports | reports | 4 | 6,60,2,900 | 60 | - |
| T20 | send_generated_report_on_mail | reports | reports | 5 | 4,120,2,900 | 300 | `*/30 * * * *` |
| T21 | ticket_escalation | sla | high_priority | 2 | 5,60,2,600 | 300 | `5,35 * * * *` |
| T22 | send_email_notification_for_sla_report | sla | email | 4 | 6,120,2,1800 | 180 | - |
| T23 | cleanup_expired_sessions_task | session | maintenance | 8 | 4,300,2,3600 | 120 | `0 2 * * *` |
| T24 | move_media_to_cloud_storage | low | maintenance | 9 | 4,900,2,7200 | 3600 | `0 0 * * 1` |
| T25 | cleanup_reports_which_are_12hrs_old | low | maintenance | 8 | 3,300,2,1800 | 300 | `15 * * * *` |
| T26 | create_report_history | low | reports | 6 | 5,10,2,300 | 15 | - |
| T27 | task_every_min | low | maintenance | 10 | 1,0,1,0 | 10 | `* * * * *` |
| T28 | publish_mqtt | low | maintenance | 5 | 12,30,2,600 | 30 | - |
| T29 | insert_json_records_async | low | maintenance | 4 | 6,60,2,900 | 120 | - |
| T30 | process_graphql_download_async | low | maintenance | 4 | 4,60,2,600 | 60 | - |
| T31 | send_generated_report_onfly_email | low | email | 4 | 6,60,2,900 | 120 | - |
| T32 | send_mismatch_notification | low | maintenance | 6 | 6,60,2,900 | 30 | - |
"""
ROWS = {
    cells[1]: cells
    for cells in ([cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.split("\n") if line)
}

# catalog.md 2.1 to 2.4: names in order, defaults where there are some.
ARGUMENTS = {
    "create_ppm_job": "jobid=None",
    "auto_close_jobs": "jobneedid=None",
    "create_job": "jobids=None",
    "perform_facerecognition_bgt": "pel_uuid peopleid db='default' attachment_uuid=None",
    "process_graphql_mutation_async": "payload",
    "ticket_escalation": "",
    "send_ticket_email": "id event='created' level=0",
    "send_reminder_email": "",
    "alert_sendmail": "id event atts=False",
    "send_email_notification_for_workpermit_approval": "womid approvers=None approvers_code=None sitename=None "
    "workpermit_status=None permit_name=None workpermit_attachment=None vendor_name=None client_id=None",
    "send_email_notification_for_wp_verifier": "womid verifiers=None sitename=None workpermit_status=None "
    "permit_name=None vendor_name=None client_id=None workpermit_attachment=None",
    "send_email_notification_for_wp_from_mobile_for_verifier": "womid verifiers=None sitename=None "
    "workpermit_status=None permit_name=None vendor_name=None client_id=None workpermit_attachment=None",
    "send_email_notification_for_wp": "womid qsetid=None approvers=None client_id=None bu_id=None sitename=None "
    "workpermit_status=None vendor_name=None",
    "send_email_notification_for_vendor_and_security_of_wp_cancellation": "wom_id sitename workpermit_status "
    "vendor_name permit_name permit_no submit_work_permit=False submit_work_permit_from_mobile=False",
    "send_email_notification_for_vendor_and_security_for_rwp": "wom_id sitename workpermit_status vendor_name "
    "pdf_path permit_name permit_no",
    "send_email_notification_for_vendor_and_security_after_approval": "wom_id sitename workpermit_status vendor_name "
    "pdf_path permit_name permit_no",
    "send_email_notification_for_sla_vendor": "wom_id report_attachment sitename",
    "send_email_notification_for_sla_report": "slaid sitename",
    "send_generated_report_onfly_email": "filepath fromemail to cc ctzoffset",
    "create_scheduled_reports": "",
    "create_save_report_async": "formdata client_id user_email user_id",
    "send_report_on_email": "formdata json_report request_key=None",
    "send_generated_report_on_mail": "",
    "create_report_history": "formdata userid buid EI client_id=None has_data=True request_key=None made_error=None mail_error=None file_error=None",
    "cleanup_expired_sessions_task": "retention_days=0",
    "move_media_to_cloud_storage": "skip_days=60 limit=None",
    "cleanup_reports_which_are_12hrs_old": "dir_path=None hours_old=12",
    "task_every_min": "timestamp=None",
    "publish_mqtt": "topic payload",
    "insert_json_records_async": "records tablename",
    "process_graphql_download_async": "payload",
    "send_mismatch_notification": "mismatch_data",
}

SWEEPS = {
    "auto_close_jobs",
    "cleanup_expired_sessions_task",
    "cleanup_reports_which_are_12hrs_old",
    "create_job",
    "create_ppm_job",
    "create_scheduled_reports",
    "move_media_to_cloud_storage",
    "send_generated_report_on_mail",
    "send_reminder_email",
    "task_every_min",
    "ticket_escalation",
}


def catalog_tasks() -> dict[str, Task]:
    """The registered tasks of the catalogue, by name; other tests may have declared their own."""
    room = task_catalog.__name__ + "."
    return {name: task for name, task in registered().items() if task.module_path.startswith(room)}


def test_exactly_the_32_tasks_are_registered():
    assert len(ROWS) == 32

    assert catalog_tasks().keys() == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_task_declares_what_its_row_of_the_table_says(name):
    _, _, seed_class, queue, priority, retry, limit_s, schedule = ROWS[name]
    attempts, base, factor, cap = (int(number) for number in retry.split(","))

    task = catalog_tasks()[name]

    assert (task.seed_class, task.queue_name, task.priority) == (seed_class, queue, int(priority))
    assert task.timeout_s == int(limit_s)
    assert task.schedule == (None if schedule == "-" else schedule.strip("`"))
    assert task.retry.max_attempts == attempts
    wanted = Retry(attempts, base=base, factor=factor, cap=cap)
    assert [task.retry.delay_s(run) for run in range(1, attempts)] == [
        wanted.delay_s(run) for run in range(1, attempts)
    ]


@pytest.mark.parametrize("name", ROWS)
def test_a_task_takes_the_arguments_of_the_catalogue_in_its_order(name):
    parameters = catalog_tasks()[name].signature.parameters.values()

    spelled = [each.name if each.default is each.empty else f"{each.name}={each.default!r}" for each in parameters]

    assert " ".join(spelled) == ARGUMENTS[name]
    assert {each.kind.name for each in parameters} <= {"KEYWORD_ONLY"}


def test_every_queue_has_exactly_its_tasks():
    names = catalog_tasks()

    of_queue = {queue: {name for name, task in names.items() if task.queue_name == queue} for queue in QUEUES}

    assert {queue: len(tasks) for queue, tasks in of_queue.items()} == QUEUES
    assert of_queue["high_priority"] == {
        "auto_close_jobs",
        "create_job",
        "create_ppm_job",
        "perform_facerecognition_bgt",
        "process_graphql_mutation_async",
        "ticket_escalation",
    }


QUEUES = {"high_priority": 6, "email": 13, "reports": 5, "maintenance": 8}


def test_the_seed_classes_have_their_sizes():
    classes = [task.seed_class for task in catalog_tasks().values()]

    sizes = {"high": 5, "email": 11, "reports": 4, "sla": 2, "session": 1, "low": 9}
    assert {each: classes.count(each) for each in set(classes)} == sizes


def test_every_schedule_fires_and_can_be_called_without_arguments():
    scheduled = {name: task for name, task in catalog_tasks().items() if task.schedule}
    assert len(scheduled) == 11

    for name, task in scheduled.items():
        assert croniter.is_valid(task.schedule), name
        assert croniter(task.schedule, datetime(2025, 3, 3, tzinfo=UTC)).get_next(datetime).year == 2025
        task.signature.bind()


def test_only_sweeps_run_without_a_tenant():
    assert {name for name, task in catalog_tasks().items() if task.tenant == "all"} == SWEEPS


def test_only_what_renders_has_a_process_to_itself():
    """Photos are compared in a process of the verifier's own, which outlives a job and so stays warm."""
    isolated = {name for name, task in catalog_tasks().items() if task.isolated}

    assert isolated == {
        "create_save_report_async",
        "create_scheduled_reports",
        "send_email_notification_for_sla_report",
        "send_email_notification_for_sla_vendor",
        "send_email_notification_for_vendor_and_security_after_approval",
        "send_email_notification_for_vendor_and_security_for_rwp",
        "send_email_notification_for_workpermit_approval",
        "send_email_notification_for_wp_from_mobile_for_verifier",
        "send_email_notification_for_wp_verifier",
    }


@pytest.mark.parametrize(
    ("name", "arguments", "lock", "queueing_lock"),
    [
        ("create_ppm_job", {}, "create_ppm_job", "create_ppm_job"),
        ("create_ppm_job", {"jobid": 5}, "create_ppm_job", "create_ppm_job:5"),
        ("auto_close_jobs", {}, "auto_close_jobs", "auto_close_jobs"),
        ("auto_close_jobs", {"jobneedid": 5}, "auto_close_jobs", "auto_close_jobs:5"),
        ("create_job", {}, "create_job", "create_job"),
        ("ticket_escalation", {}, "ticket_escalation", "ticket_escalation"),
        ("send_reminder_email", {}, "send_reminder_email", "send_reminder_email"),
        ("create_scheduled_reports", {}, "create_scheduled_reports", "create_scheduled_reports"),
        ("send_generated_report_on_mail", {}, "send_generated_report_on_mail", "send_generated_report_on_mail"),
        ("cleanup_expired_sessions_task", {}, "cleanup_expired_sessions_task", "cleanup_expired_sessions_task"),
        ("move_media_to_cloud_storage", {}, "move_media", None),
        ("perform_facerecognition_bgt", {"pel_uuid": "u", "peopleid": 1}, "face:u", None),
        ("publish_mqtt", {"topic": "t", "payload": "{}"}, None, None),
    ],
)
def test_locks_are_those_of_the_catalogue(name, arguments, lock, queueing_lock):
    task = catalog_tasks()[name]

    assert task.key(task.lock, arguments) == lock
    assert task.key(task.queueing_lock, arguments) == queueing_lock


def test_the_same_report_asked_for_twice_by_one_person_has_one_queueing_lock():
    task = catalog_tasks()["create_save_report_async"]
    asked = {"formdata": {"a": 1, "b": 2}, "client_id": 2, "user_email": "a@b.example", "user_id": 7}

    again = task.key(task.queueing_lock, {**asked, "formdata": {"b": 2, "a": 1}})
    by_another = task.key(task.queueing_lock, {**asked, "user_id": 8})

    assert task.key(task.queueing_lock, asked) == again
    assert again.startswith("report:7:")
    assert by_another != again


def test_plans_in_any_order_have_one_queueing_lock():
    task = catalog_tasks()["create_job"]

    some = task.key(task.queueing_lock, {"jobids": [1, 2]})

    assert some.startswith("create_job:")
    assert task.key(task.queueing_lock, {"jobids": [2, 1]}) == some
    assert task.key(task.queueing_lock, {"jobids": [1, 3]}) != some


def test_every_task_does_its_work():
    unbuilt = [name for name, task in catalog_tasks().items() if not task.is_built]

    assert unbuilt == []


def test_every_task_says_what_a_second_attempt_does():
    silent = [
        name
        for name, task in catalog_tasks().items()
        if "Second attempt: " not in " ".join((task.func.__doc__ or "").split())
    ]

    assert silent == []
