"""SQL in the session of one tenant gets nothing of another's, whatever it tries."""

from __future__ import annotations

import pytest

from tests.tenancy.attacks import ACROSS_TENANTS, AS_TENANT, Attack, everything_of_b
from tests.tenancy.ground import House


@pytest.mark.parametrize("part", ["web", "task"])
@pytest.mark.parametrize("attack", AS_TENANT, ids=lambda attack: attack.__name__)
def test_a_tenant_gets_nothing_of_another(shared_house: House, attack: Attack, part: str) -> None:
    before = everything_of_b(shared_house)

    attack(shared_house, part)

    assert everything_of_b(shared_house) == before


@pytest.mark.parametrize("attack", ACROSS_TENANTS, ids=lambda attack: attack.__name__)
def test_who_sees_every_tenant_sees_no_more_than_his_work_needs(shared_house: House, attack: Attack) -> None:
    attack(shared_house, "")
