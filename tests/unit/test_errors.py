"""The tree of exceptions is the one that is drawn, and every text says what was given and what to do."""

from __future__ import annotations

import inspect
import re

import pytest

from youtility_tasks import errors


def drawn() -> dict[str, str]:
    """Each name in the drawing, and its parent there."""
    parents: dict[str, str] = {}
    at_depth: dict[int, str] = {}
    drawing = (errors.__doc__ or "").partition("::\n")[2].partition("\n\n    AbortRequested")[0]
    for line in drawing.splitlines():
        found = re.match(r"    ((?:[│ ]   )*)(?:[├└]── )?((?:[A-Z]\w+)(?: / [A-Z]\w+)*)", line)
        if found is None:
            continue
        depth = len(found[1]) // 4 + ("── " in line)
        for name in found[2].split(" / "):
            at_depth[depth] = name
            if depth:
                parents[name] = at_depth[depth - 1]
    return parents


def classes() -> dict[str, type[BaseException]]:
    return {name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BaseException)}


def test_the_drawn_tree_is_the_tree() -> None:
    parents = drawn()

    assert set(parents) == set(classes()) - {"YoutilityTaskError", "AbortRequested"}
    for name, parent in parents.items():
        assert issubclass(classes()[name], classes()[parent]), f"{name} is drawn under {parent}"


def test_everything_but_the_abort_is_caught_by_the_root() -> None:
    for name, kind in classes().items():
        assert issubclass(kind, errors.YoutilityTaskError) is (name != "AbortRequested")


def test_an_abort_passes_through_except_exception() -> None:
    assert not issubclass(errors.AbortRequested, Exception)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            errors.UnknownQueue("send_ticket_email", "emails", ["reports", "email"]),
            "Task 'send_ticket_email' names queue 'emails'; known: email, reports. Did you mean 'email'?",
        ),
        (
            errors.UnknownQueue("t", None, ["email"]),
            "Task 't' names queue None; known: email.",
        ),
        (
            errors.UnknownTask("create_jbo", ["create_job", "x"]),
            "No task is called 'create_jbo'. Did you mean 'create_job'? `manage_task_queue tasks` lists them all.",
        ),
        (
            errors.UnknownTask(7, []),
            "No task is called 7. `manage_task_queue tasks` lists them all.",
        ),
        (
            errors.NoTenant("send_ticket_email"),
            "Task 'send_ticket_email' belongs to one tenant and none is set: wrap the call in `with tenant(id):`, "
            "or declare the task with tenant='all' if it serves every tenant.",
        ),
        (
            errors.NotYetBuilt("face_check"),
            "Task 'face_check' is registered but not built yet, so it cannot be enqueued. Nothing was written.",
        ),
        (errors.JobNotFound(12), "No job has the id 12 here. `manage_task_queue jobs` lists jobs."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_says_what_was_given_and_what_to_do(error: Exception, text: str) -> None:
    assert str(error) == text


def test_a_suggestion_is_made_only_when_something_is_near() -> None:
    assert errors.did_you_mean("emial", ["email", "reports"]) == " Did you mean 'email'?"
    assert errors.did_you_mean("zzz", ["email", "reports"]) == ""
    assert errors.did_you_mean("anything", []) == ""
