"""What a task may declare, and how each mistake is answered: given, right, what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from youtility_tasks import Retry, Task, TaskContext, queues, registry, tasks_api
from youtility_tasks.errors import (
    ConfigurationError,
    EnqueueError,
    NaiveDatetime,
    UnknownQueue,
    UnknownTask,
    WrongOption,
)

Declare = Callable[..., Task]


def body(*, number: int = 0) -> int:
    return number


def other_body(*, number: int = 0) -> int:
    return -number


def with_context(context: TaskContext, *, number: int = 0) -> int:
    return number


def with_types(*, number, day=None):  # type: ignore[no-untyped-def]
    return number


with_types.__annotations__ = {"number": int, "day": "dt.date | None"}


def with_star(*numbers: int) -> int:
    return sum(numbers)


def positional_only(number: int, /) -> int:
    return number


async def async_body(*, number: int) -> int:
    return number


# -- what is declared


def test_a_bare_decorator_declares_the_function_under_its_name(declare: Declare) -> None:
    declared = declare(body)

    assert declared.name == "body"
    assert declared.queue_name == queues.MAINTENANCE
    assert declared.max_attempts == 1
    assert registry.find("body") is declared


@pytest.mark.parametrize(("ours", "stored"), [(1, 10), (5, 6), (10, 1)])
def test_the_most_urgent_priority_is_stored_as_procrastinates_highest(declare: Declare, ours: int, stored: int) -> None:
    assert declare(body, priority=ours).stored_priority == stored


def test_an_earlier_name_finds_the_task_and_is_not_listed(declare: Declare) -> None:
    declared = declare(body, name="new_name", aliases=("old_name", "older_name"))

    assert registry.find("old_name") is declared
    assert "new_name" in registry.registered()
    assert not {"old_name", "older_name"} & set(registry.registered())


def test_the_context_is_no_part_of_what_a_caller_must_give(declare: Declare) -> None:
    declared = declare(with_context, takes_context=True)

    assert list(declared.signature.parameters) == ["number"]
    assert declared.func(TaskContext.for_tests(declared, attempt=2), number=4) == 4


def test_a_signature_is_shown_without_quotes_whether_its_annotations_are_text_or_not(declare: Declare) -> None:
    assert str(declare(body).signature) == "(*, number: int = 0) -> int"
    assert str(declare(with_types).signature) == "(*, number: int, day: dt.date | None = None)"


def test_using_changes_the_copy_and_not_the_task(declare: Declare) -> None:
    declared = declare(body, queue_name=queues.EMAIL, priority=5)
    later = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)

    changed = declared.using(priority=1, queue_name=queues.REPORTS, run_after=later, unique="k", lock="l")

    assert (changed.priority, changed.queue_name, changed.run_after) == (1, queues.REPORTS, later)
    assert (changed.unique, changed.lock, changed.name) == ("k", "l", "body")
    assert (declared.priority, declared.queue_name, declared.run_after) == (5, queues.EMAIL, None)
    assert (declared.unique, declared.lock) == (None, None)


def test_declaring_the_same_function_twice_is_a_reload_and_no_mistake(declare: Declare) -> None:
    declare(body)

    again = declare(body)

    assert registry.find("body") is again


@pytest.mark.parametrize(
    "schedule", ["* * * * *", "5,35 */8 1-7 mar,oct mon-fri", "0 0 29 2 *", "0 12 L * thu", "0 0 * * 7"]
)
def test_a_cron_of_five_fields_is_a_schedule(declare: Declare, schedule: str) -> None:
    assert declare(body, schedule=schedule).schedule == schedule


# -- mistakes


def test_two_functions_of_one_name_are_refused_with_both_their_paths(declare: Declare) -> None:
    declare(body, name="twice")

    with pytest.raises(ConfigurationError, match=r"'twice'.*\.body and .*\.other_body.*name="):
        declare(other_body, name="twice")


def test_a_refused_declaration_leaves_no_trace_in_the_registry(declare: Declare) -> None:
    declare(body, name="taken")

    with pytest.raises(ConfigurationError, match="'taken'"):
        declare(other_body, name="fresh", aliases=("taken",))

    assert registry.find("fresh") is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"priority": 0}, r"priority 0; right is a whole number from 1 \(most urgent\) to 10"),
        ({"priority": 11}, "priority 11"),
        ({"priority": True}, "priority True"),
        ({"priority": 2.5}, "priority 2.5"),
        ({"timeout_s": 0}, "timeout_s=0; right is more than 0 s"),
        ({"timeout_s": -5}, "timeout_s=-5"),
        ({"timeout_s": float("nan")}, "timeout_s=nan"),
        ({"timeout_s": "60"}, "'body'"),
        ({"retry": 3}, r"retry=3; right is Retry\("),
        (
            {"schedule": "61 * * * *"},
            r"schedule='61 \* \* \* \*': .*61.*Right is a cron of five fields in UTC, minute hour",
        ),
        ({"schedule": "0 0 30 2 *"}, r"schedule='0 0 30 2 \*': .*date"),
        ({"schedule": "5 6"}, "schedule='5 6': it has 2 fields. Right is"),
        ({"schedule": "@daily"}, "schedule='@daily': it has 1 field. Right is"),
        ({"schedule": "H 2 * * *"}, "R and H stand for a time made up anew"),
        ({"schedule": ""}, "schedule='': it has 0 fields"),
        ({"schedule": 15}, "schedule=15: it is no text. Right is"),
        ({"retry": None}, r"retry=None; right is Retry\("),
        ({"tenant": "every"}, "tenant='every'; right is 'one' or 'all'"),
        ({"aliases": "old"}, r"aliases='old'; right is a tuple"),
        ({"name": "x" * 129}, "128"),
        ({"name": "a\0b"}, "128"),
        ({"no_such_option": 1}, "no_such_option"),
    ],
    ids=repr,
)
def test_a_declaration_that_cannot_work_is_refused_at_once(
    declare: Declare, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        declare(body, **options)

    assert registry.find("body") is None


@pytest.mark.parametrize("function", [with_star, positional_only])
def test_arguments_that_cannot_be_stored_by_name_are_refused(declare: Declare, function: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match="by name"):
        declare(function)


def test_an_unknown_queue_is_refused_with_the_nearest_one(declare: Declare) -> None:
    with pytest.raises(UnknownQueue) as refused:
        declare(body, queue_name="emails")

    assert str(refused.value) == (
        "Task 'body' names queue 'emails'; known: email, high_priority, maintenance, reports. Did you mean 'email'?"
    )


def test_using_refuses_what_declaring_refuses(declare: Declare) -> None:
    declared = declare(body)

    with pytest.raises(UnknownQueue, match=r"'reprots'.*Did you mean 'reports'"):
        declared.using(queue_name="reprots")
    with pytest.raises(ConfigurationError, match="priority -1"):
        declared.using(priority=-1)


@pytest.mark.parametrize("options", [{"priority": 11}, {"run_after": "2030-01-01"}, {"queue_name": "emails"}], ids=repr)
def test_whatever_is_wrong_with_a_call_is_an_enqueue_error(declare: Declare, options: dict[str, Any]) -> None:
    with pytest.raises(EnqueueError):
        declare(body).using(**options)


@pytest.mark.parametrize(
    "instant",
    [
        dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.timezone(dt.timedelta(hours=-12))),
        dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=12))),
        dt.datetime(9999, 6, 1, tzinfo=dt.UTC),
    ],
    ids=str,
)
def test_an_instant_that_could_not_be_read_back_is_refused(declare: Declare, instant: dt.datetime) -> None:
    with pytest.raises(WrongOption, match="right is an instant of the years 2 to 9998"):
        declare(body).using(run_after=instant)


def test_an_instant_without_a_zone_is_refused_with_a_way_out(declare: Declare) -> None:
    with pytest.raises(NaiveDatetime, match=r"names no instant; give it a zone.*timezone\.now\(\)"):
        declare(body).using(run_after=dt.datetime(2030, 1, 1))


def test_something_that_is_no_instant_is_refused(declare: Declare) -> None:
    with pytest.raises(ConfigurationError, match="run_after is 60; right is an aware datetime"):
        declare(body).using(run_after=60)


def test_an_unknown_task_name_is_answered_with_the_nearest_one(declare: Declare) -> None:
    declare(body, name="send_ticket_mail_to_nobody")

    with pytest.raises(UnknownTask, match=r"'send_ticket_mail_to_nobod'.*Did you mean 'send_ticket_mail_to_nobody'"):
        registry.get("send_ticket_mail_to_nobod")


# -- finding a task by the name that a job row holds


@pytest.mark.parametrize(
    "name",
    [
        "no_such_task",
        "os.system",
        "subprocess.Popen",
        "youtility_tasks.no_such_module.task",
        "youtility_tasks.conf.settings",
        "youtility_tasks",
        ".",
        "..a",
        "youtility_tasks.",
        "youtility_tasks..x",
    ],
)
def test_a_name_from_a_table_loads_nothing_but_tasks_of_installed_apps(name: str) -> None:
    assert registry.resolve(name) is None


def test_a_module_that_breaks_while_it_is_loaded_does_not_break_whoever_looks_for_its_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(path: str) -> Any:
        raise RuntimeError("this module needs a GPU")

    monkeypatch.setattr(registry, "import_string", broken)

    assert registry.resolve("task_catalog.faces.compare") is None


def test_a_task_runs_like_the_function_it_is(declare: Declare) -> None:
    assert declare(body).call(number=3) == 3
    assert declare(async_body).call(number=4) == 4


def test_a_retry_policy_is_part_of_the_task(declare: Declare) -> None:
    assert declare(body, retry=Retry(5, base=60, factor=2, cap=900)).max_attempts == 5


@pytest.mark.parametrize("backend", ["dummy.DummyBackend", "immediate.ImmediateBackend"])
def test_a_task_that_another_backend_would_run_says_which_setting_is_right(
    declare: Declare, settings: Any, backend: str
) -> None:
    """As in a project that has not set TASKS: its tasks would run in the web process, if Django took our queues."""
    settings.TASKS = {"default": {"BACKEND": f"{tasks_api.BaseTaskBackend.__module__.rpartition('.')[0]}.{backend}"}}

    with pytest.raises(ConfigurationError, match=r"'BACKEND': 'youtility_tasks\.backends\.Proc") as caught:
        declare(body, queue_name=queues.EMAIL)

    assert backend in str(caught.value)
    assert "Queue 'email'" in str(caught.value)
