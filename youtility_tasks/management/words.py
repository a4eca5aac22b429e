"""Numbers and files as commands take them: what is given, what would be right."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """An argparse type: a whole number from `lowest` to `highest`, in ASCII digits."""

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        is_number = text.isascii() and digits.isdecimal() and len(digits) <= len(str(highest))
        if not is_number or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} to {highest}")
        return int(text)

    return read


def seed(text: str) -> int:
    """An argparse type: what a random sequence starts from."""
    if not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; right is a whole number from 0.")
    return int(text)


def positive(highest: float) -> Callable[[str], float]:
    """An argparse type: a number above 0, up to `highest`."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number <= highest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, up to {highest:g}")
        return number

    return read


def new_file(text: str) -> Path:
    """An argparse type: a file that can be written, as far as can be told before the work that fills it."""
    path = Path(text)
    if not text or path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"{text!r} is no file that can be written; right is one in a folder that exists"
        )
    return path


def folder(text: str) -> Path:
    """An argparse type: a folder that exists, or may yet be made."""
    path = Path(text)
    if not text or path.is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder")
    return path
