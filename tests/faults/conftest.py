"""The same crew as in the acceptance tests; here its processes are killed, frozen and cut off."""

from __future__ import annotations

from tests.acceptance.conftest import crew, shared

__all__ = ["crew", "shared"]
