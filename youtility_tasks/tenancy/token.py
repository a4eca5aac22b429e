"""Signs what the database verifies (`youtility_tasks_tenant_v1`): for which tenant a transaction is, and for how long."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import hashlib
import hmac
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from youtility_tasks.conf import settings

_BLOCK = 64
"""Bytes of a block of SHA-256: the length of HMAC's pads."""
_MOST_KEPT = 1_000

_life_s: contextvars.ContextVar[float | None] = contextvars.ContextVar("youtility_tasks_token_life", default=None)


@dataclass(frozen=True, slots=True)
class Key:
    """One signing key; `id` names it in tokens and gives nothing away."""

    id: str
    secret: bytes = field(repr=False)

    def inner_pad(self) -> bytes:
        """What the database keeps instead of the key (RFC 2104)."""
        return bytes(byte ^ 0x36 for byte in self.secret.ljust(_BLOCK, b"\0"))

    def outer_pad(self) -> bytes:
        """The other half."""
        return bytes(byte ^ 0x5C for byte in self.secret.ljust(_BLOCK, b"\0"))


@functools.cache
def key() -> Key:
    """The key of this installation, made from `tenant_key` or SECRET_KEY."""
    return derive(settings().tenant_key or django_settings.SECRET_KEY)


def derive(secret: str) -> Key:
    """The signing key that stands for a secret: of a fixed length, and good for nothing else."""
    made = hmac.digest(secret.encode(), b"youtility_tasks.tenant_token", hashlib.sha256)
    return Key(hashlib.sha256(b"id" + made).hexdigest()[:16], made)


def mint(tenant_id: int, *, life_s: float, by: Key | None = None) -> str:
    """A token for a tenant (0: a sweep) that the database accepts for `life_s` seconds from now, by this host's clock."""
    signer = by or key()
    said = f"v1.{signer.id}.{tenant_id}.{int(time.time() + life_s)}"
    return f"{said}.{hmac.digest(signer.secret, said.encode(), hashlib.sha256).hex()}"


@contextlib.contextmanager
def living(life_s: float) -> Iterator[None]:
    """Tokens that are sent inside the block live at least so long: a job's statement may take as long as the job."""
    token = _life_s.set(max(life_s, settings().token_s))
    try:
        yield
    finally:
        _life_s.reset(token)


@dataclass(frozen=True, slots=True)
class Sent:
    """A token, and the monotonic second until which it is good enough to be sent again."""

    tenant_id: int
    text: str = field(repr=False)
    fresh_until: float


_kept: dict[tuple[int, float], Sent] = {}


def current(tenant_id: int) -> Sent:
    """A token with at least half its life before it; the same one as long as that holds."""
    life_s = _life_s.get() or settings().token_s
    known = _kept.get((tenant_id, life_s))
    if known is not None and time.monotonic() < known.fresh_until:
        return known
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    made = _kept[tenant_id, life_s] = Sent(tenant_id, mint(tenant_id, life_s=life_s), time.monotonic() + life_s / 2)
    return made


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting in {"YOUTILITY_TASKS", "SECRET_KEY"}:
        key.cache_clear()
        _kept.clear()


setting_changed.connect(_forget, dispatch_uid="youtility_tasks.tenancy.token")
