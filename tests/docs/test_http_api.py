"""The curl lines of the README work as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.conftest import require_program
from youtility_tasks import members, roster, tokens

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("### HTTP API")[2].partition("\n### ")[0]


@pytest.mark.django_db(transaction=True)
def test_the_curl_lines_answer_what_they_are_there_for(live_server: Any) -> None:
    require_program("curl", package="curl")
    roster.add(7, "Acme")
    members.grant(7, User.objects.create_user("ann").get_username(), "operator")
    text = tokens.create(User.objects.get(username="ann"), "ci", tenant_id=7, role="operator")[1]
    (block,) = [each for each in re.findall(r"```bash\n(.*?)```", SECTION, re.S) if "curl" in each]
    commands = [each for each in re.split(r"(?m)^(?=curl )", block) if each.strip()]

    answers = []
    for command in commands:
        env = {**os.environ, "TOKEN": text, "URL": live_server.url, "no_proxy": "*"}
        done = subprocess.run(
            ["bash", "-euc", command], env=env, capture_output=True, text=True, timeout=30, check=True
        )
        answers.append(json.loads(done.stdout))

    assert [next(iter(each)) for each in answers] == ["at", "jobs", "job", "control", "next"], answers
    assert answers[2]["job"]["task"] == "send_ticket_email" and len(answers[4]["next"]) == 3


def test_the_statuses_that_are_named_are_those_of_the_schema() -> None:
    from youtility_tasks.api import schema, urls

    assert urls.urlpatterns
    named = {int(each) for each in re.findall(r"\b[45]\d\d\b", SECTION)}
    documented = {
        int(status)
        for path in schema.document()["paths"].values()
        for operation in path.values()
        for status in operation["responses"]
        if int(status) >= 400
    }
    assert documented <= named | {400, 415}
