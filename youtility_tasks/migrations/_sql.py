"""Reads the frozen SQL of a migration."""

import re
from importlib import resources


def frozen(name: str) -> str:
    """The text of `migrations/sql/<name>`."""
    return resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")


def as_it_was(name: str, function: str) -> str:
    """What puts a function back as `migrations/sql/<name>` made it; for the way back of a step that replaced it."""
    text = frozen(name)
    start = text.index(f"FUNCTION {function}(")
    ends = re.compile(r"^(END )?\$\$;", re.MULTILINE).search(text, start)
    if ends is None:
        raise ValueError(f"{function} has no end in {name}")
    return f"\nCREATE OR REPLACE {text[start : ends.end()]}\n"
