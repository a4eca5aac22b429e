"""Which messages Celery itself has lost with Redis: read from Redis's own log of all that it did.

A worker of Celery's pops a message and then writes down that it holds it: two commands. A Redis that is killed between them has given the
message away, and nobody has it. No bridge can promise what Celery does not; so these calls are told by themselves, and only these.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path

_HELD = b"unacked"


def lost_by_celery(folder: Path) -> list[str]:
    """Ids of messages that were popped, and of which nothing was heard again."""
    lists: dict[bytes, deque[bytes]] = defaultdict(deque)
    popped: dict[str, bool] = {}
    for path in sorted(folder.glob("*.incr.aof"), key=lambda each: int(each.name.split(".")[-3])):
        for command in commands(path.read_bytes()):
            _apply(command, lists, popped)
    return sorted(celery_id for celery_id, is_popped in popped.items() if celery_id and is_popped)


def _apply(command: list[bytes], lists: dict[bytes, deque[bytes]], popped: dict[str, bool]) -> None:
    verb, *words = command
    match verb.upper(), words:
        case (b"LPUSH" | b"RPUSH") as push, [key, *values]:
            for value in values:
                (lists[key].appendleft if push == b"LPUSH" else lists[key].append)(value)
                popped[_id(value)] = False
        case (b"RPOP" | b"LPOP") as pop, [key, *_] if lists[key]:
            popped[_id(lists[key].pop() if pop == b"RPOP" else lists[key].popleft())] = True
        case b"LREM", [key, _, value]:
            if value in lists[key]:
                lists[key].remove(value)
        case b"DEL" | b"UNLINK", keys:
            for key in keys:
                lists.pop(key, None)
        case b"HSET", [key, *pairs] if key.startswith(_HELD):
            for value in pairs[1::2]:
                popped[_id(value)] = False


def _id(raw: bytes) -> str:
    """The call's id; "" for what is no message."""
    try:
        message = json.loads(raw)
        message = message[0] if isinstance(message, list) else message
        return str(message["headers"]["id"])
    except (ValueError, LookupError, TypeError):
        return ""


def commands(log: bytes) -> Iterator[list[bytes]]:
    """The commands of an append-only file, in order; a last one that was cut off is none."""
    at = 0
    while 0 <= at < len(log):
        end = log.find(b"\r\n", at)
        if end < 0:
            return
        if log[at : at + 1] != b"*":  # a remark
            at = end + 2
            continue
        count, at = int(log[at + 1 : end]), end + 2
        words = []
        for _ in range(count):
            end = log.find(b"\r\n", at)
            if end < 0:
                return
            size, start = int(log[at + 1 : end]), end + 2
            if start + size + 2 > len(log):
                return
            words.append(log[start : start + size])
            at = start + size + 2
        if words:
            yield words
