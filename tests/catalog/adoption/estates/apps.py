"""The application, which has no migrations: its tables are made when the others are."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class EstatesConfig(AppConfig):
    name = "tests.catalog.adoption.estates"
    label = "estates"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(make_tables, sender=self)


def make_tables(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Make the tables that are not there."""
    connection = connections[using]
    there = set(connection.introspection.table_names())
    with connection.schema_editor() as editor:
        for model in sender.get_models():
            if model._meta.db_table not in there:
                editor.create_model(model)
