"""Someone is waiting, or a contract is."""

from . import closing, faces, mobile, scheduling, tickets

__all__ = ["closing", "faces", "mobile", "scheduling", "tickets"]
