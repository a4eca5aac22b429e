"""Reads the messages of devices: JSON texts, packed or not, with a GraphQL document inside (R-MQ, R-GQL)."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from task_catalog.keys import digest_json
from youtility_tasks import BadInput

_PACKED = re.compile("eJ|eA|eN|eF")
"""How base64 of zlib's first byte, 0x78, and each of its second ones begins; no JSON text of an object begins like that."""
MOST_UNPACKED = 50_000_000
"""Bytes that one message may unpack to."""


@dataclass(frozen=True, slots=True)
class Payload:
    """One message: the document, its variables, and what the device wants to hear again in the answer."""

    document: str
    variables: Mapping[str, Any]
    uuids: list[str]
    service_name: str
    digest: str
    """Equal for equal messages, whatever their white space and the order of their keys."""


def mutation_of(task_name: str, text: object) -> Payload:
    """The message of a mutation, `{"mutation": .., "variables": .., "uuids": [..], "serviceName": ..}`. Raises BadInput."""
    return _payload(task_name, text, "mutation")


def query_of(task_name: str, text: object) -> Payload:
    """The message of a download, `{"query": .., "variables": ..}`. Raises BadInput."""
    return _payload(task_name, text, "query")


def digest_of(text: object) -> str:
    """The digest of a message that may be malformed: then of its text."""
    try:
        return digest_json(_read("", text))
    except (BadInput, UnicodeError):
        return digest_json(str(text).encode(errors="backslashreplace").decode())


def said_by_sender(text: str) -> tuple[list[str], str]:
    """The uuids and the service's name of a message, for its answer; nothing of a malformed one."""
    try:
        message = _read("", text)
    except BadInput:
        return [], ""
    return _uuids(message), _service(message)


def unpacked(packed: bytes | str, *, longest: int, most_unpacked: int) -> str:
    """The text inside base64(zlib(text)). Raises BadInput.

    `longest` is the limit of what comes in, `most_unpacked` that of what it becomes, in bytes: no more than that is ever
    unpacked, so that a small message cannot fill the memory.
    """
    if len(packed) > longest:
        raise BadInput(f"A message of {len(packed)} bytes; right are {longest} at most. Send it in parts.")
    try:
        compressed = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("The message is no base64 text; right is base64(zlib(JSON)).") from error
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(compressed, most_unpacked + 1)
    except zlib.error as error:
        raise BadInput("The message is no zlib data; right is base64(zlib(JSON)).") from error
    if len(text) > most_unpacked:
        raise BadInput(f"The message unpacks to more than {most_unpacked} bytes. Send it in parts.")
    if not unpacker.eof:
        raise BadInput("The message ends too early; send it again.")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise BadInput("The message unpacks to something that is no UTF-8 text.") from error


def _payload(task_name: str, text: object, key: str) -> Payload:
    message = _read(task_name, text)
    document = message.get(key)
    if not isinstance(document, str) or not document.strip():
        raise BadInput(f"{task_name}: the payload's {key!r} is {document!r:.60}; right is a GraphQL {key}.")
    variables = message.get("variables")
    if variables is None:
        variables = {}
    if not isinstance(variables, dict):
        raise BadInput(f"{task_name}: the payload's 'variables' are {variables!r:.60}; right is an object, or none.")
    try:
        digest = digest_json(message)
    except UnicodeError as error:
        raise BadInput(f"{task_name}: the payload holds half a character (a lone surrogate).") from error
    uuids, service = _uuids(message), _service(message)
    if any("\x00" in word for word in (*uuids, service)):
        raise BadInput(f"{task_name}: the payload's 'uuids' or 'serviceName' hold a NUL; right are words without.")
    return Payload(
        document=document,
        variables=variables,
        uuids=uuids,
        service_name=service,
        digest=digest,
    )


def _uuids(message: Mapping[str, Any]) -> list[str]:
    uuids = message.get("uuids")
    return [str(each) for each in uuids] if isinstance(uuids, list) else []


def _service(message: Mapping[str, Any]) -> str:
    service = message.get("serviceName")
    return service if isinstance(service, str) else ""


def _read(task_name: str, text: object) -> dict[str, Any]:
    """The object in a message. A message that is too long for a job's arguments may be as it came, packed."""
    wrong = f"{task_name}: the payload is {text!r:.60}; right is the JSON text of an object."
    if not isinstance(text, str):
        raise BadInput(wrong)
    if _PACKED.match(text):
        text = unpacked(text, longest=len(text), most_unpacked=MOST_UNPACKED)
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(wrong) from error
    if not isinstance(message, dict):
        raise BadInput(wrong)
    return message
