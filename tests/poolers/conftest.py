"""The same crew as in the acceptance tests, here with a pooler between it and its database."""

from __future__ import annotations

from tests.acceptance.conftest import crew

__all__ = ["crew"]
