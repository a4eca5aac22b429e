"""Messages of devices, packed and unpacked."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from task_catalog.rules import payloads
from youtility_tasks import BadInput


def packed(text: bytes) -> bytes:
    return base64.b64encode(zlib.compress(text))


def unpacked(message: bytes | str, *, longest: int = 10_000, most: int = 100_000) -> str:
    return payloads.unpacked(message, longest=longest, most_unpacked=most)


def test_a_message_is_unpacked():
    text = json.dumps({"mutation": "mutation { é }"}, ensure_ascii=False)

    assert unpacked(packed(text.encode())) == text
    assert unpacked(packed(text.encode()).decode()) == text


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"not base64!", "no base64"),
        (base64.b64encode(b"no zlib"), "no zlib"),
        (base64.b64encode(zlib.compress(b"x" * 500)[:-6]), "ends too early"),
        (packed(b"\xff\xfe"), "no UTF-8"),
        (b"A" * 10_001, "10001 bytes"),
        (packed(b" " * 100_001), "unpacks to more than 100000"),
        (packed(b" " * 5_000_000), "unpacks to more than 100000"),
        (b"", "no zlib|ends too early"),
    ],
)
def test_a_message_that_cannot_be_unpacked_is_refused(message, words):
    with pytest.raises(BadInput, match=words):
        unpacked(message)


def test_no_more_is_unpacked_than_may_be(monkeypatch):
    """A small message that becomes gigabytes costs no more memory than the limit."""
    import tracemalloc

    bomb = packed(b"\0" * 50_000_000)
    tracemalloc.start()

    with pytest.raises(BadInput, match="unpacks to more than"):
        unpacked(bomb, longest=1_000_000)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_equal_messages_have_equal_digests_however_they_are_written():
    one = json.dumps({"mutation": "mutation { a }", "variables": {"a": 1, "b": [1, 2]}})
    same = json.dumps({"variables": {"b": [1, 2], "a": 1}, "mutation": "mutation { a }"}, indent=4)
    other = json.dumps({"variables": {"b": [2, 1], "a": 1}, "mutation": "mutation { a }"})

    digests = [payloads.mutation_of("t", text).digest for text in (one, same, other)]

    assert digests[0] == digests[1] != digests[2]
    assert [payloads.digest_of(text) for text in (one, same, other)] == digests


def test_even_a_malformed_message_has_a_digest_for_its_lock():
    digests = {payloads.digest_of(text) for text in ("x", "y", "", None, '{"a": "\\ud800"}', "\ud800")}

    assert len(digests) == 6
