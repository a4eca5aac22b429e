"""Celery's queues in Redis, as kombu keeps them: lists of messages, and a hash of those that workers hold. Every change is one script,
so that a message is in one place at each moment, whoever is killed.

Needs a broker that is Redis. Messages are read as text of others' making: what cannot be read is left where it is.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from youtility_tasks.errors import BrokerAway

from . import old_side
from .messages import Layout, unwrapped
from .messages import Message as Adoptable
from .redis_side import queues_of

MOVING = "youtility_tasks:moving"
"""The list of messages that were taken and have no job yet: each with the list it came from."""
_SENT = "youtility_tasks:sent:"
_A_LOOK = 1_000

_OF_CELERY = frozenset(
    {
        "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id", "parent_id", "argsrepr",
        "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamped_headers", "stamps", "redelivered", "compression",
    }
)  # fmt: skip
"""Headers of every message."""

# The taken of one list go to MOVING, the others stay in their order. Retries and members of groups stay, too.
_TAKE = """
local wanted, all, kept, taken = {}, redis.call('LRANGE', KEYS[1], 0, -1), {}, {}
for _, name in ipairs(ARGV) do wanted[name] = true end
for _, raw in ipairs(all) do
  local ok, message = pcall(cjson.decode, raw)
  local headers = ok and type(message) == 'table' and message.headers
  if type(headers) == 'table' and wanted[headers.task] and (tonumber(headers.retries) or 0) == 0
     and (headers.group == nil or headers.group == cjson.null) then
    taken[#taken + 1] = KEYS[1] .. '\\n' .. raw
  else
    kept[#kept + 1] = raw
  end
end
if #taken > 0 then
  redis.call('DEL', KEYS[1])
  for i = 1, #kept, 1000 do redis.call('RPUSH', KEYS[1], unpack(kept, i, math.min(i + 999, #kept))) end
  for i = #taken, 1, -1 do redis.call('RPUSH', KEYS[2], taken[i]) end
end
return #taken
"""
_PUT_BACK = (
    "if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then return redis.call('RPUSH', KEYS[2], ARGV[2]) end return 0"
)
_SEND_ONCE = "if redis.call('SET', KEYS[1], '1', 'NX') then redis.call('LPUSH', KEYS[2], ARGV[1]) return 1 end return 0"
_DROP_HELD = "redis.call('ZREM', KEYS[2], ARGV[1]) return redis.call('HDEL', KEYS[1], ARGV[1])"


@dataclass(frozen=True, slots=True)
class Message:
    """A call as it lies in Redis."""

    celery_id: str
    task_name: str
    args: Sequence[Any]
    kwargs: dict[str, Any]
    tenant_id: int
    retries: int
    eta: datetime | None
    expires: datetime | None
    is_canvas: bool
    """A part of one, or something follows it."""
    raw: str = field(repr=False)
    tag: str = ""
    """Of one that a worker holds."""
    headers: dict[str, Any] = field(default_factory=dict)
    """The application's own."""
    queue: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many calls of a task Celery has not begun."""

    queued: int = 0
    held: int = 0
    """By workers: run now, or prefetched, or until their ETA."""


class Broker:
    """The lists and the hash, through the application's own connection."""

    def __init__(self, app: Any, connection: Any) -> None:
        import redis

        self.app, self.layout = app, Layout.of(connection.transport_options or {})
        # Not kombu's client, which adds its prefix to some commands and not to others.
        self.redis: Any = redis.Redis(connection_pool=connection.default_channel.pool)
        self._moving, self._sent = self.layout.prefix + MOVING, self.layout.prefix + _SENT

    def lists(self) -> list[str]:
        """Every list that may hold messages: those of the application's queues, and of all that anybody has bound, by priority."""
        return [key for name in queues_of(self.app, self.redis, self.layout) for key in self.layout.lists(name)]

    def waiting(self, *, most: int | None = None) -> dict[str, Waiting]:
        """How many calls of each task wait in lists, and how many workers hold. Of a list longer than `most` so many are looked at, those
        that are taken next, and the rest is taken to be like them."""
        queued: Counter[str] = Counter()
        for key in self.lists():
            length = 0 if most is None else self.redis.llen(key)
            if most is not None and length > most:
                looked = Counter(_task_of(text(each)) for each in self.redis.lrange(key, -most, -1))
                queued.update({name: round(n * length / most) for name, n in looked.items()})
                continue
            # From the end that is taken next, by numbers from there: what is sent meanwhile moves nothing that was not looked at yet.
            for start in itertools.count(0, _A_LOOK):
                found = self.redis.lrange(key, -(start + _A_LOOK), -(start + 1))
                queued.update(_task_of(text(each)) for each in found)
                if len(found) < _A_LOOK:
                    break
        held: Counter[str] = Counter(_task_of(raw) for _, raw in self._held())
        moving = Counter(_task_of(text(each).partition("\n")[2]) for each in self.redis.lrange(self._moving, 0, -1))
        return {name: Waiting(queued[name] + moving[name], held[name]) for name in {*queued, *held, *moving} if name}

    def take(self, task_names: Collection[str]) -> int:
        """Take all that waits of these tasks into MOVING; how many."""
        names = sorted(task_names)
        return sum(int(self.redis.eval(_TAKE, 2, key, self._moving, *names)) for key in self.lists())

    def taken(self) -> list[bytes]:
        """What is in MOVING, oldest first."""
        return list(self.redis.lrange(self._moving, 0, -1))

    def settle(self, item: bytes) -> None:
        """It has its job: forget it."""
        self.redis.lrem(self._moving, 1, item)

    def put_back(self, item: bytes) -> None:
        """Back to the front of its list, unless somebody has."""
        key, _, raw = item.partition(b"\n")
        self.redis.eval(_PUT_BACK, 2, self._moving, key, item, raw)

    def adopting(self) -> list[str]:
        """The lists of what an adoption holds that was killed."""
        return [text(key) for key in self.redis.scan_iter(match=f"{self.layout.holding('')}*", count=_A_LOOK)]

    def give_back(self, holding: str, raw: bytes, message: Adoptable) -> None:
        """What it held goes back to the front of its list, unless somebody has brought it there."""
        source, plain = holding.removeprefix(self.layout.holding("")), raw
        key = self.layout.prefix + source
        if source == self.layout.unacked:
            key, plain = self.layout.list_of(message.queue, message.priority), unwrapped(raw)
        self.redis.eval(_PUT_BACK, 2, holding, key, raw, plain)

    def send_once(self, number: int, key: str, raw: str) -> None:
        """Append a message to a list; a second time with the same number nothing is done, until `forget`."""
        self.redis.eval(_SEND_ONCE, 2, f"{self._sent}{number}", key, raw)

    def forget(self, number: int) -> None:
        """Nobody will send that number again."""
        self.redis.delete(f"{self._sent}{number}")

    def held(self) -> list[Message]:
        """What workers hold, as far as it can be read."""
        found = [read(raw, tag) for tag, raw in self._held()]
        return [each for each in found if each is not None]

    def drop_held(self, tag: str) -> None:
        """It will not be delivered again if its worker dies."""
        self.redis.eval(_DROP_HELD, 2, self.layout.unacked_key, self.layout.unacked_index_key, tag)

    def list_of(self, queue_name: str, priority: int) -> str:
        """The list of a queue for a priority."""
        return self.layout.list_of(queue_name, priority)

    def _held(self) -> Iterator[tuple[str, str]]:
        for tag, value in self.redis.hscan_iter(self.layout.unacked_key, count=_A_LOOK):
            with contextlib.suppress(ValueError, LookupError, TypeError):
                yield text(tag), json.dumps(json.loads(text(value))[0])


@contextlib.contextmanager
def opened(app: Any = None) -> Iterator[Broker]:
    """The broker of this application, else of the project's. Raises BrokerAway."""
    import redis
    from kombu.exceptions import OperationalError

    app = old_side.application() if app is None else app
    connection = app.connection_for_write()
    try:
        if connection.transport.driver_type != "redis":
            raise BrokerAway(
                f"Celery's broker is {connection.transport.driver_type}; waiting messages can be looked at and moved in Redis alone. Let "
                "them end where they are: `celery_bridge route ... --drain`."
            )
        connection.ensure_connection(max_retries=1, timeout=5)
        yield Broker(app, connection)
    except (redis.RedisError, OperationalError, OSError) as error:
        raise BrokerAway(
            f"Celery's broker does not answer ({type(error).__name__}: {error}). Run it again when it does."
        ) from error
    finally:
        connection.release()


def read(raw: str, tag: str = "") -> Message | None:
    """A message of Celery's protocol 2 with a body of JSON; None for anything else."""
    try:
        message = json.loads(raw)
        headers, body = message["headers"], message["body"]
        if message.get("properties", {}).get("body_encoding") == "base64":
            body = base64.b64decode(body).decode()
        if message.get("content-type") != "application/json" or message.get("content-encoding") not in ("utf-8", None):
            return None
        args, kwargs, embed = json.loads(body)
        follows = any(embed.get(each) for each in ("callbacks", "errbacks", "chain", "chord"))
        said, properties = headers.get(old_side.TENANT), message.get("properties") or {}
        return Message(
            celery_id=str(headers["id"]), task_name=str(headers["task"]), args=list(args), kwargs=dict(kwargs),
            tenant_id=said if isinstance(said, int) and said > 0 else 0, retries=int(headers.get("retries") or 0),
            eta=_instant(headers.get("eta")), expires=_instant(headers.get("expires")),
            is_canvas=follows or bool(headers.get("group")), raw=raw, tag=tag,
            headers={name: each for name, each in headers.items() if name not in _OF_CELERY and not name.startswith("youtility_")},
            queue=str((properties.get("delivery_info") or {}).get("routing_key") or ""), priority=int(properties.get("priority") or 0),
        )  # fmt: skip
    except (ValueError, LookupError, TypeError, AttributeError, binascii.Error):
        return None


def _instant(said: Any) -> datetime | None:
    found = datetime.fromisoformat(said) if said else None
    return found if found is None or found.tzinfo is not None else found.replace(tzinfo=UTC)


def _task_of(raw: str) -> str:
    try:
        return str(json.loads(raw)["headers"]["task"])
    except (ValueError, LookupError, TypeError):
        return ""


def text(value: Any) -> str:
    """What Redis answers as text; for reading alone, as bytes that are none are lost."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
