"""What stands in the addresses of pages and of the API: ids and names, and how large an id can be."""

from __future__ import annotations

LARGEST_ID = 2**63 - 1
"""A bigint."""
LARGEST_TENANT = 2**31 - 1
"""An integer."""


class Id:
    """A converter of Django's routes: a whole number from 1 that a column can hold."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        """Raises ValueError for a larger one: the path then leads nowhere."""
        number = int(value)
        if number > LARGEST_ID:
            raise ValueError(value)
        return number

    def to_url(self, value: int) -> str:
        """As it is written."""
        return str(value)


class Name:
    """A converter of Django's routes: a queue's or a task's name, without a slash."""

    regex = "[^/\x00]{1,128}"

    def to_python(self, value: str) -> str:
        """As it is."""
        return value

    def to_url(self, value: str) -> str:
        """As it is."""
        return value
