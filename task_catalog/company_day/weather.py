"""What goes wrong on a day: by default nothing but what the day itself brings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .stage import Scene


class Weather:
    """Fair weather."""

    @contextmanager
    def over(self, scene: Scene) -> Iterator[None]:
        """Around the whole play."""
        yield

    def before(self, instant: datetime) -> None:
        """The clock has been moved, and nobody has acted yet."""

    def deliver_again(self) -> bool:
        """The jobs of an instant have ended; whether some of them shall run once more now."""
        return False


FAIR = Weather()
