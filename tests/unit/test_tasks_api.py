"""Django's TaskResult, made without its own check of arguments that came out of JSON."""

from __future__ import annotations

import pytest

from youtility_tasks import tasks_api
from youtility_tasks.context import TaskContext
from youtility_tasks.declaration import Task


def nothing(*, ids: list[int], name: str) -> None:
    pass


def test_a_result_made_of_json_is_the_one_that_django_would_make() -> None:
    """Also with a field that a later Django adds: then this fails, and `context.running` must name it."""
    task = Task(func=nothing, task_name="nothing", queue_name="email", priority=5)
    made = TaskContext.for_tests(task, attempt=2, kwargs={"ids": [1, 2], "name": "x"}).task_result

    djangos = tasks_api.TaskResult(
        task=task,
        id="1",
        status=tasks_api.TaskResultStatus.RUNNING,
        enqueued_at=None,
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=[],
        kwargs={"ids": [1, 2], "name": "x"},
        backend=task.backend,
        errors=[],
        worker_ids=["0", "0"],
    )

    assert made == djangos
    assert repr(made) == repr(djangos)


class Outer:
    class Gone(LookupError):
        """As `Model.DoesNotExist` stands inside its model."""


def test_an_error_finds_a_class_inside_another() -> None:
    named = {
        kind: f"{kind.__module__}.{kind.__qualname__}" for kind in (Outer.Gone, KeyError, tasks_api.TaskResultMismatch)
    }

    for kind, path in named.items():
        assert tasks_api.TaskError(exception_class_path=path, traceback="").exception_class is kind


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("subprocess.run", ValueError),
        ("does.not.exist", ImportError),
        (f"{__name__}.Outer.Missing", ImportError),
        (f"{__name__}.Outer.__name__", ImportError),
        ("", ImportError),
        ("KeyError", ImportError),
    ],
)
def test_an_error_whose_class_cannot_be_had_says_so_as_djangos_does(path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        _ = tasks_api.TaskError(exception_class_path=path, traceback="").exception_class
