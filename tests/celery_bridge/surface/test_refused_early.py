"""What cannot be carried is refused as the module is imported, wherever it is said: in a body, a base, a route or an annotation."""

from __future__ import annotations

import re
from typing import Any

import pytest

from youtility_tasks import errors, registry
from youtility_tasks.celery_bridge import Task, shared_task
from youtility_tasks.celery_bridge.config import conf, queue_for

pytestmark = pytest.mark.django_db


def replaces(self: Any, n: int) -> Any:
    return self.replace(shared_task.s(n)) if n else "text".replace("t", "x")


def asks_inside(self: Any) -> Any:
    return [self.backend for _ in range(1)] or (lambda: self.backend)()


@pytest.mark.parametrize(
    ("body", "options", "way_out"),
    [
        (replaces, {"bind": True}, "chain"),
        (asks_inside, {"bind": True}, "history.story"),
        (print, {"base": type("Slow", (Task,), {"rate_limit": "1/m"})}, "manage_task_queue limits"),
        (print, {"base": type("Pickled", (Task,), {"serializer": "pickle"})}, "JSON"),
        (print, {"base": type("Theirs", (), {})}, "celery_bridge import Task"),
    ],
)
def test_what_a_body_or_a_base_asks_for_is_refused_as_the_module_is_imported(
    body: Any, options: dict[str, Any], way_out: str
) -> None:
    with pytest.raises(errors.NotOfCelery, match=way_out):
        shared_task(name="surface.refused_early", **options)(body)


def test_a_module_that_keeps_celerys_own_canvas_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("celery")
    from celery import chord

    monkeypatch.setitem(globals(), "chord", chord)
    with pytest.raises(errors.NotOfCelery, match="has 'chord' from celery"):
        shared_task(name="surface.refused_early")(replaces)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("task_routes", [lambda name, *_, **__: {"queue": "email"}]),
        ("task_routes", {"a.*": {"routing_key": "a"}}),
        ("task_routes", {"a.*": {"queue": "email", "serializer": "pickle"}}),
        ("task_annotations", {"*": {"@retry": print}}),
        ("task_annotations", [object()]),
    ],
)
def test_settings_that_would_be_passed_over_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(errors.NotOfCelery, match=setting):
        conf.update(**{setting: value})


def test_routes_are_read_as_celery_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name before a pattern, whatever stands first; lists of pairs; compiled patterns."""
    pairs = [
        ("feed.*", {"queue": "email"}),
        (re.compile(r"(video|image)\."), "reports"),
        ("feed.now", {"queue": "high_priority"}),
    ]
    monkeypatch.setitem(conf._said, "task_routes", (pairs,))

    names = ["feed.now", "feed.later", "image.cut", "other.feed.now"]
    assert [queue_for(each, None) for each in names] == ["high_priority", "email", "reports", "maintenance"]


def test_annotations_are_methods_and_refused_like_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_failure(self: Any, exc: Any, *_: Any) -> None:
        self.told = str(exc)

    monkeypatch.setitem(conf._said, "task_annotations", {"surface.annotated": {"on_failure": on_failure}})
    made = shared_task(name="surface.annotated")(_raises)
    registry.forget("surface.annotated")
    made.apply()

    assert made.told == "as asked"
    monkeypatch.setitem(conf._said, "task_annotations", {"*": {"rate_limit": "10/s"}})
    with pytest.raises(errors.NotOfCelery, match="manage_task_queue limits"):
        shared_task(name="surface.refused_early")(_raises)


def _raises() -> None:
    raise ValueError("as asked")
