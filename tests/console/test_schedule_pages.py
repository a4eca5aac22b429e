"""The pages of schedules, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from tests.console.conftest import MOST, Pages
from youtility_tasks import Secret, Task, schedules, tenant
from youtility_tasks.models import ScheduledTask, ScheduledTaskExecution, TaskAuditLog
from youtility_tasks.tenants import no_tenant

FORM = {
    "task": "add", "args": "{}", "kind": "cron", "cron": "30 6 * * *", "days": "working_days", "working_weekdays": "12345", "missed": "latest",
    "missed_most": "1", "grace_s": "60", "overlap": "allow", "jitter_s": "0", "zone": "Europe/Berlin",
}  # fmt: skip


@pytest.fixture
def nightly(acme: int, add_task: Task) -> ScheduledTask:
    with tenant(acme):
        return schedules.create("nightly", "add", cron="0 2 * * *", zone="Europe/Berlin", reason="wanted")


def _again(row: ScheduledTask) -> ScheduledTask:
    return ScheduledTask.objects.get(pk=row.pk)


def test_the_list_tells_rules_in_words_and_of_one_tenant_alone(
    pages: Callable[[str], Pages], nightly: ScheduledTask, other_tenant: int
) -> None:
    with tenant(other_tenant):
        schedules.create("of others", "add", every_s=60)

    page = pages("viewer").get("schedules/")

    assert b"Every day at 02:00, Europe/Berlin" in page.content
    assert b"of others" not in page.content
    assert b"Run now" not in pages("viewer").get(f"schedules/{nightly.pk}/").content


def test_what_needs_somebody_comes_first_and_pages_go_on_behind_it(
    pages: Callable[[str], Pages], acme: int, add_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("youtility_tasks.console.schedules._PAGE", 2)
    with tenant(acme):
        for name in ("b fine", "a paused", "c late", "d skipped"):
            schedules.create(name, "add", cron="0 2 * * *")
        schedules.pause("a paused")
    ScheduledTask.objects.filter(name="c late").update(next_at=timezone.now() - timedelta(minutes=5))
    skipped = ScheduledTask.objects.get(name="d skipped")
    ScheduledTaskExecution.objects.create(
        tenant_id=acme, schedule_id=skipped.pk, tick_at=timezone.now(), version=1, outcome="skipped", reason="missed"
    )
    viewer = pages("viewer")

    first = viewer.get("schedules/")
    second = viewer.get("schedules/", before=first.context["following"])

    names = [[each["row"].name for each in page.context["lines"]] for page in (first, second)]
    assert names == [["c late", "d skipped"], ["a paused", "b fine"]]
    assert [each["state"] for each in first.context["lines"]] == ["late", "last run skipped"]
    assert [each["row"].name for each in viewer.get("schedules/", state="paused").context["lines"]] == ["a paused"]
    assert len(viewer.get("schedules/", state="problems").context["lines"]) == 2
    assert viewer.get("schedules/", queue="email").context["lines"] == []
    assert len(viewer.get("schedules/", queue="maintenance", task="add").context["lines"]) == 2


def test_an_edit_is_checked_field_by_field(pages: Callable[[str], Pages], nightly: ScheduledTask) -> None:
    wrong = {**FORM, "cron": "61 2 * * *", "zone": "Europe/Berln", "task": "ad", "quiet_from": "22:00", "args": "[]"}

    page = pages("admin").post("acts/change-schedule/", schedule=nightly.pk, **wrong)

    assert page.status_code == 422
    errors = page.context["fields"].errors
    assert "Right are five fields" in errors["cron"][0]
    assert "Did you mean 'Europe/Berlin'?" in errors["zone"][0]
    assert "Did you mean 'add'?" in errors["task"][0]
    assert "both ends" in errors["quiet_to"][0]
    assert "right is a dict" in errors["args"][0]
    assert _again(nightly).version == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"args": '{"nmber": 1}'}, "args"),
        ({"cron": "0 2 31 2 *"}, "cron"),
        ({"kind": "once", "at": "2001-01-01T00:00"}, "at"),
        ({"kind": "interval", "every_s": "99999999999"}, "every_s"),
        ({"queue": "emial"}, "queue"),
        ({"tick_argument": "x\x00"}, "tick_argument"),
    ],
)
def test_what_the_house_refuses_stands_at_its_field(
    pages: Callable[[str], Pages], nightly: ScheduledTask, given: dict[str, str], field: str
) -> None:
    page = pages("admin").post("acts/change-schedule/", schedule=nightly.pk, **{**FORM, **given})

    assert page.status_code == 422
    assert list(page.context["fields"].errors) == [field]
    assert _again(nightly).version == 1


def test_an_edit_changes_what_was_changed_and_its_history_says_so(
    pages: Callable[[str], Pages], nightly: ScheduledTask
) -> None:
    admin = pages("admin")

    done = admin.post("acts/change-schedule/", schedule=nightly.pk, reason="earlier <b>please</b>", **FORM)

    assert done.status_code == 303
    row = _again(nightly)
    assert (row.cron, row.days, row.version, row.changed_by) == ("30 6 * * *", "working_days", 2, "admin")
    page = admin.get(f"schedules/{row.pk}/")
    assert [name for name, _, _ in page.context["edits"][0]["changes"]] == ["cron", "days"]
    assert b"earlier &lt;b&gt;please" in page.content
    again = admin.post("acts/change-schedule/", schedule=nightly.pk, **FORM)
    assert again.status_code == 409
    assert b"Nothing is changed" in again.content


def test_the_form_of_a_schedule_as_it_stands_changes_nothing(
    pages: Callable[[str], Pages], acme: int, add_task: Task
) -> None:
    with tenant(acme):
        row = schedules.create("often", "add", every_s=90, args={"number": 3}, jitter_s=5)
    form = pages("admin").get("acts/change-schedule/", schedule=row.pk).context["fields"]
    said = {name: form[name].value() for name in form.fields}
    said = {name: "" if value is None else value for name, value in said.items()}

    page = pages("admin").post("acts/change-schedule/", schedule=row.pk, **said)

    assert b"Nothing is changed" in page.content


def call_home(*, number: int = 0, token: Secret[str] = "") -> None:
    """With a token."""


def test_a_secret_argument_is_never_shown_and_stays_what_it_is(
    pages: Callable[[str], Pages], acme: int, declare: Callable[..., Task]
) -> None:
    declare(call_home, name="call_home")
    with tenant(acme):
        row = schedules.create("calls", "call_home", cron="0 2 * * *", args={"number": 1, "token": "canary"})
    sealed = _again(row).args["token"]
    admin = pages("admin")
    form = admin.get("acts/change-schedule/", schedule=row.pk)
    shown = form.context["fields"]["args"].value()

    done = admin.post(
        "acts/change-schedule/", schedule=row.pk, **{**FORM, "task": "call_home", "args": shown.replace("1", "2")}
    )

    assert "[secret]" in shown
    assert done.status_code == 303
    assert _again(row).args == {"number": 2, "token": sealed}
    assert b"canary" not in form.content + admin.get(f"schedules/{row.pk}/").content


def test_the_preview_shows_what_would_be_and_changes_nothing(
    pages: Callable[[str], Pages], nightly: ScheduledTask
) -> None:
    page = pages("viewer").get("schedules/preview/", schedule=nightly.pk, part="preview", **FORM)

    assert [each["shown_wall"][-5:] for each in page.context["coming"]] == ["06:30"] * 5
    assert all(each["shown_zone"].startswith("CE") for each in page.context["coming"])
    assert _again(nightly).cron == "0 2 * * *"
    wrong = pages("viewer").get("schedules/preview/", schedule=nightly.pk, part="preview", **{**FORM, "cron": "x"})
    assert wrong.status_code == 200
    assert b"Right are five fields" in wrong.content


def test_the_preview_of_a_new_one_waits_for_what_is_needed(
    pages: Callable[[str], Pages], acme: int, add_task: Task
) -> None:
    admin = pages("admin")
    begun = admin.get("schedules/preview/", part="preview", **{**FORM, "task": "", "cron": "", "name": ""})
    done = admin.get("schedules/preview/", part="preview", name="", **FORM)
    wrong = admin.get("schedules/preview/", part="preview", name="", **{**FORM, "args": '{"nmber": 1}'})

    assert b"once the task and the time are said" in begun.content
    assert len(done.context["coming"]) == 5
    assert b"takes no argument" in wrong.content or b"nmber" in wrong.content
    assert not ScheduledTask.objects.exists()


def test_the_live_part_asks_for_no_more_than_it_shows(pages: Callable[[str], Pages], nightly: ScheduledTask) -> None:
    viewer = pages("viewer")
    whole, part = viewer.get(f"schedules/{nightly.pk}/"), viewer.get(f"schedules/{nightly.pk}/", part="runs")

    assert whole.context["coming"]
    assert (part.context["coming"], part.context["edits"]) == ([], [])


def test_a_clock_that_changes_is_marked(pages: Callable[[str], Pages], acme: int, add_task: Task) -> None:
    zone = ZoneInfo("Europe/Berlin")
    days = (datetime.now(UTC).date() + timedelta(days=n) for n in range(1, 400))
    gap = next(day for day in days if _noon(day, zone) != _noon(day - timedelta(days=1), zone) and day.month < 7)
    with tenant(acme):
        row = schedules.create("gap", "add", cron=f"30 2 {gap.day} {gap.month} *", zone="Europe/Berlin")
        nightly = schedules.create("nights", "add", cron=f"30 3 * {gap.month} *", zone="Europe/Berlin")

    coming = pages("viewer").get(f"schedules/{row.pk}/").context["coming"]
    said = pages("viewer").get(
        "schedules/preview/",
        schedule=nightly.pk,
        part="preview",
        **{**FORM, "cron": f"30 3 {gap.day} {gap.month} *", "days": "every_day"},
    )

    assert coming[0]["clock"].endswith("its time does not exist that day, so it fires as soon as there is one")
    assert coming[0]["shown_wall"].endswith(" 03:00")
    assert said.context["coming"][0]["clock"] == "the clock has gone forward by 60 min"


def _noon(day: date, zone: ZoneInfo) -> timedelta | None:
    return datetime.combine(day, time(12), zone).utcoffset()


def test_acts_do_what_they_say(pages: Callable[[str], Pages], nightly: ScheduledTask) -> None:
    operator, admin = pages("operator"), pages("admin")

    until = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    operator.post("acts/pause-schedule/", schedule=nightly.pk, until=until, reason="the printer is away")
    assert _again(nightly).pause_reason == "the printer is away"
    assert b"the printer is away" in operator.get(f"schedules/{nightly.pk}/").content
    assert operator.post("acts/pause-schedule/", schedule=nightly.pk, until="2001-01-01T00:00").status_code == 422
    operator.post("acts/resume-schedule/", schedule=nightly.pk)
    assert not _again(nightly).is_paused
    ran = operator.post("acts/run-schedule/", schedule=nightly.pk)
    assert "/tasks/jobs/" in ran["Location"]
    assert admin.post("acts/remove-schedule/", schedule=nightly.pk).status_code == 422  # it takes a reason
    admin.post("acts/remove-schedule/", schedule=nightly.pk, reason="gone")
    assert _again(nightly).removed_at is not None
    page = admin.get(f"schedules/{nightly.pk}/")
    assert b"it fires no more" in page.content
    made = admin.post("acts/new-schedule/", name="mine", **FORM)
    assert made.status_code == 303
    assert ScheduledTask.objects.get(name="mine").zone == "Europe/Berlin"
    assert admin.post("acts/new-schedule/", name="mine", **FORM).context["fields"].errors["name"]


def test_holidays_and_the_zone(pages: Callable[[str], Pages], acme: int) -> None:
    admin = pages("admin")
    day = timezone.now().date() + timedelta(days=40)

    admin.post("acts/add-holiday/", day=day, called="<i>Diwali</i>")
    page = admin.get("schedules/holidays/")

    assert b"&lt;i&gt;Diwali" in page.content
    admin.post("acts/remove-holiday/", day=day)
    assert b"Diwali" not in admin.get("schedules/holidays/").content
    assert "Did you mean" in admin.post("acts/set-zone/", zone="Asia/Kolkatta").context["fields"].errors["zone"][0]
    admin.post("acts/set-zone/", zone="Asia/Kolkata")
    assert b"Asia/Kolkata" in admin.get("schedules/holidays/").content


def test_operators_work_on_the_sweeps_and_see_no_arguments(
    pages: Callable[[str], Pages], acme: int, declare: Any
) -> None:
    declare(sweep, name="sweep", tenant="all")
    with no_tenant():
        row = schedules.create("sweep", "sweep", cron="0 3 * * *", args={"canary": "do not show"})
    ops = pages("ops")

    everybody = ops.get(f"schedules/{row.pk}/")
    own = ops.get(f"schedules/{row.pk}/", tenant=0)

    assert b"do not show" not in everybody.content
    assert b"do not show" in own.content
    ops.post("acts/pause-schedule/?tenant=0", schedule=row.pk, reason="x")
    assert _again(row).is_paused


def sweep(*, canary: str = "") -> None:
    """Over all tenants."""


MATRIX = [
    ("schedules/", {"viewer": 200, "operator": 200, "admin": 200, "other_admin": 200, "ops": 200, "nobody": 403}),
    ("schedules/{id}/", {"viewer": 200, "operator": 200, "admin": 200, "other_admin": 404, "ops": 200, "nobody": 403}),
    ("schedules/holidays/", {"viewer": 200, "admin": 200, "other_admin": 200, "ops": 403, "nobody": 403}),
    ("acts/run-schedule/?schedule={id}", {"viewer": 403, "operator": 200, "admin": 200, "other_admin": 404, "ops": 403}),
    ("acts/change-schedule/?schedule={id}", {"viewer": 403, "operator": 403, "admin": 200, "other_admin": 404, "ops": 403}),
    ("acts/remove-schedule/?schedule={id}", {"viewer": 403, "operator": 403, "admin": 200, "other_admin": 404, "ops": 403}),
    ("acts/add-holiday/", {"viewer": 403, "operator": 403, "admin": 200, "ops": 403}),
    ("acts/set-zone/", {"viewer": 403, "operator": 403, "admin": 200, "ops": 403}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "expected"), MATRIX, ids=[path for path, _ in MATRIX])
def test_who_may_come_in(
    pages: Callable[[str], Pages], nightly: ScheduledTask, path: str, expected: dict[str, int]
) -> None:
    at = path.format(id=nightly.pk)

    assert {kind: pages(kind).get(at).status_code for kind in expected} == expected
    assert pages("anonymous").get(at)["Location"].startswith("/tasks/sign-in/")
    if path.startswith("acts/"):
        for kind, status in expected.items():
            if status in (403, 404):
                assert pages(kind).post(at, schedule=nightly.pk, reason="x", **FORM).status_code in (403, 404, 409, 422)
    assert (_again(nightly).version, _again(nightly).removed_at) == (1, None)
    assert not TaskAuditLog.objects.exclude(act__in=("create schedule", "refused", "grant role", "add tenant")).exists()


@pytest.mark.parametrize(
    "word", ["sate=late", "state=lat", "before=9.9", "before=1.x", "before=1.99999999999999999999"]
)
def test_words_that_cannot_be_meant_are_told(pages: Callable[[str], Pages], acme: int, word: str) -> None:
    page = pages("viewer").get(f"schedules/?{word}")

    assert page.status_code == 422


def test_a_page_takes_few_statements(
    pages: Callable[[str], Pages], nightly: ScheduledTask, django_assert_max_num_queries: Any
) -> None:
    viewer = pages("viewer")
    for path in ("schedules/", f"schedules/{nightly.pk}/", "schedules/holidays/"):
        with django_assert_max_num_queries(MOST):
            viewer.get(path)
