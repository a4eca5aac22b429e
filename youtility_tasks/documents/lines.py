"""Words for people who look at a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text that cannot steer a terminal: errors come from anywhere, and escape sequences with them."""
    return "".join(each if each.isprintable() or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in text)


def span(seconds: float | None) -> str:
    """A span of time for people, in one unit."""
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:.0f} ms"


def span_ms(milliseconds: float | None) -> str:
    """A span of time given in milliseconds, for people."""
    if milliseconds is None:
        return ""
    return span(milliseconds / 1000) if milliseconds >= 10_000 else f"{milliseconds:.0f} ms"
