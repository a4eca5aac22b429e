import os
from dataclasses import replace

from django.apps import AppConfig


class OtelApp(AppConfig):
    name = "tests.otel.app"
    label = "otel"

    def ready(self) -> None:
        """Numbers every second, if a test asks for it: a rehearsal's windows are seconds."""
        from youtility_tasks.upkeep import duties

        if os.environ.get("TEST_QUICK_DUTIES"):
            duties.DUTIES = tuple(replace(each, every_s=min(each.every_s, 0.5)) for each in duties.DUTIES[:2])
