"""The settings that every peer with a Django shares: the applications of our own project, and connections that are kept."""

from __future__ import annotations

import json
import os
from typing import Any


def database() -> dict[str, Any]:
    """The database that the bench has made for this peer."""
    return {"default": {**json.loads(os.environ["BENCH_DATABASE"]), "CONN_MAX_AGE": None}}


APPLICATIONS = ["django.contrib.auth", "django.contrib.contenttypes"]
