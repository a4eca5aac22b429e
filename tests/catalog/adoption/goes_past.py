"""Not collected by itself: a test that writes into the facility's own table, as a task that knows no mapping would."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection


@pytest.mark.django_db
def test_goes_past(db: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tenants_tenant (tenantname, subdomain_prefix) VALUES ('x', 'x')")
