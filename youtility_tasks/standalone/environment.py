"""Variables of the environment that the bundled project reads, checked: Django would end in a traceback."""

from __future__ import annotations

import logging
import os

from .errors import WrongEnvironment


def number(name: str, default: float) -> float:
    """A number from 0 up. Raises WrongEnvironment."""
    given = os.environ.get(name)
    try:
        value = default if given is None else float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise WrongEnvironment(name, str(given), f"a number from 0, for example {default:g}")
    return value


def port(name: str, default: int) -> int:
    """A port. Raises WrongEnvironment."""
    given = os.environ.get(name, str(default))
    if not (given.isascii() and given.isdecimal() and len(given) <= 5 and 1 <= int(given) <= 65_535):
        raise WrongEnvironment(name, given, f"a port from 1 to 65535, for example {default}")
    return int(given)


def log_level(name: str, default: str) -> str:
    """A level of `logging`. Raises WrongEnvironment."""
    known = logging.getLevelNamesMapping()
    given = os.environ.get(name, default)
    if given not in known:
        raise WrongEnvironment(name, given, f"one of {', '.join(sorted(known, key=known.__getitem__))}")
    return given
