"""What these tests start from: two companies that look alike, with something of each kind that a task may be asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.catalog.adoption.estate import Estate
from tests.catalog.closing.frozen import FrozenClock
from tests.catalog.closing.world import NOON
from tests.catalog.none_rows import put_none_rows
from tests.catalog.permits.quick_pdf import QuickPdf


@pytest.fixture(autouse=True)
def catalog_settings(settings: Any, tmp_path: Path) -> None:
    """A clock that stands at noon, folders of the test's own, no mail server, no broker, documents in a moment."""
    FrozenClock.instant = NOON
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.TASK_CATALOG = {
        **getattr(settings, "TASK_CATALOG", {}),
        "clock": f"{FrozenClock.__module__}.{FrozenClock.__qualname__}",
        "pdf_renderer": f"{QuickPdf.__module__}.{QuickPdf.__qualname__}",
        "ondemand_reports_folder": str(tmp_path / "ondemand"),
        "scheduled_reports_folder": str(tmp_path / "scheduled"),
        "face_verifier": "task_catalog.ports.faces.labelled.LabelledVerifier",
    }


@pytest.fixture
def acme(db: None) -> Estate:
    put_none_rows()
    return Estate("acme", ctzoffset=330)


@pytest.fixture
def globex(acme: Estate) -> Estate:
    """Another client, with the same codes and names."""
    return Estate("globex", ctzoffset=-300)
