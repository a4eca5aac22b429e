"""The stage: whom the day's tasks can reach, and the settings by which they reach them."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from task_catalog.company_day import stage_settings
from task_catalog.company_day.definitions import BROKER_TASK, DAY_TASKS, MAIL_TASKS
from task_catalog.company_day.expected.ledger import QUEUES
from task_catalog.company_day.stage import Scene, new_page_file
from task_catalog.conf import catalog

ALSO_MAIL = {"auto_close_jobs", "send_report_on_email", "send_generated_report_on_mail"}
"""Tasks of other queues that speak to the mail server."""


@pytest.mark.parametrize(
    ("mail", "broker", "out_of_reach"),
    [
        (True, True, set()),
        (True, False, {BROKER_TASK}),
        (False, True, set(MAIL_TASKS)),
        (False, False, {BROKER_TASK, *MAIL_TASKS}),
    ],
)
def test_nobody_waits_for_whom_is_away(tmp_path, mail, broker, out_of_reach):
    scene = Scene(SimpleNamespace(is_open=mail), SimpleNamespace(is_open=broker), None, None, None)

    assert scene.out_of_reach() == out_of_reach


def test_every_task_that_mails_is_known_for_it():
    assert set(MAIL_TASKS) == {*QUEUES["email"], *ALSO_MAIL}
    assert set(MAIL_TASKS) < set(DAY_TASKS)


def test_the_settings_of_the_day_leave_nothing_to_complain_about(tmp_path):
    with override_settings(**stage_settings.overrides(tmp_path, 1883)):
        assert catalog().mqtt_port == 1883
        assert [str(each) for each in run_checks() if each.id.startswith("task_catalog")] == []


def test_workers_get_the_same_settings_by_their_environment(tmp_path):
    program = (
        "from django.conf import settings; from task_catalog.conf import catalog;"
        "print(settings.MEDIA_ROOT, catalog().mqtt_port, catalog().report_inline_bytes, catalog().admin_emails)"
    )
    env = {
        **os.environ,
        **stage_settings.variables(tmp_path, 4711),
        "DJANGO_SETTINGS_MODULE": "task_catalog.company_day.settings",
        "YOUTILITY_ADMIN_EMAILS": "a@b.example",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    }

    told = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)

    assert told.stdout.split() == [str(tmp_path / "media"), "4711", "1000", "('a@b.example',)"]


def test_a_page_gets_a_folder_of_its_own():
    file = new_page_file()
    try:
        assert not file.exists()
        assert file.parent.name.startswith(f"company-day-{os.getpid()}-")
        assert file.parent.stat().st_mode & 0o077 == 0
    finally:
        file.parent.rmdir()
