"""What these tests start from: two folders, a clock that stands still, a mail server, two companies that look alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.catalog.closing.conftest import acme, clock_at, globex
from tests.catalog.reports.world import Folders

__all__ = ["acme", "clock_at", "globex"]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any, clock_at: Any) -> Folders:
    """The two report folders, which nobody has made yet."""
    found = Folders(tmp_path / "on_demand", tmp_path / "scheduled")
    settings.TASK_CATALOG = {
        **settings.TASK_CATALOG,
        "ondemand_reports_folder": str(found.on_demand),
        "scheduled_reports_folder": str(found.scheduled),
        "company_name": "House of Keys",
    }
    return found


@pytest.fixture
def site(acme: Any) -> Any:
    """A site of acme."""
    return acme.site("1")


@pytest.fixture
def asker(acme: Any, site: Any) -> Any:
    """Somebody at acme who asks for reports."""
    return acme.person("asker", site)
