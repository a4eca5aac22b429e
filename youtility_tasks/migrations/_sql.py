"""Reads the frozen SQL of a migration."""

from importlib import resources


def frozen(name: str) -> str:
    """The text of `migrations/sql/<name>`."""
    return resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")


def as_it_was(name: str, function: str) -> str:
    """What puts a function back as `migrations/sql/<name>` made it; for the way back of a step that replaced it."""
    text = frozen(name)
    start = text.index(f"FUNCTION {function}(")
    end = text.index("END $$;", start) + len("END $$;")
    return f"\nCREATE OR REPLACE {text[start:end]}\n"
