"""Someone is waiting, or a contract is."""

from . import faces, mobile

__all__ = ["faces", "mobile"]
