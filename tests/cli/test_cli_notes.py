"""How far a running job is, in `jobs` and `show` and on the admin's pages; an operator's user may not read its note."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.desk import Desk, execute
from youtility_tasks import listing, queries
from youtility_tasks.tenancy import roles

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(tasks, acme, enqueue):
    """A job of Acme's that is at page 40 of 100."""
    job_id = enqueue(acme, tasks.polish_floor, floor=3)
    desk = Desk(tasks.polish_floor.queue_name)
    taken = desk.take()
    told = json.dumps([[taken.id, taken.claim_number, 40, 100, "pages of \x1b[31mred"]])
    queries.fetch("note_progress", {"worker_id": desk.id, "told": told})
    return job_id


def test_jobs_and_show_tell_it_to_programs(manage, running):
    (listed,) = manage("jobs", "--json").json["jobs"]
    shown = manage("show", running, "--json").json["job"]

    assert listed["id"] == running
    for said in (listed["progress"], shown["progress"]):
        assert (said["done"], said["total"], said["note"]) == (40, 100, "pages of \x1b[31mred")
        assert said["at"].endswith("+00:00")


def test_jobs_and_show_tell_it_to_people_and_steer_no_terminal(manage, running):
    for said in (manage("jobs"), manage("show", running)):
        assert "40 of 100 pages of" in " ".join(said.out.split())
        assert "\x1b" not in said.out


def test_show_gives_the_checkpoint_only_with_the_arguments(manage, running):
    execute("UPDATE procrastinate_jobs SET checkpoint = %s WHERE id = %s", '{"page": 40}', running)

    assert "checkpoint" not in manage("show", running, "--json").json["job"]
    assert manage("show", running, "--json", "--args").json["job"]["checkpoint"] == {"page": 40}
    assert '{"page": 40}' in manage("show", running, "--args").out


def test_a_job_that_has_not_said_so_has_none(manage, tasks, acme, enqueue):
    enqueue(acme, tasks.polish_floor, floor=3)

    (listed,) = manage("jobs", "--json").json["jobs"]
    assert listed["progress"] is None


def test_the_admin_shows_it(client: Client, running):
    client.force_login(User.objects.create_superuser("ann"))

    for page in ("", f"{running}/change/"):
        assert "40 of 100 pages of" in client.get(f"/admin/youtility_tasks/job/{page}").content.decode()


def test_an_operators_user_is_asked_for_no_note(running, monkeypatch):
    monkeypatch.setattr(roles, "acting_as", lambda: "ops")

    (line,) = listing.jobs(listing.JobFilter(), limit=10)

    assert str(line.progress) == "40 of 100 (40 %)"
