"""The companies and folders of the tests of reports."""

from __future__ import annotations

from tests.catalog.reports.conftest import acme, asker, clock_at, folders, globex, site

__all__ = ["acme", "asker", "clock_at", "folders", "globex", "site"]
