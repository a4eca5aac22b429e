"""The run as a Django application: whatever tasks the project has tell the ledger what they do."""

from __future__ import annotations

import os

from django.apps import AppConfig

from youtility_tasks.verify.ledger import ADDRESS


class BridgeProofConfig(AppConfig):
    name = "youtility_tasks.verify.bridge"
    label = "youtility_verify_bridge"

    def ready(self) -> None:
        """Wrap the tasks, if this is a process of a run."""
        if os.environ.get(ADDRESS):
            from . import acting, planted  # what needs the registry

            acting.begin()
            planted.begin()
