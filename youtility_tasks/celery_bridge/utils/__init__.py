"""`from celery.utils import uuid`, and `.utils.log`."""

from __future__ import annotations

import uuid as _uuid


def uuid() -> str:
    """An id for a call, as Celery makes them."""
    return str(_uuid.uuid4())


gen_unique_id = uuid
