"""The files of deploy/ as other settings would make them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deploy import render


@pytest.fixture
def made(settings: Any) -> Callable[..., dict[str, str]]:
    """`made(**settings)`: all files, as these settings make them."""

    def make(**given: Any) -> dict[str, str]:
        settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, **given}
        return render.rendered()

    return make
