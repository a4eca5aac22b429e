"""Celery's Redis: its queues, who consumes them, and the steps by which a message leaves it exactly once."""

from __future__ import annotations

import base64
import contextlib
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from youtility_tasks.errors import ConfigurationError, Refused

from .messages import Layout

_NOT_QUEUES = ("pidbox", "celeryev")
_ASK_S = 3.0
_TAKE = """
local taken = {}
for n = 1, #ARGV do
    if redis.call('LREM', KEYS[1], -1, ARGV[n]) == 1 then
        redis.call('LPUSH', KEYS[2], ARGV[n])
        taken[#taken + 1] = n
    end
end
return taken
"""
"""Off the queue and held, as one step; what a worker has had meanwhile is left to it."""
_TAKE_UNACKED = """
local taken = {}
for n = 1, #ARGV do
    local entry = redis.call('HGET', KEYS[1], ARGV[n])
    if entry then
        redis.call('HDEL', KEYS[1], ARGV[n])
        redis.call('ZREM', KEYS[2], ARGV[n])
        redis.call('LPUSH', KEYS[3], entry)
        taken[#taken + 1] = n
    end
end
return taken
"""
_PUT_BACK = """
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then
    redis.call('RPUSH', KEYS[2], ARGV[2])
end
return 1
"""


class QueueConsumed(Refused):
    """A living Celery worker consumes a queue that was to be emptied under it."""


@dataclass(frozen=True, slots=True)
class Consumers:
    """Who would go on taking messages."""

    busy: dict[str, list[str]]
    """Worker -> those of the queues that it consumes."""
    silent: int
    """Workers that listen and do not answer: busy in their only process, or frozen."""
    unknown: list[str]
    """Connections that wait on lists and are no worker that listens."""


class Broker:
    """One database of Redis that is Celery's broker. Close it when done."""

    def __init__(self, app: Any) -> None:
        try:
            import redis
        except ImportError as error:
            raise ConfigurationError(
                "Celery's messages are in Redis, and the package redis is not installed: pip install 'youtility-tasks[celery]'."
            ) from error
        self.app = app
        self.connection = app.connection_for_read()
        if self.connection.transport.driver_type != "redis":
            raise ConfigurationError(
                f"The broker is {self.connection.as_uri()}; right is Redis. For another broker let Celery's workers run what waits, while new calls "
                "go to PostgreSQL."
            )
        self.channel = self.connection.default_channel
        self.layout = Layout.of(self.connection.transport_options or {})
        # Not kombu's client, which adds its prefix to some commands and not to others.
        self.client: Any = redis.Redis(connection_pool=self.channel.pool)
        self._take = self.client.register_script(_TAKE)
        self._take_unacked = self.client.register_script(_TAKE_UNACKED)
        self._put_back = self.client.register_script(_PUT_BACK)

    def close(self) -> None:
        """Let its connections go."""
        with contextlib.suppress(Exception):
            self.connection.close()

    def queues(self) -> list[str]:
        """The queues of the application, and those that somebody has sent to."""
        return queues_of(self.app, self.client, self.layout)

    def queue_of(self, exchange: str, routing_key: str) -> str:
        """Where a message goes back to, as kombu looks it up."""
        for member in self.client.smembers(f"{self.layout.prefix}_kombu.binding.{exchange}"):
            key, _, queue = member.decode().split(self.layout.sep)
            if key == routing_key:
                return str(queue)
        return routing_key

    def consumers(self, queues: Sequence[str]) -> Consumers:
        """The living workers. Each is counted by its connection, so that one that is too busy to answer counts, too."""
        listening = self._listening()
        answers = self.app.control.inspect(timeout=_ASK_S, limit=listening).active_queues() if listening else {}
        busy = {
            worker: found
            for worker, theirs in (answers or {}).items()
            if (found := [each["name"] for each in theirs if each["name"] in queues])
        }
        db = str(self.client.connection_pool.connection_kwargs.get("db", 0))
        own = _own_addresses()  # one of which has waited for the workers' answers
        waiting = [
            each["addr"]
            for each in self.client.client_list()
            # "b": it waits at this moment. Whoever has done so last, and rests, shows that command as well.
            if each.get("cmd") == "brpop"
            and "b" in each.get("flags", "")
            and each.get("db") == db
            and each["addr"] not in own
        ]
        return Consumers(busy, listening - len(answers or {}), waiting if len(waiting) > listening else [])

    def _listening(self) -> int:
        """How many workers hear a command for none of them; Redis counts who has heard."""
        nobody: dict[str, Any] = {
            "method": "ping",
            "arguments": {},
            "destination": ["nobody@youtility"],
            "pattern": None,
            "matcher": None,
        }
        exchange = self.app.control.mailbox.exchange.name
        message = {
            "body": base64.b64encode(json.dumps(nobody).encode()).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {},
            "properties": {
                "body_encoding": "base64",
                "delivery_info": {"exchange": exchange, "routing_key": ""},
                "delivery_mode": 1,
                "delivery_tag": str(uuid.uuid4()),
                "priority": 0,
            },
        }
        topics = self.channel._get_publish_topics(exchange, "")
        return sum(int(self.client.publish(f"{self.layout.prefix}{topic}", json.dumps(message))) for topic in topics)

    # -- the steps of one message

    def waiting(self, key: str, begin: int, most: int) -> list[bytes]:
        """Messages of a list, the next to be run first, from the `begin`-th on."""
        found = self.client.lrange(key, -(begin + most), -(begin + 1))
        return list(reversed(found))

    def take(self, key: str, raws: Sequence[bytes]) -> list[bytes]:
        """Off the list and held; those that were still there."""
        taken = self._take(keys=[key, self.layout.holding(key.removeprefix(self.layout.prefix))], args=list(raws))
        return [raws[n - 1] for n in taken]

    def unacked(self) -> Iterator[tuple[bytes, bytes]]:
        """What was delivered to workers and not acknowledged: tag and entry."""
        yield from self.client.hscan_iter(self.layout.unacked_key, count=200)

    def take_unacked(self, tags: Sequence[bytes]) -> set[bytes]:
        """Out of the hash and held; the tags that were still there."""
        layout = self.layout
        taken = self._take_unacked(
            keys=[layout.unacked_key, layout.unacked_index_key, layout.holding(layout.unacked)], args=list(tags)
        )
        return {tags[n - 1] for n in taken}

    def held(self) -> list[str]:
        """The lists of messages that were taken and not let go."""
        return [key.decode() for key in self.client.scan_iter(match=f"{self.layout.holding('')}*", count=1_000)]

    def let_go(self, holding: str, raw: bytes) -> None:
        """It is ours, or was already."""
        self.client.lrem(holding, 1, raw)

    def put_back(self, holding: str, raw: bytes, queue_key: str, message: bytes) -> None:
        """It could not be ours after all: back to where it is taken next."""
        self._put_back(keys=[holding, queue_key], args=[raw, message])


def queues_of(app: Any, client: Any, layout: Layout) -> list[str]:
    """The queues of an application, and those that somebody has sent to."""
    found = {str(each) for each in app.amqp.queues} | {str(app.conf.task_default_queue)}
    for key in client.scan_iter(match=f"{layout.prefix}_kombu.binding.*", count=1_000):
        exchange = key.decode().removeprefix(f"{layout.prefix}_kombu.binding.")
        if not exchange.endswith(_NOT_QUEUES):
            found |= {member.decode().split(layout.sep)[-1] for member in client.smembers(key)}
    return sorted(found)


def _own_addresses() -> set[str]:
    """Of this process's connections, as Redis writes them."""
    ends = [each.laddr for each in psutil.Process().net_connections(kind="inet") if each.laddr]
    return {f"[{end.ip}]:{end.port}" if ":" in end.ip else f"{end.ip}:{end.port}" for end in ends}
