"""`schedule`: words, documents, exit statuses."""

from __future__ import annotations

import json

import pytest

from youtility_tasks import schedules, tenant
from youtility_tasks.models import Job, TaskAuditLog

pytestmark = pytest.mark.django_db


def test_a_schedule_from_its_making_to_its_end(manage, tasks, acme):
    added = manage(
        "schedule", "add", "nightly", "--tenant", acme, "--task", "polish_floor", "--args", '{"floor": 3}',
        "--cron", "30 2 * * *", "--zone", "Europe/Berlin", "--missed", "all:3", "--overlap", "skip", "--jitter", "5m",
        "--quiet", "22:00-02:00", "--days", "working_days", "--reason", "dirty floors", "--json",
    )  # fmt: skip
    assert added.code == 0, added.err
    found = added.json["schedule"]
    assert (found["name"], found["tenant"], found["task"], found["version"]) == ("nightly", acme, "polish_floor", 1)
    assert (found["missed"], found["missed_most"], found["overlap"], found["jitter_s"]) == ("all", 3, "skip", 300)
    assert (found["args"], found["quiet_from"], found["days"]) == ({"floor": 3}, "22:00:00", "working_days")
    assert added.json["next"][0]["wall"][11:16] in {"02:30", "03:00"}

    changed = manage("schedule", "set", "nightly", "--tenant", acme, "--every", "2h", "--quiet", "none", "--json")
    assert (changed.json["schedule"]["kind"], changed.json["schedule"]["every_s"]) == ("interval", 7200)
    assert changed.json["schedule"]["quiet_from"] is None and changed.json["schedule"]["version"] == 2

    assert manage("schedule", "pause", "nightly", "--tenant", acme, "--minutes", 5, "--json").json["schedule"][
        "is_paused"
    ]
    assert "paused" in manage("schedule", "list", "--tenant", acme).out
    assert not manage("schedule", "resume", "nightly", "--tenant", acme, "--json").json["schedule"]["is_paused"]
    ran = manage("schedule", "run", "nightly", "--tenant", acme, "--json")
    assert Job.objects.get(pk=ran.json["job"]["id"]).args == {"floor": 3}
    shown = manage("schedule", "show", "nightly", "--tenant", acme)
    assert "by hand" in shown.out and "every 2 h" in shown.out
    assert manage("schedule", "remove", "nightly", "--tenant", acme).out == "The schedule nightly fires no more.\n"
    assert manage("schedule", "list", "--json").json["schedules"] == []
    assert TaskAuditLog.objects.filter(act="create schedule").get().reason == "dirty floors"


def test_a_preview_needs_no_schedule_and_leaves_none(manage, tasks):
    said = manage(
        "schedule",
        "preview",
        "--task",
        "build_tower",
        "--cron",
        "30 2 29 3 *",
        "--zone",
        "Europe/Berlin",
        "-n",
        12,
        "--json",
    )

    assert said.code == 1, "it is not built"
    said = manage(
        "schedule",
        "preview",
        "--task",
        "task_every_min",
        "--cron",
        "30 2 * * *",
        "--zone",
        "Europe/Berlin",
        "-n",
        370,
        "--json",
    )
    walls = {each["wall"][11:16] for each in said.json["next"]}
    assert (len(said.json["next"]), walls) == (370, {"02:30", "03:00"})
    assert said.json["next"][0]["utc"].endswith("+00:00")
    assert schedules.listing() == []
    assert "fires" in manage("schedule", "preview", "--task", "task_every_min", "--every", "90s").out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["add", "x", "--task", "polish_flor", "--cron", "* * * * *"], 1, "Did you mean 'polish_floor'?"),
        (["add", "x", "--task", "polish_floor", "--cron", "* * * * *"], 1, "belongs to one tenant"),
        (["add", "x", "--task", "task_every_min", "--cron", "61 * * * *"], 1, "five fields"),
        (["add", "x", "--task", "task_every_min", "--cron", "* * * * *", "--zone", "Nowhere"], 1, "No zone is called"),
        (["add", "x", "--cron", "* * * * *"], 2, "schedule add NAME --task TASK"),
        (["add", "--task", "task_every_min"], 2, "schedule add NAME"),
        (["add", "x", "--task", "task_every_min", "--every", "5 minutes"], 2, "is no span"),
        (["add", "x", "--task", "task_every_min", "--missed", "all"], 2, "all:10"),
        (["add", "x", "--task", "task_every_min", "--quiet", "22-6"], 2, "are no hours"),
        (["show", "x"], 1, "No schedule of the sweeps is called 'x'"),
        (["set", "x"], 2, "Set what?"),
        (["show", "x", "--cron", "* * * * *"], 2, "that is for add, set and preview"),
        (["show", "x", "--minutes", "5"], 2, "belong to pause"),
        (["show", "x", "--all-tenants"], 2, "--all-tenants is for list"),
        (["preview"], 2, "schedule preview NAME"),
        (["holidays", "add"], 2, "schedule holidays add DAY"),
        (["holidays", "add", "tomorrow"], 2, "is no day"),
    ],
)
def test_words_that_make_no_sense_say_what_would(manage, tasks, words, code, text):
    said = manage("schedule", *words)
    assert (said.code, text in said.err) == (code, True), said.err


def test_two_tenants_see_their_own(manage, tasks, acme, other_tenant):
    for tenant_id in (acme, other_tenant):
        with tenant(tenant_id):
            schedules.create("floors", "polish_floor", cron="0 1 * * *", args={"floor": tenant_id})
    assert [each["tenant"] for each in manage("schedule", "list", "--tenant", acme, "--json").json["schedules"]] == [
        acme
    ]
    every = manage("schedule", "list", "--all-tenants", "--json").json["schedules"]
    assert [(each["tenant"], each["args"]) for each in every] == [(acme, None), (other_tenant, None)]


def test_holidays_and_the_zone_of_a_tenant(manage, tasks, acme):
    added = manage(
        "schedule", "holidays", "add", "2031-05-01", "--tenant", acme, "--reason", "Labour Day", "--site", 4, "--json"
    )
    assert added.json == {"holidays": [{"day": "2031-05-01", "name": "Labour Day", "site": 4}]}
    assert "Labour Day" in manage("schedule", "holidays", "--tenant", acme).out
    assert manage("schedule", "holidays", "remove", "2031-05-01", "--tenant", acme).code == 1
    assert manage("schedule", "holidays", "remove", "2031-05-01", "--tenant", acme, "--site", 4, "--json").json == {
        "holidays": []
    }

    assert manage("tenants", "zone", acme, "Asia/Kolkata", "--json").json["tenant"]["zone"] == "Asia/Kolkata"
    refused = manage("tenants", "zone", acme, "Asia/Kolkatta", "--json")
    assert refused.code == 1 and "Did you mean 'Asia/Kolkata'?" in json.loads(refused.out)["error"]["message"]


def test_until_ends_the_ticks_of_a_schedule_or_a_pause_of_it(manage, tasks, acme):
    added = manage(
        "schedule", "add", "nightly", "--tenant", acme, "--task", "polish_floor", "--cron", "30 2 * * *",
        "--until", "2999-01-01T00:00:00Z",
    )  # fmt: skip
    paused = manage("schedule", "pause", "nightly", "--tenant", acme, "--until", "2031-01-01T00:00:00Z")
    refused = manage("schedule", "run", "nightly", "--tenant", acme, "--until", "2031-01-01T00:00:00Z")

    assert (added.code, paused.code) == (0, 0), added.err + paused.err
    with tenant(acme):
        row = schedules.get("nightly")
    assert (row.until.year, row.paused_until.year) == (2999, 2031)
    assert refused.code == 2 and "--until to add, set and preview, too" in refused.err
