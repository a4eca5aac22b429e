"""A mark is found wherever it stands in a signature, and never lost unseen."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest

import youtility_tasks as front
from youtility_tasks import Pii, Secret, Task, errors
from youtility_tasks import Secret as Hush
from youtility_tasks.secrets.marks import Mark, Marks, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from somewhere import Thing  # type: ignore[import-not-found]

    from youtility_tasks import Pii as Person


def marks(function: Callable[..., Any]) -> Marks:
    return read(function, inspect.signature(function))


def plain(*, a: int, b: Thing | None = None, c: dict[str, Sequence[Thing]], d=None, **more: Any) -> None: ...
def one(*, token: Secret[str], number: int) -> None: ...
def optional(*, phone: Pii[str] | None = None, other: Optional[Pii[str]] = None) -> None: ...  # noqa: UP045
def inside(*, all: list[Secret[str]], by_name: dict[str, Pii[int]], call: Callable[[Secret[int]], None]) -> None: ...
def bare(*, token: Secret, phone: Pii) -> None: ...  # type: ignore[type-arg]
def renamed(*, token: Hush[Thing], other: front.Secret[Thing | None]) -> None: ...
def unknown_outside(
    *, token: Sequence[Secret[str]], other: Thing | Secret[str], third: Secret[str] | Thing
) -> None: ...
def both(*, it: Secret[Pii[str]]) -> None: ...
def deeper(*, it: Annotated[str, "note", Mark.PII]) -> None: ...
def more(*, token: Secret[str], **rest: Pii[str]) -> None: ...
def by_position(first: int, second: Secret[str], *rest: Pii[str], third: Pii[int]) -> None: ...
def in_quotes(*, token: "Secret[str]", other: "list['Pii[str]']") -> None: ...  # noqa: UP037


S, P = Mark.SECRET, Mark.PII


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (plain, {}),
        (one, {"token": S}),
        (optional, {"phone": P, "other": P}),
        (inside, {"all": S, "by_name": P, "call": S}),
        (bare, {"token": S, "phone": P}),
        (renamed, {"token": S, "other": S}),
        (unknown_outside, {"token": S, "other": S, "third": S}),
        (both, {"it": S}),
        (deeper, {"it": P}),
        (more, {"token": S}),
        (by_position, {"second": S, "third": P}),
        (in_quotes, {"token": S, "other": P}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_mark_is_found(function: Callable[..., Any], found: dict[str, Mark]) -> None:
    assert dict(marks(function).by_name) == found
    assert bool(marks(function)) is bool(found)


def test_a_mark_is_found_where_annotations_are_no_text() -> None:
    def function(*, token: Any, phone: Any = None) -> None: ...

    function.__annotations__ = {"token": Secret[str], "phone": Pii[str] | None}

    assert dict(marks(function).by_name) == {"token": S, "phone": P}


def test_a_mark_under_a_name_of_an_enclosing_function_is_found() -> None:
    Quiet = Secret

    def function(*, token: Quiet[str]) -> Any:
        return Quiet

    assert dict(marks(function).by_name) == {"token": S}


def test_further_arguments_have_the_mark_of_their_stars() -> None:
    assert [marks(more).of(name) for name in ("token", "rest", "anything")] == [S, None, P]
    assert [marks(by_position).at(n) for n in range(4)] == [None, S, P, P]


def not_imported(*, token: Sekret[str]) -> None: ...  # type: ignore[name-defined] # noqa: F821
def only_for_checkers(*, it: Person[str]) -> None: ...


def named_only_for_checkers() -> Callable[..., Any]:
    """As with `if TYPE_CHECKING: from youtility_tasks import Secret`."""
    space: dict[str, Any] = {}
    exec("from __future__ import annotations\ndef function(*, token: Secret[str]) -> None: ...", space)  # noqa: S102
    return space["function"]  # type: ignore[no-any-return]


def broken(*, token: Secret[str].there_is_none()) -> None: ...  # type: ignore[valid-type]


@pytest.mark.parametrize("function", [named_only_for_checkers(), broken], ids=["not imported", "broken"])
def test_a_mark_that_cannot_be_read_is_refused(function: Callable[..., Any], declare: Callable[..., Task]) -> None:
    with pytest.raises(
        errors.ConfigurationError, match=r"the mark of argument 'token' cannot be read .* TYPE_CHECKING"
    ):
        declare(function, name="unreadable")


def test_what_is_marked_says_so_in_the_signature_of_an_error(declare: Callable[..., Task]) -> None:
    task = declare(one, name="one_mark", tenant="all")

    with pytest.raises(errors.WrongArguments, match=r"right is one_mark\(\*, token: Secret\[str\], number: int\)"):
        task.enqueue(number=1)


def test_a_task_that_is_given_other_options_keeps_its_marks(declare: Callable[..., Task]) -> None:
    assert declare(one, name="one_mark").using(priority=1).marks.by_name == {"token": S}
