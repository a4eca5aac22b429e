import json
import os

from django.apps import AppConfig

from . import mutants


class AcceptanceApp(AppConfig):
    name = "tests.acceptance.app"
    label = "acceptance"

    def ready(self) -> None:
        """Take a guard away from this process, if a test asks for it."""
        if os.environ.get("TEST_MUTANT"):
            given = json.loads(os.environ["TEST_MUTANT"])
            for each in given if isinstance(given[0], list) else [given]:
                mutants.apply(mutants.Mutant(*each))
