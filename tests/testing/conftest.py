"""Two tenants and the tasks that tests of the testing tools run."""

from __future__ import annotations

from tests.integration.conftest import acme, other_tenant

__all__ = ["acme", "other_tenant"]
