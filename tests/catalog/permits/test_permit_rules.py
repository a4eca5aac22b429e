"""R-WP as plain functions: who decides, who is told, what a state allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules import permits as rules
from task_catalog.rules.permits import Answer, Decider, News, Section, State, Step

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def section(name: str, *answers: str, kind: str = "SINGLELINE", set_type: str = "WORKPERMIT") -> Section:
    return Section(name, tuple(Answer("?", answer, kind) for answer in answers), set_type)


def state(**changes: object) -> State:
    return State(
        **{
            "workpermit": "PENDING",
            "verifiers_status": "PENDING",
            "workstatus": "ASSIGNED",
            "is_answered": True,
            **changes,
        }
    )


WORK, EMAIL = section("Work", "Hall"), section(" Email ", "a@a.example, b@a.example", "c@a.example")
RETURN = section("Closing", "done", set_type="RETURN_WORK_PERMIT")


def test_d24_the_email_section_is_found_by_its_name_wherever_it_stands():
    for sections in ([WORK, EMAIL], [WORK, EMAIL, RETURN], [EMAIL, WORK, RETURN], [RETURN, WORK, EMAIL]):
        assert rules.addresses_to_tell(sections, None).addresses == ("a@a.example", "b@a.example", "c@a.example")


@pytest.mark.parametrize("kind", ["EMAIL", "EmailId", "email id", "E-MAIL"])
def test_without_the_name_the_kind_of_the_answers_tells(kind):
    typed = Section("Contacts", (Answer("?", "Hall 3", "SINGLELINE"), Answer("?", "a@a.example;b@a.example", kind)))

    found = rules.addresses_to_tell([WORK, typed], "vendor@a.example")

    assert (found.addresses, found.warnings) == (("a@a.example", "b@a.example"), ())


def test_without_a_valid_address_the_vendors_own_is_used_and_said():
    found = rules.addresses_to_tell([section("EMAIL", "nobody", "")], " vendor@a.example ")

    assert found.addresses == ("vendor@a.example",)
    assert any("'nobody'" in word for word in found.warnings)
    assert any("vendor's own" in word for word in found.warnings)


@pytest.mark.parametrize("vendor_email", [None, "", "  ", "not an address"])
def test_without_any_there_is_nobody_to_tell(vendor_email):
    assert rules.addresses_to_tell([WORK], vendor_email).addresses == ()


def test_an_address_in_other_letters_is_told_once():
    found = rules.addresses_to_tell([section("EMAIL", "a@a.example", "A@A.example")], None)

    assert found.addresses == ("a@a.example",)


def test_the_document_shows_neither_the_addresses_nor_the_return_among_its_sections():
    assert rules.body_sections([WORK, EMAIL, RETURN]) == [WORK]
    assert rules.return_section([WORK, EMAIL, RETURN]) is RETURN
    assert rules.return_section([WORK, section("Completed on return", "yes")]).name == "Completed on return"
    assert rules.return_section([WORK, EMAIL]) is None


def test_who_is_to_be_asked_is_who_has_not_decided():
    listed = [Decider("A1", "Ann", "PENDING"), Decider("A2", "Bob", "APPROVED"), Decider("A3", "Cid", "PENDING")]

    assert [each.code for each in rules.to_be_asked(listed, None)[0]] == ["A1", "A3"]
    asked, warnings = rules.to_be_asked(listed, ["A3", "A2", "X9", "A3"])
    assert [each.code for each in asked] == ["A3"]
    assert warnings == ["'A2' has decided already", "'X9' is not asked to decide on this"]
    assert rules.to_be_asked([], ["X9", " "]) == ([Decider("X9", "", "PENDING")], [])
    assert not rules.have_all_decided(listed, None)
    assert rules.have_all_decided(listed, ["A2"])
    assert not rules.have_all_decided([], ["A2"])


@given(JSON, st.lists(st.text(max_size=4), max_size=3))
def test_any_json_is_read_as_a_list_of_people(data, codes):
    for each in rules.deciders(data, "wp_approvers", codes):
        assert each.code
    for each in rules.deciders({"wp_approvers": data}, "wp_approvers", codes):
        assert each.code


@given(JSON)
def test_any_json_is_read_as_remarks(data):
    assert all(isinstance(part, str) for part in rules.last_remark(data))


def test_d24_it_is_the_last_remark_that_counts():
    assert rules.last_remark([{"people": "V1", "remarks": "first"}, {"people": "A1", "remarks": "last"}]) == (
        "A1",
        "last",
    )


@pytest.mark.parametrize(
    ("step", "changes", "word"),
    [
        (Step.VERIFY, {"workstatus": "CANCELLED"}, "cancelled"),
        (Step.APPROVAL, {"workpermit": "REJECTED"}, "rejected"),
        (Step.VERIFY, {"verifiers_status": "REJECTED"}, "rejected"),
        (Step.APPROVAL, {"verifiers_status": "REJECTED"}, "rejected"),
        (Step.VERIFY, {"verifiers_status": "APPROVED"}, "verified"),
        (Step.APPROVAL, {"verifiers_status": "APPROVED", "workpermit": "APPROVED"}, "decided"),
        (Step.LEGACY, {"workpermit": "APPROVED"}, "decided"),
        (Step.VERIFY, {}, None),
        (Step.APPROVAL, {"verifiers_status": "APPROVED"}, None),
        (Step.LEGACY, {"verifiers_status": "NOT_REQUIRED"}, None),
    ],
)
def test_a_decided_permit_asks_nobody(step, changes, word):
    reason = rules.why_not_to_ask(step, state(**changes))

    assert reason is None if word is None else word in reason


@pytest.mark.parametrize(
    ("step", "changes", "is_ready"),
    [
        (Step.VERIFY, {}, True),
        (Step.VERIFY, {"is_answered": False}, False),
        (Step.APPROVAL, {}, False),
        (Step.APPROVAL, {"verifiers_status": "APPROVED"}, True),
        (Step.APPROVAL, {"verifiers_status": "NOT_REQUIRED"}, True),
        (Step.LEGACY, {}, True),
    ],
)
def test_each_question_has_its_time(step, changes, is_ready):
    assert (rules.what_is_missing_to_ask(step, state(**changes)) is None) == is_ready


@pytest.mark.parametrize(
    ("news", "changes", "is_true"),
    [
        (News.APPROVED, {"workpermit": "APPROVED", "workstatus": "INPROGRESS"}, True),
        (News.APPROVED, {"workpermit": "APPROVED", "workstatus": "COMPLETED"}, True),
        (News.APPROVED, {"workpermit": "APPROVED", "workstatus": "CANCELLED"}, False),
        (News.APPROVED, {}, False),
        (News.RETURNED, {"workstatus": "COMPLETED"}, True),
        (News.RETURNED, {"workstatus": "INPROGRESS"}, False),
        (News.CANCELLED, {"workstatus": "CANCELLED"}, True),
        (News.CANCELLED, {}, False),
    ],
)
def test_news_must_be_true(news, changes, is_true):
    assert (rules.what_is_missing_to_tell(news, state(**changes)) is None) == is_true


def test_a_hint_that_differs_is_said_and_one_that_is_missing_is_not():
    hints = {
        "sitename": ("Plant 2", "Plant 1"),
        "permit_no": (7, "7"),
        "vendor_name": (None, "x"),
        "status": ("pending ", "PENDING"),
    }

    assert rules.hints_that_differ(hints) == ["sitename was given as 'Plant 2'; the database says 'Plant 1'"]
