"""Unique words in all that B owns, and every surface walked as A: none of them is met, and B's ids are as good as none."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections, transaction
from django.test import Client

from task_catalog import notices
from tests.tenancy.ground import A, B, House
from youtility_tasks import acts, enqueue, history, listing, registry
from youtility_tasks.errors import UnknownTenant
from youtility_tasks.management import verbs
from youtility_tasks.models import TaskEffect, Tenant
from youtility_tasks.models.history import AttemptQuerySet
from youtility_tasks.models.jobs import JobQuerySet
from youtility_tasks.tasks_api import TaskResultDoesNotExist
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import tenant

pytestmark = pytest.mark.usefixtures("django_db_setup")

CANARY, OWN = "Kanarienvogel", "Ackerschnepfe"


def remember(word: str) -> None: ...


@pytest.fixture
def aviary(house: House, declare: Callable[..., Any]) -> House:
    """A house in which each tenant's word stands wherever a tenant can write."""
    declare(remember)
    for who, word in ((A, OWN), (B, CANARY)):
        house.rows(
            "UPDATE youtility_tasks_tenant SET name = %s, deactivated_reason = %s WHERE id = %s", word, word, who
        )
        for n, status in enumerate(("todo", "doing", "failed")):
            house.rows(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, tenant_id, lock, queueing_lock, unique_key)"
                " VALUES ('email', 'remember', %s, %s::text::procrastinate_job_status, %s, %s, %s, %s)",
                json.dumps({"word": word}), status, who, f"{who}:{word}{n}", f"{who}:{word}{n}", f"{word}{n}",
            )  # fmt: skip
        for n, status in enumerate(("failed", "succeeded")):
            house.rows(
                "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at,"
                " finished_at, status, outcome, is_final, args, result, error_class, error_message, traceback, output)"
                " VALUES (2000000 + 10 * %s + %s, 'remember', 'email', %s, 5, 1, 1, now(), now(), %s, %s, true, %s, %s, 'ValueError', %s, %s, %s)",
                who, n, who, status, status, json.dumps({"word": word}), json.dumps(word), word, word, word,
            )  # fmt: skip
        house.rows(
            "INSERT INTO youtility_tasks_taskeffect (tenant_id, key, status, task_name, payload, note)"
            " VALUES (%s, %s, 'pending', 'remember', %s, %s)",
            who, word, json.dumps(word), word,
        )  # fmt: skip
        house.rows(
            "INSERT INTO youtility_tasks_queuecontrol (queue_name, task_name, tenant_id, max_running, burst, is_paused, reason, changed_by,"
            " paused_by) VALUES ('email', 'remember', %s, 2, 1, false, %s, %s, %s)",
            who, word, word, word,
        )  # fmt: skip
        house.rows(
            "INSERT INTO youtility_tasks_taskauditlog (actor, act, target, tenant_id, reason, before, after)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            word, word, word, who, word, json.dumps(word), json.dumps(word),
        )  # fmt: skip
    return house


@pytest.fixture
def as_web(aviary: House, django_db_blocker: Any) -> Iterator[House]:
    with django_db_blocker.unblock(), aviary.settled():
        roles.act_as("web")
        yield aviary


def ids_of(house: House, who: int) -> list[int]:
    found = house.rows(
        "SELECT id FROM procrastinate_jobs WHERE tenant_id = %s UNION SELECT job_id FROM youtility_tasks_history WHERE tenant_id = %s",
        who,
        who,
    )
    return [job_id for (job_id,) in found]


def told_by_python(house: House) -> str:
    """What A gets of the house's own calls, B's ids tried with each."""
    said: list[str] = []
    theirs = ids_of(house, B)
    with tenant(A):
        said.append(repr(listing.jobs(listing.JobFilter(tenant_id=A), limit=1000)))
        for job_id in ids_of(house, A) + theirs:
            said.append(repr(history.story(job_id, tenant_id=A)))
            try:
                found = history.result(str(job_id))
                said.append(repr((found, found.kwargs, found.errors)))
            except TaskResultDoesNotExist as refused:
                said.append(repr(refused))
        for act in (acts.cancel_many, acts.retry_many, acts.discard_many):
            done = act(theirs)
            assert not done.done
            said += [str(each) for each in done.refused.values()]
        said += map(str, acts.choose(listing.JobStatus.TODO))
    text = "\n".join(said)
    assert not set(theirs) & set(acts_chosen()), "B's jobs can be chosen"
    return text


def acts_chosen() -> list[int]:
    with tenant(A):
        return [job_id for status in ("todo", "failed") for job_id in acts.choose(listing.JobStatus(status))]


def test_the_houses_own_calls(as_web: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    text = told_by_python(as_web)

    assert OWN in text, "and A gets what is A's"
    assert CANARY not in text and CANARY not in caplog.text
    with tenant(A):
        assert CANARY not in repr([(e.key, e.note, e.payload) for e in TaskEffect.objects.all()])
        assert [t.name for t in Tenant.objects.all()] == [OWN]


def test_the_houses_own_calls_where_nothing_but_they_keep_tenants_apart(aviary: House, django_db_blocker: Any) -> None:
    """Without roles a superuser connects: what is left is what each query asks for."""
    with django_db_blocker.unblock(), aviary.settled(roles=None):
        text = told_by_python(aviary)
    assert OWN in text and CANARY not in text


@pytest.mark.parametrize("queryset", [JobQuerySet, AttemptQuerySet])
def test_a_list_that_forgets_to_ask_for_the_tenant_is_caught(
    aviary: House, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch, queryset: Any
) -> None:
    monkeypatch.setattr(queryset, "for_tenant", lambda self, tenant_id: self)
    with django_db_blocker.unblock(), aviary.settled(roles=None), pytest.raises(AssertionError):
        assert CANARY not in told_by_python(aviary)


@pytest.mark.parametrize("queryset", [JobQuerySet, AttemptQuerySet])
def test_and_under_the_roles_the_database_asks_for_it(
    as_web: House, monkeypatch: pytest.MonkeyPatch, queryset: Any
) -> None:
    monkeypatch.setattr(queryset, "for_tenant", lambda self, tenant_id: self)
    assert CANARY not in told_by_python(as_web)


def stamped_with_the_transactions_tenant(house: House) -> None:
    with tenant(A):
        result = registry.get("asks_for").enqueue(tenant_id=B, tenant=B)
    assert house.rows("SELECT tenant_id FROM procrastinate_jobs WHERE id = %s", int(result.id)) == [(A,)]


def test_a_task_that_is_told_a_tenant_in_its_arguments_runs_for_its_own(as_web: House, declare: Any) -> None:
    declare(asks_for)
    stamped_with_the_transactions_tenant(as_web)


def test_who_takes_the_tenant_from_the_arguments_is_caught(
    aviary: House, django_db_blocker: Any, declare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(asks_for)
    checked = enqueue._check

    def believes(*call: Any) -> Any:
        found = checked(*call)
        return replace(found, tenant_id=found.shown["tenant_id"])

    monkeypatch.setattr(enqueue, "_check", believes)
    with django_db_blocker.unblock():
        with aviary.settled(roles=None), pytest.raises(AssertionError):
            stamped_with_the_transactions_tenant(aviary)
        with aviary.settled():  # and there the database does not let it happen
            roles.act_as("web")
            before = aviary.rows("SELECT count(*) FROM procrastinate_jobs WHERE tenant_id = %s", B)
            with pytest.raises(UnknownTenant):
                stamped_with_the_transactions_tenant(aviary)
            assert aviary.rows("SELECT count(*) FROM procrastinate_jobs WHERE tenant_id = %s", B) == before


def asks_for(tenant_id: int, tenant: int) -> None: ...


MODELS = ("job", "taskexecutionhistory", "taskeffect", "tenant", "queuecontrol", "taskauditlog")


def pages_of(house: House) -> Iterator[str]:
    """Every page of the house's in the admin: lists, searches, filters, and what is known of each row of B's."""
    for model in MODELS:
        base = f"/admin/youtility_tasks/{model}/"
        yield from (
            base,
            f"{base}?q={CANARY[:-2]}",
            f"{base}?q={B}",
            f"{base}?q=remember",
            f"{base}?o=-1&all=",
            f"{base}?e=1",
        )
        column, table = ("id", "youtility_tasks_tenant") if model == "tenant" else ("tenant_id", TABLES[model])
        for (pk,) in house.rows(f"SELECT id FROM {table} WHERE {column} = %s", B):
            yield from (f"{base}{pk}/change/", f"{base}{pk}/history/", f"{base}{pk}/delete/")
    yield from (
        "/admin/",
        "/admin/youtility_tasks/",
        *(
            f"/admin/youtility_tasks/{each._meta.model_name}/"
            for each in apps.get_app_config("youtility_tasks").get_models()
        ),
        "/admin/youtility_tasks/queuecontrol/add/",
    )


TABLES = {
    "job": "procrastinate_jobs",
    "taskexecutionhistory": "youtility_tasks_history",
    "taskeffect": "youtility_tasks_taskeffect",
    "queuecontrol": "youtility_tasks_queuecontrol",
    "taskauditlog": "youtility_tasks_taskauditlog",
}


@pytest.mark.parametrize("works_for", [A, None])
def test_the_admins_pages(as_web: House, works_for: int | None, caplog: pytest.LogCaptureFixture) -> None:
    """As a superuser of Django's who has chosen A, and as one who has chosen nobody."""
    caplog.set_level(logging.DEBUG)
    browser = Client(raise_request_exception=False)
    browser.force_login(User.objects.create_superuser("chief", password="x"))
    if works_for is not None:
        browser.post("/admin/tenant/", {"tenant": works_for})
    said = {}
    for page in pages_of(as_web):
        answer = browser.get(page)
        assert answer.status_code < 500, page
        said[page] = answer.content.decode()
    # An id that nobody has is answered as one of B's is: back to the list.
    for page in [each for each in said if each.endswith("/change/")]:
        none = page.rsplit("/", 3)[0] + "/987654321/change/"
        assert browser.get(page).status_code == browser.get(none).status_code == 302

    assert not [page for page, text in said.items() if CANARY in text]
    for model in MODELS:
        found = browser.get(f"/admin/youtility_tasks/{model}/?q={CANARY}").content.decode()
        assert "/change/" not in found, "a search finds what it may not show"
    assert (OWN in "".join(said.values())) == (works_for == A)
    assert CANARY not in caplog.text.replace(f"q={CANARY}", "")


VERBS = (
    ["jobs"],
    ["jobs", "--status", "failed"],
    ["dead-letters"],
    ["stats"],
    ["operations", "begin", "cancel", "--search", OWN],
    ["operations", "begin", "priority", "--all", "--priority", "1", "--dry-run"],
    ["operations"],
    ["jobs", "--search", f"args.word:{CANARY}0"],
    ["jobs", "--search", f"error:{CANARY}0"],
    ["cancel", "--all"],
    ["retry", "--all"],
    ["discard", "--all"],
    ["limits"],
    ["limits", "set", "--queue", "email", "--running", "3"],
    ["pause", "email"],
    ["resume", "email"],
    ["limits", "clear", "--queue", "email"],
    ["cleanup", "--dry-run"],
    ["submit", "remember", "--json-args", f'{{"word": "{OWN}"}}', "--unique", f"{CANARY}0"],
    ["rekey", "--dry-run"],
    ["schedule", "list"],
    ["schedule", "holidays"],
    ["workflow", "list"],
    ["workflow", "templates"],
    ["tokens"],
    ["audit"],
    ["tasks", "remember"],
    ["monitor", "--once"],
)
OF_THE_INSTALLATION = (["workers"], ["doctor"], ["tasks"])
BY_ID = ("show", "why", "cancel", "retry", "discard")


def say(*words: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("manage_task_queue", *words, stdout=out, stderr=err)
    except SystemExit:
        pass
    finally:
        connections["default"].close()
    return out.getvalue() + err.getvalue()


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_the_command_line(as_web: House, form: list[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before = as_web.rows(
        "SELECT md5(string_agg(j::text, '|' ORDER BY id)) FROM procrastinate_jobs j WHERE tenant_id = %s", B
    )
    said = []
    for job_id in ids_of(as_web, B) + ids_of(as_web, A)[:2]:
        for verb in BY_ID:
            more = ["--args", "--pii"] if verb == "show" else []
            said.append(say(verb, str(job_id), *more, "--tenant", str(A), *form))
    said += [say(*verb, "--tenant", str(A), *form) for verb in VERBS]
    said += [say(*verb, *form) for verb in OF_THE_INSTALLATION]
    text = "\n".join(said)
    walked = {words[0] for words in (*VERBS, *OF_THE_INSTALLATION)} | {*BY_ID, "tenants"}
    assert walked == {verb.NAME for verb in verbs.VERBS}, "a verb that nobody has walked"

    assert OWN in text and CANARY not in text and CANARY not in caplog.text
    assert before == as_web.rows(
        "SELECT md5(string_agg(j::text, '|' ORDER BY id)) FROM procrastinate_jobs j WHERE tenant_id = %s", B
    )


def test_an_operator_on_the_command_line_reads_nobodys_words(as_web: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for_all = [
        verb for verb in VERBS if verb[0] in {"jobs", "dead-letters", "stats", "cancel", "retry", "discard", "monitor"}
    ]
    said = [say(*verb, "--all-tenants", "--json") for verb in for_all[:4]]
    said += [say(*verb, "--all-tenants") for verb in for_all]
    said += [say(*verb, *form) for verb in OF_THE_INSTALLATION for form in ([], ["--json"])]
    said += [say("why", str(job_id), "--all-tenants") for job_id in ids_of(as_web, B)]

    text = "\n".join(said)
    assert "remember" in text and CANARY not in text and CANARY not in caplog.text
    assert CANARY in say("tenants"), "but what his clients are called"


def test_a_refusal_of_the_database_tells_no_value_of_another(as_web: House) -> None:
    """DETAIL names the values of a key that is taken: all of A's tries at B's keys go through or are refused without one."""
    with as_web.connect("web", A) as session:
        for column, value in (
            ("lock", f"{B}:{CANARY}0"),
            ("queueing_lock", f"{B}:{CANARY}0"),
            ("unique_key", f"{CANARY}0"),
        ):
            try:
                with session.transaction(force_rollback=True):
                    session.execute(
                        f"INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted, {column}) VALUES ('email', 'remember', 7, false, %s)",
                        [value],
                    )
            except Exception as refused:
                assert getattr(refused, "sqlstate", "") == "42501" and CANARY not in str(refused), refused
        session.execute(
            "INSERT INTO youtility_tasks_taskeffect (tenant_id, key, status, task_name, note) VALUES (7, %s, 'pending', '', '')",
            [CANARY],
        )


def test_a_notice_of_one_tenant_is_sent_by_no_other(as_web: House, settings: Any, mailoutbox: list[Any]) -> None:
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "admin_emails": ["admin@example.com"]}
    for who, word in ((A, OWN), (B, CANARY)):
        with tenant(who), transaction.atomic():
            notices.promise("failed:it", f"{word} failed", [word])

    with tenant(A):
        assert notices.send_pending() == 1
    texts = [f"{mail.subject} {mail.body} {mail.alternatives} {mail.extra_headers}" for mail in mailoutbox]
    assert len(texts) == 1 and OWN in texts[0] and CANARY not in texts[0]
    with tenant(B):
        assert notices.send_pending() == 1
    assert CANARY in mailoutbox[1].subject
