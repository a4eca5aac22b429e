"""Every page and act as everybody: who gets in, who is told what, and that no page says too much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from youtility_tasks import Task, controls, tenant
from youtility_tasks.console import urls
from youtility_tasks.console.acting import ACTS
from youtility_tasks.console.door import spoken
from youtility_tasks.console.table import PAGES
from youtility_tasks.middleware import CHOSEN
from youtility_tasks.models import Job, TaskAuditLog, TaskWorker
from youtility_tasks.problems import Problem
from youtility_tasks.tenants import ALL
from youtility_tasks.testing import run_jobs
from youtility_tasks.visits import EVERYBODY as ALL_CHOSEN
from youtility_tasks.visits import EVERYWHERE, For

assert urls.urlpatterns  # the rooms have put themselves into the tables by now
EVERYBODY = ("viewer", "operator", "admin", "other_admin", "nobody", "ops", "superuser", "anonymous")


@pytest.fixture
def busy(acme: int, other_tenant: int, add_task: Task, fail_task: Task) -> dict[str, Any]:
    with tenant(acme):
        add_task.enqueue(number=1)
        fail_task.enqueue(number=1)
        run_jobs()
        waiting = add_task.enqueue(number=2).id
    controls.pause(queue="email", reason="the relay is down")
    TaskWorker.objects.create(id=9_005, host="web-1", pid=811, queue_name="email", status="running", slots=4)
    return {"job_id": waiting, "queue_name": "maintenance", "tenant_number": acme, "worker_id": 9_005}


def address(path: str, parts: dict[str, Any]) -> str | None:
    """The page's address, if there is something to show on it."""
    import re

    names = re.findall(r"<\w+:(\w+)>", path)
    if not set(names) <= set(parts):
        return None
    return re.sub(r"<\w+:(\w+)>", lambda found: str(parts[found[1]]), path)


@pytest.mark.parametrize("who", EVERYBODY)
def test_every_page_lets_in_whom_it_is_for(who: str, visit: Callable[..., Any], busy: dict[str, Any]) -> None:
    for page in PAGES:
        path = address(page.path, busy)
        if path is None:
            continue
        answer = visit(who, path)
        if who == "anonymous":
            assert (answer.status_code, answer.url.split("?")[0]) == (302, "/tasks/sign-in/"), path
        elif page.scope in (For.TENANT, For.TENANT_OR_SWEEPS) and who in ("ops", "superuser"):
            assert answer.status_code == 403, path
        elif page.scope is For.ANYBODY or who in ("ops", "superuser"):
            assert answer.status_code == 200, (path, answer.content[-600:])
        elif who == "nobody" or page.scope is For.OPS:
            assert answer.status_code == 403, path
        elif who == "other_admin" and "job_id" in page.path:
            assert answer.status_code == 404, path
        else:
            assert answer.status_code == 200, (path, answer.content[-600:])
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert answer["Cache-Control"] == "no-store"


def test_every_act_asks_who_may_before_it_says_what_it_would_touch(
    visit: Callable[..., Any], busy: dict[str, Any]
) -> None:
    for name in ACTS:
        assert visit("viewer", f"acts/{name}/").status_code == 403, name
        assert visit("viewer", f"acts/{name}/", post={"reason": "x"}).status_code == 403, name
        assert visit("nobody", f"acts/{name}/", post={"reason": "x"}).status_code == 403, name
        assert visit("anonymous", f"acts/{name}/", post={"reason": "x"}).status_code == 302, name


def test_a_door_that_does_not_look_who_comes_would_be_noticed(
    visit: Callable[..., Any], busy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guards taken away, one by one: what is refused above is let in."""
    monkeypatch.setattr("youtility_tasks.visits.admit", lambda user, chosen, wanted, scope: EVERYWHERE)
    with pytest.raises(AssertionError):
        test_every_page_lets_in_whom_it_is_for("viewer", visit, busy)
    monkeypatch.undo()
    monkeypatch.setattr("youtility_tasks.membership.covers", lambda role, act: True)
    monkeypatch.setattr("youtility_tasks.membership._ask", lambda *_: None)
    with pytest.raises(AssertionError):
        test_every_act_asks_who_may_before_it_says_what_it_would_touch(visit, busy)


def test_a_word_that_a_page_does_not_know_is_told_with_the_one_that_was_meant(visit, acme: int) -> None:
    answer = visit("ops", "audit/?actr=bob")
    assert answer.status_code == 422
    assert "Did you mean &#x27;actor&#x27;?" in answer.content.decode()


def test_another_tenant_in_the_address_is_refused_in_the_same_words_as_one_that_is_not_there(visit, acme: int) -> None:
    there, not_there = visit("viewer", "queues/?tenant=8"), visit("viewer", "queues/?tenant=4711")
    assert (there.status_code, not_there.status_code) == (403, 403)
    assert there.content.replace(b"tenant 8", b"") == not_there.content.replace(b"tenant 4711", b"")


def test_a_form_that_is_of_no_page_of_ours_does_nothing_and_says_what_to_do(person, work, acme: int) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person("operator"))
    job = work["mine"]["failed"]
    for path, said in (
        ("acts/retry-job/", {"job": job}),
        ("chosen/", {"tenant": acme}),
        ("views/save/", {"name": "x", "query": ""}),
        ("sign-in/", {"username": "operator"}),
        ("sign-out/", {}),
    ):
        refused = browser.post(f"/tasks/{path}", said | {"csrfmiddlewaretoken": "x" * 64})
        assert (refused.status_code, "load the page again" in refused.content.decode()) == (403, True), path
        assert "script-src 'self'" in refused["Content-Security-Policy"], path
    assert Job.objects.get(pk=job).status == "failed"

    page = browser.get(f"/tasks/acts/retry-job/?job={job}")
    token = page.content.decode().partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    assert browser.post("/tasks/acts/retry-job/", {"job": job, "csrfmiddlewaretoken": token}).status_code == 303


@pytest.mark.parametrize("said", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00"])
def test_an_instant_that_another_zone_has_no_year_for_is_refused(visit, acme: int, said: str) -> None:
    for name in ("since", "until"):
        answer = visit("viewer", f"jobs/?{name}={said}")
        assert (answer.status_code, "right is an instant" in answer.content.decode()) == (422, True)


def test_what_is_no_tenants_is_called_a_sweep(visit, acme: int, add_task) -> None:
    with tenant(acme):
        job = add_task.enqueue(number=1).id
    Job.objects.filter(pk=job).update(tenant_id=ALL)
    assert '<td class="n">sweep</td>' in visit("ops", "jobs/").content.decode()
    assert "works on the sweeps" in visit("ops", f"jobs/{job}/").content.decode()
    assert ">The sweeps</a>" in visit("ops", f"jobs/{job}/?tenant=0").content.decode()


def test_signing_in_and_out_say_so_when_the_database_is_away(visitor, acme: int, monkeypatch) -> None:
    browser = visitor("viewer")

    def away(*given: Any, **named: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(SessionStore, "load", away)
    assert browser.get("/tasks/sign-in/").status_code == 200
    assert "Try again</a>" in browser.get("/tasks/jobs/").content.decode()
    for path, said in (("sign-in/", {"username": "viewer", "password": "x"}), ("sign-out/", {}), ("chosen/", {})):
        monkeypatch.setattr("django.contrib.auth.authenticate", away)
        monkeypatch.setattr("django.contrib.auth.forms.authenticate", away)
        answer = browser.post(f"/tasks/{path}", said)
        assert (answer.status_code, "The database does not answer" in answer.content.decode()) == (503, True), path
        assert "Try again</a>" not in answer.content.decode(), "an act is not begun anew by a link"
        assert answer["Retry-After"] and "script-src 'self'" in answer["Content-Security-Policy"], path


def test_all_that_the_list_of_dead_letters_shows_leaves_nothing_else_to_speak_of(visit, work, acme: int) -> None:
    listed = visit("operator", "jobs/?status=failed").content.decode()
    assert "/tasks/acts/retry-all/?next=%2Ftasks%2Fjobs%2F%3Fstatus%3Dfailed&amp;status=failed" in listed
    assert "left alone" not in visit("operator", "acts/retry-all/?status=failed").content.decode()
    said = visit("operator", "acts/retry-all/").content.decode()
    assert "left alone" in said and "`" not in said


def test_a_job_that_a_pause_keeps_offers_to_whom_it_is_for_to_resume(visit, work, acme: int) -> None:
    job, button = work["mine"]["waiting"], "/tasks/acts/resume/?"
    controls.pause(queue="maintenance", reason="by an operator")
    assert button in visit("ops", f"jobs/{job}/").content.decode()
    assert button not in visit("operator", f"jobs/{job}/").content.decode()  # it is not the tenant's
    controls.resume(queue="maintenance")
    controls.pause(queue="maintenance", tenant=acme)
    assert button in visit("operator", f"jobs/{job}/").content.decode()
    assert button not in visit("viewer", f"jobs/{job}/").content.decode()


def test_no_page_sends_anybody_to_a_command(visit, acme: int) -> None:
    for path in ("jobs/4711/", "operations/4711/", "workflows/4711/", "schedules/4711/", "catalog/nope/"):
        answer = visit("viewer", path)
        assert (answer.status_code, "manage_task_queue" in answer.content.decode()) == (404, False), path
    refused = visit("operator", "acts/retry-job/", post={"job": 4711, "reason": "x"}).content.decode()
    assert "No job has the id 4711 here." in refused and "manage_task_queue" not in refused
    said = spoken(
        Problem(409, "x", "X", "It was undone already: `operations list` shows it. `cancel` takes it off. So be it.")
    )
    assert said.detail == "It was undone already. So be it."


def test_a_form_that_outlived_its_session_says_that_nothing_was_done(visitor, work, acme: int) -> None:
    browser, job = visitor("anonymous"), work["mine"]["failed"]
    sent = browser.post("/tasks/acts/retry-job/", {"job": job, "next": f"/tasks/jobs/{job}/"})
    assert sent.url == f"/tasks/sign-in/?next=%2Ftasks%2Fjobs%2F{job}%2F"
    assert "so nothing was done" in browser.get(sent.url).content.decode()
    evil = browser.post("/tasks/acts/retry-job/", {"job": job, "next": "//evil.example/"})
    assert evil.url == "/tasks/sign-in/?next=%2Ftasks%2F"


def test_a_queue_that_waits_because_it_is_paused_is_told_with_its_pause(visit, acme: int, add_task) -> None:
    with tenant(acme):
        job = add_task.enqueue(number=1).id
    long_ago = timezone.now() - timedelta(hours=5)
    Job.objects.filter(pk=job).update(enqueued_at=long_ago, scheduled_at=long_ago)
    TaskWorker.objects.create(id=9_006, host="web-1", pid=812, queue_name="maintenance", status="running", slots=4)
    controls.pause(queue="maintenance", reason="the disk is full")
    page = visit("ops").content.decode()
    late = page.partition("the oldest job has waited")[2].partition("</li>")[0]
    assert "the disk is full. It has no end" in late.replace("</p>", "") and "/acts/resume/" in late
    assert "/acts/resume/" not in visit("operator").content.decode()  # who may not
    TaskWorker.objects.filter(pk=9_006).delete()
    unserved = visit("ops").content.decode().partition("No worker serves maintenance")[2].partition("</li>")[0]
    assert 'href="/tasks/workers/"' in unserved and "See the workers" in unserved


def test_the_first_page_says_what_somebody_changed_lately_and_a_tenant_only_what_is_theirs(visit, acme: int) -> None:
    controls.pause(queue="email", reason="the relay is down")
    controls.limit(tenant=acme, running=1, reason="as agreed")
    TaskAuditLog.objects.create(actor="somebody", act="for all tenants", target="the console")
    of_all, of_acme, of_other = (
        visit(who).content.decode().partition("Changed within a day")[2].partition("</ul>")[0]
        for who in ("ops", "viewer", "other_admin")
    )

    assert "the relay is down" in of_all and "as agreed" in of_all and "for all tenants" not in of_all
    assert "as agreed" in of_acme and "the relay is down" not in of_acme
    assert of_other == ""


def test_who_chooses_no_job_is_told_to_choose_one(visit, work, acme: int) -> None:
    answer = visit("operator", "acts/retry-jobs/?next=/tasks/jobs/")
    assert (answer.status_code, "choose at least one in the list" in answer.content.decode()) == (422, True)


def test_a_job_that_a_pause_keeps_leads_to_the_limits(visit, work, acme: int) -> None:
    controls.pause(queue="maintenance")
    assert "Limits and pauses</a>" in visit("operator", f"jobs/{work['mine']['waiting']}/").content.decode()


def test_the_pause_of_a_queue_holds_back_all_that_wait_in_it(visit, work, acme: int) -> None:
    controls.pause(queue="maintenance", reason="the disk is full")
    for path in ("queues/", "queues/maintenance/"):
        row = visit("ops", path).content.decode().partition("queue maintenance</th>")[2].partition("</tr>")[0]
        assert '<td class="n">2</td>' in row, path


def test_an_operator_with_one_role_sees_everybody_until_they_choose_its_tenant(visitor, acme: int) -> None:
    browser = visitor("ops_viewer")
    shown = [browser.get("/tasks/").content.decode()]
    for chosen in (acme, ""):
        browser.post("/tasks/chosen/", {"tenant": chosen})
        shown.append(browser.get("/tasks/").content.decode())

    assert ["All tenants</a>" in each for each in shown] == [True, False, True]
    assert ['href="/tasks/workers/"' in each for each in shown] == [True, False, True]
    assert browser.session[CHOSEN] == ALL_CHOSEN, "what comes by itself is for everybody, too"
    assert "nobody serves it" in browser.get("/tasks/queues/?part=x").content.decode(), "as operators are told"


def test_a_tenant_is_told_of_the_pause_of_everybodys_jobs(visit, work, acme: int) -> None:
    controls.pause(queue="maintenance", reason="the printer burns")

    for path in ("queues/", "queues/maintenance/"):
        said = visit("viewer", path).content.decode()
        assert "Queue maintenance is paused for everybody" in said and "the printer burns" in said
        assert "Nothing is limited or paused" not in said and 'class="chip is-paused"' in said
        assert "acts/resume/" not in visit("operator", path).content.decode(), "it is not theirs to end"
    assert "for everybody" not in visit("viewer", "queues/email/").content.decode()


def test_a_tenants_pause_is_no_pause_of_the_queue(visit, work, acme: int) -> None:
    controls.pause(queue="maintenance", tenant=acme)
    of_all, of_acme = (
        visit(who, "queues/").content.decode().partition("Limits and pauses")[0] for who in ("ops", "viewer")
    )
    assert ("is-paused" in of_all, "is-paused" in of_acme) == (False, True)
