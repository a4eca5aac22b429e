"""What somebody types, as a filter; and what is said to who types what cannot be meant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from youtility_tasks import Task, search
from youtility_tasks.errors import SearchRefused
from youtility_tasks.listing import JobFilter
from youtility_tasks.status import JobStatus


def mail(*, id: int = 0) -> None: ...


def note(*, id: int = 0) -> None: ...


@pytest.fixture(autouse=True)
def tasks(declare: Callable[..., Task]) -> None:
    declare(mail, name="send_mail", queue_name="email", aliases=("send_letter",))
    declare(note, name="send_note", queue_name="email")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("", {}),
        ("  site 7 ", {"search": "site 7"}),
        ("task:send_n*", {"task_names": ("send_note",)}),
        ("task:send_mail", {"task_names": ("send_mail", "send_letter")}),
        ("task:gone", {"task_names": ("gone",)}),
        ("status:failed status:todo", {"statuses": (JobStatus.FAILED, JobStatus.TODO)}),
        ("queue:email tenant:7 id:12", {"queue_name": "email", "tenant_id": 7, "job_id": 12}),
        ('error:"no such \\"site\\"" late', {"error": 'no such "site"', "search": "late"}),
        ("lock:7:site unique:k", {"lock": "7:site", "unique_key": "k"}),
        ("args.id:7 args.site.zone:north", {"args": {"id": 7, "site": {"zone": "north"}}}),
        ('args.id:"7" args.done:true args.by:null', {"args": {"id": "7", "done": True, "by": None}}),
        ("args.at:12:30", {"args": {"at": "12:30"}}),
        ("since:2026-11-24T06:00:00Z", {"since": datetime(2026, 11, 24, 6, tzinfo=UTC)}),
        ("fingerprint:3f2a9c0d11e4b870", {"fingerprint": "3f2a9c0d11e4b870"}),
        ('"a:b"', {"search": "a:b"}),
        ("7:site", {"search": "7:site"}),
    ],
)
def test_what_is_typed_is_what_is_meant(text: str, means: dict[str, Any]) -> None:
    assert search.parse(text) == JobFilter(**means)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("taks:x", "Did you mean 'task'"),
        ("task:nothing_*", "No registered task"),
        ("task:", "asks for nothing"),
        ("task:a task:b", "given twice"),
        ("status:failing", "Did you mean 'failed'"),
        ("queue:emial", "Did you mean 'email'"),
        ("tenant:0", "no id"),
        ("tenant:٣", "no id"),
        ("id:99999999999999999999", "no id"),
        ("fingerprint:x", "no fingerprint"),
        ("since:yesterday", "no instant"),
        ("since:2026-11-24T06:00:00", "no instant"),
        ("args.$sealed:x", "names no argument"),
        ("args..a:x", "names no argument"),
        ("args.a:1 args.a:2", "given twice"),
        ("args.a:1 args.a.b:2", "asked for itself"),
        ('error:"open', "not closed"),
        ("x" * 501, "at most 500"),
        ("a " * 21, "at most 20 words"),
        ("a\x00", "no column can hold"),
    ],
)
def test_what_cannot_be_meant_is_told(text: str, says: str) -> None:
    with pytest.raises(SearchRefused, match=says):
        search.parse(text)


def test_a_word_goes_on_as_names_tasks_queues_and_statuses_do() -> None:
    assert search.completions("status:failed ta") == ["status:failed task:"]
    assert {"task:send_mail", "task:send_note"} <= set(search.completions("task:send_", limit=99))
    assert len(search.completions("task:send_", limit=2)) == 2
    assert search.completions("queue:em") == ["queue:email"]
    assert search.completions("x status:do") == ["x status:doing"]
    assert search.completions("error:x") == []
    assert "args." in search.completions("")
