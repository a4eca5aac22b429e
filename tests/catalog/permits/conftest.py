"""What these tests start from: a mail server, two companies that look alike, a permit and a vendor's score."""

from __future__ import annotations

from typing import Any

import pytest

from tests.catalog.none_rows import put_none_rows
from tests.catalog.permits.quick_pdf import QuickPdf
from tests.catalog.permits.world import Contractor


@pytest.fixture(autouse=True)
def catalog_settings(settings: Any, request: pytest.FixtureRequest) -> None:
    """Who sends, where the application's pages are, and documents in a moment unless a test asks for `real_pdf`."""
    QuickPdf.made.clear()
    own = (
        {} if "real_pdf" in request.fixturenames else {"pdf_renderer": f"{QuickPdf.__module__}.{QuickPdf.__qualname__}"}
    )
    settings.TASK_CATALOG = {
        **getattr(settings, "TASK_CATALOG", {}),
        "mail_from": "Facility desk <desk@house.example>",
        "admin_emails": ["ops@house.example"],
        "mail_timeout_s": 5,
        "host": "https://app.house.example/",
        **own,
    }


@pytest.fixture
def real_pdf() -> None:
    """Documents by the renderer of the default settings."""


@pytest.fixture
def acme(transactional_db: None) -> Contractor:
    """A client in India."""
    put_none_rows()
    return Contractor("acme", ctzoffset=330)


@pytest.fixture
def globex(acme: Contractor) -> Contractor:
    """Another client: the same codes, names, numbers and addresses of vendors, and nothing of acme's may reach it."""
    return Contractor("globex", ctzoffset=-300)


@pytest.fixture
def permit(acme: Contractor) -> Any:
    """A permit of acme that waits for its verifiers."""
    return acme.permit()
