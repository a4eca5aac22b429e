"""What these tests start from: a clock that stands still, two companies that look alike, a broker, a folder of media."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from task_catalog.facility.models import People, PeopleEventlog
from task_catalog.ports.faces.labelled import labelled_picture
from tests.catalog.closing.conftest import acme, globex  # noqa: F401
from tests.catalog.closing.frozen import FrozenClock
from tests.catalog.closing.world import START, Company
from tests.catalog.outside.broker import Broker, a_broker
from tests.catalog.outside.punches import profile, punch
from youtility_tasks import tenant

Configure = Callable[..., None]


@pytest.fixture
def configure(settings: Any) -> Configure:
    """`configure(mqtt_port=...)`: settings of TASK_CATALOG beside those that are there."""

    def add(**more: Any) -> None:
        settings.TASK_CATALOG = {**getattr(settings, "TASK_CATALOG", {}), **more}

    return add


@pytest.fixture(autouse=True)
def clock_at(configure: Configure) -> Callable[[datetime], None]:
    """The catalogue's clock stands at noon; call it to set another instant."""
    configure(clock=f"{FrozenClock.__module__}.{FrozenClock.__qualname__}")

    def set_to(instant: datetime) -> None:
        FrozenClock.instant = instant

    set_to(START.replace(hour=12))
    return set_to


@pytest.fixture
def in_acme(acme: Company) -> Iterator[Company]:  # noqa: F811
    """Acme, and everything in the test is done for it."""
    with tenant(acme.id):
        yield acme


@pytest.fixture
def broker(configure: Configure) -> Iterator[Broker]:
    """A broker that runs, and that the catalogue's settings name."""
    with a_broker() as running:
        configure(mqtt_host="127.0.0.1", mqtt_port=running.port, mqtt_timeout_s=5)
        yield running


@pytest.fixture
def mosquitto(configure: Configure) -> Iterator[Broker]:
    """The same, for tests that read in its log who has connected."""
    with a_broker("mosquitto") as running:
        configure(mqtt_host="127.0.0.1", mqtt_port=running.port, mqtt_timeout_s=5)
        yield running


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    """An empty MEDIA_ROOT."""
    folder = tmp_path / "media"
    folder.mkdir()
    settings.MEDIA_ROOT = str(folder)
    return folder


@pytest.fixture
def labelled(configure: Configure) -> None:
    """Photos are looked at by the stand-in, which believes what is written on them."""
    configure(face_verifier="task_catalog.ports.faces.labelled.LabelledVerifier")


@pytest.fixture
def guard(in_acme: Company, media: Path) -> People:
    """A guard of acme with a photo of himself."""
    guard = in_acme.person("guard", in_acme.site("1"))
    profile(guard, labelled_picture(0), media)
    return guard


@pytest.fixture
def event(in_acme: Company, guard: People) -> PeopleEventlog:
    """A punch-in of the guard at noon."""
    return punch(in_acme, guard)


@pytest.fixture
def bucket(settings: Any, configure: Configure, tmp_path: Path) -> Path:
    """An empty folder to which old media go."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "bucket": {"BACKEND": backend, "OPTIONS": {"location": str(folder)}}}
    configure(media_bucket="bucket")
    return folder
