"""`Secret[...]` and `Pii[...]`: the marks on a task's arguments, read once, when the task is declared."""

from __future__ import annotations

import builtins
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, TypeVar, Union

from youtility_tasks.errors import ConfigurationError

T = TypeVar("T")


class Mark(Enum):
    """How an argument is marked."""

    SECRET = "secret"  # noqa: S105 - the word, not a password
    """Shown to nobody, ever."""
    PII = "pii"
    """About a person: hidden in the same places, and shown only to whoever asks for it by name and may read payloads."""

    def __repr__(self) -> str:
        return self.name.capitalize()

    @property
    def shown(self) -> str:
        """What stands for the value wherever arguments are shown."""
        return f"[{self.value}]"


Secret = Annotated[T, Mark.SECRET]
"""`token: Secret[str]`: to type checkers a `str`; stored encrypted, given to the task as it was passed, shown to nobody."""
Pii = Annotated[T, Mark.PII]
"""`phone: Pii[str] | None = None`: as `Secret`, but `manage_task_queue show --args --pii` may show it."""

_WORDS = {"Secret", "Pii"}


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one signature; false when there are none."""

    by_name: Mapping[str, Mark] = field(default_factory=dict)
    by_position: tuple[Mark | None, ...] = ()
    of_more_names: Mark | None = None
    """Of `**more`."""
    of_more_positions: Mark | None = None
    """Of `*more`."""
    parameters: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.by_name or self.of_more_names or self.of_more_positions)

    def of(self, name: str) -> Mark | None:
        """The mark of an argument given by name."""
        return self.by_name.get(name) or (None if name in self.parameters else self.of_more_names)

    def at(self, index: int) -> Mark | None:
        """The mark of an argument given by position."""
        return self.by_position[index] if index < len(self.by_position) else self.of_more_positions


NONE = Marks()


def read(function: Callable[..., Any], signature: inspect.Signature) -> Marks:
    """The marks in a signature, also in text (`from __future__ import annotations`) and inside `| None` or `list[...]`.

    Raises ConfigurationError for text that speaks of a mark and cannot be read: a mark must not get lost unseen.
    """
    names = _Names(function)
    named: dict[str, Mark] = {}
    positions: list[Mark | None] = []
    more_names = more_positions = None
    for name, parameter in signature.parameters.items():
        mark = _strictest(_Reader(function, names, name).marks(parameter.annotation))
        if parameter.kind is parameter.VAR_KEYWORD:
            more_names = mark
        elif parameter.kind is parameter.VAR_POSITIONAL:
            more_positions = mark
        else:
            if parameter.kind is not parameter.KEYWORD_ONLY:
                positions.append(mark)
            if mark is not None:
                named[name] = mark
    return Marks(named, tuple(positions), more_names, more_positions, frozenset(signature.parameters)) or NONE


def _strictest(found: set[Mark]) -> Mark | None:
    return next((mark for mark in Mark if mark in found), None)


class _Names(dict[str, Any]):
    """What the names in a function's annotations mean; one that only type checkers know means an `_Unknown`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        inner = inspect.unwrap(function)
        cells = inspect.getclosurevars(inner).nonlocals if getattr(inner, "__closure__", None) else {}
        super().__init__({**vars(builtins), **getattr(inner, "__globals__", {}), **cells})
        self.unknown: set[str] = set()

    def __missing__(self, name: str) -> _Unknown:
        self.unknown.add(name)
        return _Unknown(self.unknown)


class _Unknown:
    """Stands for a name that does not exist while the program runs; keeps what is put into its brackets."""

    def __init__(self, seen: set[str], inside: tuple[Any, ...] = ()) -> None:
        self._seen, self._inside = seen, inside

    __iter__ = None  # or `__getitem__` makes it an endless list

    def __getattr__(self, name: str) -> _Unknown:
        if name.startswith("__"):
            raise AttributeError(name)
        self._seen.add(name)
        return self

    def __getitem__(self, item: Any) -> _Unknown:
        return _Unknown(self._seen, item if isinstance(item, tuple) else (item,))

    def __call__(self) -> _Unknown:
        return self

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - `|` is what is being defined

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007


@dataclass(frozen=True, slots=True)
class _Reader:
    function: Callable[..., Any]
    names: _Names
    parameter: str

    def marks(self, annotation: Any) -> set[Mark]:
        """Every mark anywhere in an annotation."""
        if isinstance(annotation, Mark):
            return {annotation}
        if isinstance(annotation, str):
            return self._of_text(str(annotation))
        if isinstance(annotation, typing.ForwardRef):
            return self._of_text(annotation.__forward_arg__)
        return {mark for part in _parts(annotation) for mark in self.marks(part)}

    def _of_text(self, text: str) -> set[Mark]:
        self.names.unknown.clear()
        try:
            # As `typing.get_type_hints` does, but name by name: there one unknown name hides all the others.
            found = self.marks(eval(text, {}, self.names))  # noqa: S307
        except ConfigurationError:
            raise
        except Exception as error:
            words = set(re.findall(r"[^\W\d]\w*", text))
            if not words & _WORDS and not any(self.marks(self.names[word]) for word in words if word in self.names):
                return set()
            raise self._unreadable(text, f"{type(error).__name__}: {error}") from error
        if self.names.unknown & _WORDS:
            raise self._unreadable(text, f"{' and '.join(sorted(self.names.unknown & _WORDS))} is not imported")
        return found

    def _unreadable(self, text: str, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.function.__module__}.{self.function.__qualname__}: the mark of argument {self.parameter!r} cannot be read "
            f"from {text!r} ({why}), and an argument must not lose its mark. Import what it names outside of "
            "`if TYPE_CHECKING:`, for example `from youtility_tasks import Secret`."
        )


def _parts(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, list):  # the arguments of a Callable
        yield from annotation
    elif isinstance(annotation, _Unknown):
        yield from annotation._inside
    else:
        yield from typing.get_args(annotation)
