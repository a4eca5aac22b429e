"""Reads the frozen SQL of a migration."""

from importlib import resources


def frozen(name: str) -> str:
    """The text of `migrations/sql/<name>`."""
    return resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")
