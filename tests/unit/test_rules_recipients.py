"""From rows to address lists: who is in charge, who administers, which addresses may be written to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules import recipients
from task_catalog.rules.recipients import Contact

NONE, CLIENT, OTHER_CLIENT = 1, 10, 20


def person(id: int = 5, **changes: object) -> Contact:
    facts: dict[str, object] = {
        "id": id,
        "email": f"p{id}@a.example",
        "client_id": CLIENT,
        "bu_id": 1,
        "is_verified": True,
        "is_enabled": True,
    }
    return Contact(**{**facts, **changes})  # type: ignore[arg-type]


def in_charge(people: list[Contact], *, site_id: int = 1, groups: tuple[int, ...] = ()) -> list[int]:
    return [p.id for p in recipients.site_in_charge(people, site_id=site_id, site_group_ids=groups)]


def test_addresses_are_trimmed_and_invalid_ones_dropped_with_a_word_on_each():
    given_ = [" a@a.example ", None, "", "nobody", "b@a.example\r\nBcc: x@evil.example", "two@a.example, b@a.example"]

    result = recipients.valid_addresses(given_)

    assert result.addresses == ("a@a.example",)
    assert len(result.warnings) == 5


@given(st.lists(st.sampled_from(["a@a.example", "A@A.example", " a@A.EXAMPLE", "b@a.example", "B@a.example "])))
def test_addresses_that_differ_only_in_case_are_kept_once(addresses):
    kept = recipients.valid_addresses(addresses).addresses

    assert len({k.casefold() for k in kept}) == len(kept)
    assert {k.casefold() for k in kept} == {a.strip().casefold() for a in addresses}


def test_d20_a_comma_list_is_split_into_addresses():
    assert recipients.split_addresses(" a@a.example, b@a.example;;c@a.example ,") == [
        "a@a.example",
        "b@a.example",
        "c@a.example",
    ]


@pytest.mark.parametrize("text", [None, "", "  ", " , ;"])
def test_d21_an_empty_or_missing_list_of_addresses_is_empty(text):
    assert recipients.split_addresses(text) == []


def test_people_of_another_client_and_the_none_person_are_never_written_to():
    people = [
        person(5),
        person(6, client_id=OTHER_CLIENT),
        person(NONE, email="none@a.example"),
        None,
        person(5),
    ]

    result = recipients.addresses_of(people, client_id=CLIENT, none_id=NONE, extra=["x@a.example", "P5@a.example"])

    assert result.addresses == ("p5@a.example", "x@a.example")
    assert any("person 6" in warning for warning in result.warnings)
    assert any("NONE" in warning for warning in result.warnings)


@pytest.mark.parametrize("field", ["designation", "worktype"])
def test_whoever_has_the_designation_or_work_type_is_in_charge_of_the_site(field):
    assert in_charge([person(**{field: "SITEINCHARGE"}), person(6)]) == [5]


def test_the_unverified_are_not_in_charge():
    assert in_charge([person(designation="SITEINCHARGE", is_verified=False)]) == []


def test_somebody_of_another_site_is_not_in_charge_even_if_its_id_looks_alike():
    assert in_charge([person(designation="SITEINCHARGE", bu_id=12)], site_id=1) == []
    assert in_charge([person(designation="SITEINCHARGE", bu_id=1)], site_id=12) == []


@pytest.mark.parametrize("stored", [["12", "7"], [12, 7], "7", 7, [" 7 "]])
def test_d14_who_looks_after_a_site_group_is_in_charge_of_its_sites(stored):
    boss = person(designation="SITEINCHARGE", bu_id=99, extras={"assignsitegroup": stored})

    assert in_charge([boss], groups=(7, 8)) == [5]
    assert in_charge([boss], groups=(1, 2)) == []


@pytest.mark.parametrize("stored", [None, "", [], ["x"], [None], [True], {"7": 7}])
def test_a_site_group_list_that_names_nothing_matches_nothing(stored):
    assert recipients.assigned_site_groups({"assignsitegroup": stored}) == frozenset()


def test_admins_are_verified_enabled_and_either_admin_or_wanting_alerts():
    people = [
        person(5, is_admin=True),
        person(6, extras={"alertmails": True}),
        person(7, extras={"alertmails": "True"}),
        person(8),
        person(9, is_admin=True, is_enabled=False),
        person(10, is_admin=True, is_verified=False),
        person(11, extras={"alertmails": "False"}),
    ]

    assert [p.id for p in recipients.client_admins(people)] == [5, 6, 7]
