"""Databases of a run's own on the tests' server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest


@pytest.fixture
def databases(cluster: Any, template: str) -> Iterator[tuple[str, str]]:
    """A migrated database, and an empty one for the ledger: their URLs."""
    name, ledger = cluster.copy(template), f"ledger_{secrets.token_hex(4)}"
    with psycopg.connect(cluster.conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {ledger} TEMPLATE template0".encode())
    yield cluster.url(name), cluster.url(ledger)
    cluster.drop(name)
    cluster.drop(ledger)
