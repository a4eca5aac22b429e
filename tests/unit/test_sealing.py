"""What is sealed opens in its own place and nowhere else, under every key that the settings have."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from tests.acceptance.app import mutants
from youtility_tasks import errors
from youtility_tasks.conf import Settings
from youtility_tasks.secrets import keyring, sealing
from youtility_tasks.secrets.marks import NONE, Mark, Marks
from youtility_tasks.secrets.sealing import Place

NEW, OLD = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
MARKS = Marks(
    {"token": Mark.SECRET, "phone": Mark.PII}, (None, Mark.SECRET), parameters=frozenset({"token", "phone", "n"})
)
PLACE = Place(7, "send", MARKS)
LIMITS = {"max_bytes": 10_000, "max_depth": 10}


def keys(*pairs: tuple[str, str]) -> override_settings:
    return override_settings(YOUTILITY_TASKS={"secret_keys": dict(pairs)} if pairs else {})


def seal(stored: dict[str, Any], place: Place = PLACE) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(sealing.seal(place, stored, **LIMITS).text)
    return made


def opened(stored: dict[str, Any], place: Place = PLACE) -> dict[str, Any]:
    return sealing.unseal(place, stored).stored


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0")), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_any_json_comes_back_as_it_went(value: Any) -> None:
    sealed = seal({"token": value, "phone": value, "n": 1})

    assert opened(sealed) == {"token": value, "phone": value, "n": 1}
    assert opened(sealed, replace(PLACE, marks=NONE)) == {"token": value, "phone": value, "n": 1}
    assert sealing.holds_sealed(sealed) is (value is not None)


def test_a_value_is_sealed_anew_each_time() -> None:
    first, second = (seal({"token": "abcd"})["token"]["value"] for _ in range(2))

    assert first != second
    assert len(base64.b64decode(first)) == 12 + len('"abcd"') + 16


MOVES: dict[str, Callable[[dict[str, Any]], tuple[dict[str, Any], Place]]] = {
    "another tenant": lambda sealed: (sealed, replace(PLACE, tenant_id=8)),
    "every tenant": lambda sealed: (sealed, replace(PLACE, tenant_id=0)),
    "another task": lambda sealed: (sealed, replace(PLACE, task_name="send2")),
    "another argument": lambda sealed: ({"phone": sealed["token"]}, PLACE),
    "another mark": lambda sealed: ({"token": {**sealed["token"], "$sealed": "pii"}}, PLACE),
    "another key": lambda sealed: ({"token": {**sealed["token"], "key": "old"}}, PLACE),
    "a changed byte": lambda sealed: (
        {"token": {**sealed["token"], "value": flipped(sealed["token"]["value"])}},
        PLACE,
    ),
    "cut short": lambda sealed: ({"token": {**sealed["token"], "value": sealed["token"]["value"][:8]}}, PLACE),
    "no base64": lambda sealed: ({"token": {**sealed["token"], "value": "ü"}}, PLACE),
}


def flipped(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[-20] ^= 1
    return base64.b64encode(bytes(raw)).decode()


@pytest.mark.parametrize("move", MOVES)
def test_a_value_opens_nowhere_but_in_its_place(move: str) -> None:
    with keys(("new", NEW), ("old", OLD)):
        sealed = seal({"token": "abcd"})
        assert opened(sealed) == {"token": "abcd"}

        stored, place = MOVES[move](sealed)
        with pytest.raises(errors.BrokenSecret) as refused:
            opened(stored, place)

    assert "abcd" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("guard", "instead", "move"),
    [
        ("place.tenant_id, ", "", "another tenant"),
        ("place.task_name, ", "", "another task"),
        (", argument]", "]", "another argument"),
        ("mark, ", "", "another mark"),
    ],
)
def test_each_part_of_the_place_is_needed(guard: str, instead: str, move: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_aad", sealing._aad)  # put back at the end
    mutants.apply(mutants.Mutant("youtility_tasks.secrets.sealing", "_aad", guard, instead))

    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_a_value_opens_nowhere_but_in_its_place(move)


# -- keys


def test_the_first_key_seals_and_all_open() -> None:
    with keys(("old", OLD)):
        before = seal({"token": "abcd"})
    with keys(("new", NEW), ("old", OLD)):
        assert seal({"token": "abcd"})["token"]["key"] == "new"
        assert opened(before) == {"token": "abcd"}
    with (
        keys(("new", NEW)),
        pytest.raises(errors.UnknownSecretKey, match=r"'old'; known here: new, django-") as unknown,
    ):
        opened(before)
    assert "YOUTILITY_TASKS['secret_keys']" in str(unknown.value)


def test_keys_may_be_given_as_pairs() -> None:
    with override_settings(YOUTILITY_TASKS={"secret_keys": [("b", NEW), ["a", OLD]]}):
        assert seal({"token": "abcd"})["token"]["key"] == "b"
        assert keyring.has("a")


def test_without_keys_one_is_made_of_the_secret_key_and_lives_on_beside_others() -> None:
    with keys():
        before = seal({"token": "abcd"})
    assert before["token"]["key"].startswith("django-")
    with keys(("new", NEW)):
        assert opened(before) == {"token": "abcd"}
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[django_settings.SECRET_KEY]):
        assert opened(before) == {"token": "abcd"}
        assert seal({"token": "abcd"})["token"]["key"] != before["token"]["key"]
    with override_settings(SECRET_KEY="another"), pytest.raises(errors.UnknownSecretKey, match="SECRET_KEY_FALLBACKS"):
        opened(before)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("abc", "secret_keys is str; right is a dict of key id -> 32 bytes"),
        ({}, "with at least one"),
        ([("a",)], "a list of such pairs"),
        ({"a b": NEW}, "the id of key 1 is no id"),
        ({"x" * 33: NEW}, "is no id"),
        ({"django-1": NEW}, "not beginning with 'django-'"),
        ({"a": "c2hvcnQ="}, "secret_keys['a'] is base64 of 5 bytes; right is base64 of 32 bytes"),
        ({"a": "not base64 at all!"}, "secret_keys['a'] is no base64"),
        ({"a": b"x" * 32}, "secret_keys['a'] is no base64"),
        ([("a", NEW), ("a", OLD)], "names one id twice"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_not_shown(given: Any, says: str) -> None:
    with pytest.raises(errors.ConfigurationError) as refused:
        Settings(secret_keys=given)

    assert says in str(refused.value)
    for secret in (NEW, OLD, "c2hvcnQ=", "not base64"):
        assert secret not in str(refused.value)


def test_the_settings_do_not_show_their_keys() -> None:
    assert NEW not in repr(Settings(secret_keys={"a": NEW}))


# -- what is shown


def test_what_is_marked_is_shown_as_its_mark_whether_it_is_sealed_or_not() -> None:
    stored = {**seal({"token": "abcd", "n": 1}), "phone": "in clear, from before it was marked"}

    assert sealing.redact(stored, MARKS) == {"token": "[secret]", "n": 1, "phone": "[pii]"}
    assert sealing.redact(stored) == {"token": "[secret]", "n": 1, "phone": "in clear, from before it was marked"}
    assert sealing.redact({"token": None}, MARKS) == {"token": None}


def test_only_pii_is_shown_to_those_who_may_see_payloads() -> None:
    stored = seal({"token": "abcd", "phone": "5550100", "n": 1})

    assert sealing.with_pii(PLACE, stored) == {"token": "[secret]", "phone": "5550100", "n": 1}
    stricter = replace(PLACE, marks=Marks({"phone": Mark.SECRET}))
    assert sealing.with_pii(stricter, stored) == {"token": "[secret]", "phone": "[secret]", "n": 1}
    assert sealing.with_pii(replace(PLACE, marks=NONE), stored) == {"token": "[secret]", "phone": "5550100", "n": 1}


# -- edited by a person who saw marks


def test_a_mark_in_edited_arguments_stands_for_what_was_stored() -> None:
    stored = seal({"token": "abcd", "phone": "5550100", "n": 1})
    edited = {"token": "[secret]", "phone": "5550199", "n": 2, "more": "[secret]"}

    kept = sealing.keep_hidden(edited, stored)

    assert kept == {"token": stored["token"], "phone": "5550199", "n": 2, "more": "[secret]"}
    again = seal({name: value for name, value in kept.items() if name != "more"})
    assert again["token"] == stored["token"], "what is sealed for this very place stays as it is"
    assert opened(again) == {"token": "abcd", "phone": "5550199", "n": 2}


def test_a_mark_is_no_value() -> None:
    with pytest.raises(
        errors.WrongArguments, match=r"argument 'token' is '\[secret\]', which stands for a hidden value"
    ):
        seal({"token": "[secret]"})


def test_what_was_sealed_elsewhere_is_refused_at_enqueue() -> None:
    elsewhere = seal({"token": "abcd"}, replace(PLACE, tenant_id=8))

    with pytest.raises(errors.WrongArguments, match="cannot be opened for tenant 7"):
        seal(elsewhere)


# -- arguments by position (other packages' tasks)


def test_arguments_by_position_are_sealed_by_position() -> None:
    place = replace(PLACE, verbatim=True)
    sealed = seal({"args": [1, "abcd"], "kwargs": {"phone": "5550100", "n": 2}}, place)

    assert sealing.redact(sealed) == {"args": [1, "[secret]"], "kwargs": {"phone": "[pii]", "n": 2}}
    assert opened(sealed, replace(place, marks=NONE)) == {"args": [1, "abcd"], "kwargs": {"phone": "5550100", "n": 2}}
    moved = {"args": [sealed["args"][1]], "kwargs": {}}
    with pytest.raises(errors.BrokenSecret):
        opened(moved, place)
    assert sealing.keep_hidden({"args": [2, "[secret]"], "kwargs": {"phone": "[pii]"}}, sealed, verbatim=True) == {
        "args": [2, sealed["args"][1]],
        "kwargs": {"phone": sealed["kwargs"]["phone"]},
    }


# -- limits


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x" * 10_000, errors.TooLarge),
        ([[[[[[[[[[["canary"]]]]]]]]]]], errors.TooDeep),
        ({"canary": float("nan")}, errors.NotJson),
        ({b"canary": 1}, errors.NotJson),
        ("canary\0", errors.NotJson),
        ("canary\ud800", errors.NotJson),
        ({"canary"}, errors.NotJson),
    ],
    ids=lambda value: getattr(value, "__name__", "value"),
)
def test_a_marked_value_that_cannot_be_stored_is_refused_and_not_shown(value: Any, kind: type[Exception]) -> None:
    with pytest.raises(
        kind, match=r"argument 'token', marked Secret, cannot be stored \(it .* its value is not shown"
    ) as no:
        seal({"token": value})

    assert "canary" not in f"{no.value!r} {no.value.__cause__!r} {no.value.__context__!r}"


def test_nesting_of_any_depth_is_refused_without_a_recursion_error() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(errors.TooDeep):
        seal({"token": value})
    while value:  # or taking it down recurses
        value = value.pop()


def test_the_size_of_all_arguments_counts_not_of_each() -> None:
    with pytest.raises(errors.TooLarge):
        seal({"token": "x" * 6_000, "phone": "x" * 6_000})
    with pytest.raises(errors.TooLarge):
        seal({"token": "x" * 6_000, "n": "x" * 6_000})


# -- a new key


def test_sealing_anew_changes_the_key_and_nothing_else() -> None:
    with keys(("old", OLD)):
        before = seal({"token": "abcd", "phone": "5550100", "n": 1})
        old_digest = sealing.digests(PLACE, {"token": "abcd"})["token"]
    with keys(("new", NEW), ("old", OLD)):
        after, digests = sealing.reseal(replace(PLACE, marks=NONE), before)
        assert digests[old_digest] == sealing.digests(PLACE, {"token": "abcd"})["token"]
    with keys(("new", NEW)):
        assert opened(after) == {"token": "abcd", "phone": "5550100", "n": 1}
        assert [after[name]["$sealed"] for name in ("token", "phone")] == ["secret", "pii"]
        assert sealing.reseal(PLACE, after) == (after, {})


def test_a_digest_is_of_the_tenant_and_the_value_alone() -> None:
    def digest(value: Any, **place: Any) -> str:
        return str(sealing.digests(replace(PLACE, **place), {"token": value})["token"])

    assert digest("abcd") == digest("abcd") == digest("abcd", task_name="another")
    assert len({digest("abcd"), digest("abce"), digest("abcd", tenant_id=8), digest(["abcd"]), digest('"abcd"')}) == 5
    assert sealing.digests(PLACE, {"token": None, "n": 1}) == {"token": None, "n": 1}
