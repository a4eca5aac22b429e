"""Servers of the checker's own, started once for all tests that want them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from youtility_tasks.verify.ground import Ground, ground


@pytest.fixture(scope="session")
def servers() -> Iterator[Ground]:
    """The queue's server and the ledger's, with a migrated template."""
    with ground() as made:
        yield made
