"""What the day sets for the outside world: whom the tasks speak to, and where files are. Plain values, no Django."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .reporting import INLINE_LIMIT

FOLDER, BROKER_PORT = "COMPANY_DAY_FOLDER", "COMPANY_DAY_BROKER_PORT"


def variables(folder: Path, broker_port: int) -> dict[str, str]:
    """The same as variables of an environment, for `settings`."""
    return {FOLDER: str(folder), BROKER_PORT: str(broker_port)}


def catalog(folder: Path, broker_port: int) -> dict[str, Any]:
    """Entries of TASK_CATALOG."""
    return {
        "mqtt_host": "127.0.0.1",
        "mqtt_port": broker_port,
        "noc_hooks": {"Asset": True},
        "media_bucket": "company_day",
        "face_verifier": "task_catalog.ports.faces.labelled.LabelledVerifier",
        "face_threshold": 0.4,
        "ondemand_reports_folder": str(folder / "reports" / "asked"),
        "scheduled_reports_folder": str(folder / "reports" / "scheduled"),
        "report_inline_bytes": INLINE_LIMIT,
        "pdf_renderer": "typst",
    }


def overrides(folder: Path, broker_port: int) -> dict[str, Any]:
    """Django settings."""
    return {
        "TASK_CATALOG": catalog(folder, broker_port),
        "MEDIA_ROOT": str(folder / "media"),
        "STORAGES": {
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
            "company_day": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": str(folder / "bucket")},
            },
        },
    }
