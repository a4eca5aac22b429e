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


def reworded(function: str, changes: list[tuple[str, str]]) -> str:
    """What changes a few words of a long function, each of which must stand in it once; signature and rights stay."""
    steps = "\n".join(
        f"    IF array_length(string_to_array(body, '{was}'), 1) <> 2 THEN\n"
        f"        RAISE EXCEPTION '{function} does not have once: %', '{was}';\n"
        "    END IF;\n"
        f"    body := replace(body, '{was}', '{becomes}');"
        for was, becomes in changes
    )
    return (
        f"DO $reworded$\nDECLARE\n    body text := pg_get_functiondef('{function}'::regproc);\nBEGIN\n{steps}\n"
        "    EXECUTE body;\nEND $reworded$;\n"
    )
