"""Messages between a worker and its children: JSON behind four bytes of length.

JSON and not pickle: a child runs user code, and nothing it sends may become code in the worker.
"""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("!I")
_READ = 1 << 16
_LONGEST = 1 << 29
"""Bytes of one message; the largest batch of the largest arguments stays below."""


def pack(message: dict[str, Any]) -> bytes:
    """The bytes of one message, to be sent whole. Raises TypeError or ValueError for what is not JSON."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Inbox:
    """Puts messages together from the bytes of a stream."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.is_garbled = False
        """Somebody else has written to the stream, or read from it: nothing that comes can be understood any more."""

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """The messages that are complete with this chunk; none after one that is none."""
        if self.is_garbled:
            return []
        self._bytes += chunk
        messages = []
        start = 0
        while len(self._bytes) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes, start)
            end = start + _LENGTH.size + length
            if len(self._bytes) < end and length <= _LONGEST:
                break
            try:
                if length > _LONGEST:
                    raise ValueError(f"a message of {length} bytes")
                messages.append(json.loads(self._bytes[start + _LENGTH.size : end]))
            except ValueError:
                self.is_garbled = True
                self._bytes.clear()
                return messages
            start = end
        del self._bytes[:start]
        return messages


def receive(sock: socket.socket, inbox: Inbox) -> list[dict[str, Any]] | None:
    """What has arrived now; None once the other side has closed. Blocks only if the socket does."""
    try:
        chunk = sock.recv(_READ)
    except BlockingIOError:
        return []
    except ConnectionError:
        return None
    return inbox.feed(chunk) if chunk else None


def receive_rest(sock: socket.socket, inbox: Inbox) -> list[dict[str, Any]]:
    """All that a dead process had sent; one message may take many reads. The socket must not block."""
    messages: list[dict[str, Any]] = []
    while True:
        try:
            chunk = sock.recv(_READ)
        except (BlockingIOError, ConnectionError):
            return messages
        if not chunk:
            return messages
        messages += inbox.feed(chunk)
