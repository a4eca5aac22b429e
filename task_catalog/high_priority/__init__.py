"""Someone is waiting, or a contract is."""

from . import closing, faces, mobile, tickets

__all__ = ["closing", "faces", "mobile", "tickets"]
