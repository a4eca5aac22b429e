"""What these tests start from: two companies that look alike, a mail server, a folder for files, devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.catalog.closing.conftest import acme, clock_at, globex, site  # noqa: F401
from tests.catalog.mobile.device import Device


@pytest.fixture(autouse=True)
def media_root(settings: Any, tmp_path: Path) -> Path:
    """Where uploads go."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


@pytest.fixture
def device(acme: Any, site: Any) -> Device:  # noqa: F811
    """A device at acme's site."""
    return Device(acme, site, acme.person("guard", site))


@pytest.fixture
def other_device(globex: Any) -> Device:  # noqa: F811
    """A device at the same kind of site of another client."""
    place = globex.site("1")
    globex.in_charge(place)
    return Device(globex, place, globex.person("guard", place))


@pytest.fixture(params=["Strawberry", "Graphene"])
def either_library(request: pytest.FixtureRequest, settings: Any) -> str:
    """Once with each executor and its schema."""
    settings.TASK_CATALOG = {
        **settings.TASK_CATALOG,
        "graphql_executor": f"task_catalog.ports.graphql.{request.param}Executor",
        "graphql_schema": f"task_catalog.mobile.{request.param.lower()}_schema.schema",
    }
    library: str = request.param
    return library
