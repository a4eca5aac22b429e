"""`workflow`: words, documents, exit statuses."""

from __future__ import annotations

import json

import pytest

from youtility_tasks import COMPLETION, Workflow, tenant
from youtility_tasks.models import TaskAuditLog, TaskWorkflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(tasks, acme):
    flow = Workflow("floors")
    polished = flow.step(tasks.polish_floor)
    yes = flow.signal("approved", after=polished)
    flow.step(tasks.break_window, after={yes: COMPLETION})
    with tenant(acme):
        return flow.start()


def test_list_and_show(manage, run, acme):
    said = manage("workflow", "--json")
    (listed,) = said.json["workflows"]
    assert (said.code, listed["id"], listed["name"], listed["tenant"], listed["status"], listed["open"]) == (
        0,
        run.id,
        "floors",
        acme,
        "running",
        3,
    )
    assert "floors" in manage("workflow", "list", "--status", "running", "--name", "floors").out
    assert manage("workflow", "list", "--status", "failed").out == "No workflow has run here.\n"

    said = manage("workflow", "show", run.id, "--json")
    assert [(each["name"], each["kind"], each["shown"], each["after"]) for each in said.json["steps"]] == [
        ("polish_floor", "task", "todo", {}),
        ("approved", "signal", "blocked", {"polish_floor": "success"}),
        ("break_window", "task", "blocked", {"approved": "completion"}),
    ]
    assert "success of polish_floor" in manage("workflow", "show", run.id).out


def test_signal_cancel_and_retry(manage, run, acme):
    said = manage("workflow", "signal", run.id, "approved", "--payload", '{"by": 7}', "--tenant", acme, "--json")
    assert (said.code, said.json) == (0, {"id": run.id, "signal": "approved"})
    said = manage("workflow", "signal", run.id, "approved", "--json")
    assert (said.code, said.json["error"]["type"]) == (1, "SignalRefused")

    said = manage("workflow", "cancel", run.id, "--reason", "flood", "--json")
    assert (said.code, said.json) == (0, {"id": run.id, "cancelled": 3, "aborting": 0})
    assert TaskWorkflow.objects.get().reason == "flood"
    said = manage("workflow", "cancel", run.id)
    assert (said.code, "it was cancelled" in said.err) == (1, True)

    said = manage("workflow", "retry", run.id, "--mode", "all", "--json")
    assert (said.code, said.json) == (0, {"id": run.id, "mode": "all", "steps": 3})
    assert manage("workflow", "retry", run.id).code == 1


def test_templates_are_stored_listed_and_started(manage, tasks, acme, tmp_path):
    file = tmp_path / "floors.json"
    file.write_text(
        json.dumps(
            {
                "name": "floors",
                "steps": [{"task": "polish_floor", "args": {"floor": {"$ref": "context", "path": ["floor"]}}}],
            }
        )
    )

    said = manage("workflow", "save", file, "--tenant", acme, "--json")
    assert (said.code, said.json) == (0, {"template": "floors", "version": 1})
    assert manage("workflow", "templates", "--json").json == {
        "templates": [{"name": "floors", "version": 1, "tenant": acme}]
    }
    said = manage(
        "workflow", "start", "floors", "--tenant", acme, "--context", '{"floor": 4}', "--reason", "asked", "--json"
    )
    assert (said.code, said.json["template"], said.json["version"]) == (0, "floors", 1)
    assert TaskAuditLog.objects.filter(act="start workflow", tenant_id=acme, reason="asked").count() == 1
    assert TaskWorkflow.objects.get(pk=said.json["id"]).context == {"floor": 4}

    said = manage("workflow", "start", "flors", "--tenant", acme)
    assert (said.code, "Did you mean 'floors'?" in said.err) == (1, True)
    file.write_text("{")
    assert manage("workflow", "save", file).code == 1


@pytest.mark.parametrize(
    "words",
    [("show",), ("show", "x"), ("list", "5"), ("cancel", "1", "--mode", "all"), ("retry", "1", "--payload", "1"), ("signal", "1"),
     ("signal", "1", "a", "--payload", "yes"), ("start", "t", "--context", "[]"), ("retry", "1", "--mode", "some"), ("stop", "1")],
)  # fmt: skip
def test_words_that_make_no_sense_are_bad_usage(manage, words, tasks):
    assert manage("workflow", *words).code == 2


@pytest.mark.parametrize("act", ["show", "cancel", "retry"])
def test_a_run_that_is_not_there_is_refused(manage, act, tasks, run, other_tenant):
    assert manage("workflow", act, run.id, "--tenant", other_tenant).code == 1
    said = manage("workflow", act, 99)
    assert (said.code, "No workflow has the id 99 here" in said.err) == (1, True)


def test_json_without_bottom_is_refused(manage, run, tmp_path):
    deep = "[" * 20_000
    (tmp_path / "deep.json").write_text(deep)
    for words in (("signal", run.id, "approved", "--payload", deep), ("start", "floors", "--context", deep)):
        assert manage("workflow", *words).code == 2
    said = manage("workflow", "save", str(tmp_path / "deep.json"), "--json")
    assert said.code == 1 and "cannot be read as JSON" in said.json["error"]["message"]
