"""The keys that arguments are sealed with: from `secret_keys`, or made from Django's SECRET_KEY."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from youtility_tasks.conf import settings
from youtility_tasks.errors import UnknownSecretKey

_NONCE_BYTES = 12
_KEY_BYTES = 32
_DIGEST_CHARACTERS = 32


class BrokenSeal(Exception):
    """What was sealed is not what came back, or it stands in another place."""


class Key:
    """One key: seals (AES-256-GCM) and makes digests (HMAC-SHA-256), each with a key of its own derived from it."""

    __slots__ = ("_aead", "_digest_key", "key_id")

    def __init__(self, key_id: str, material: bytes) -> None:
        self.key_id = key_id
        self._aead = _cipher()(_derived(material, b"youtility-tasks: seal"))
        self._digest_key = _derived(material, b"youtility-tasks: digest")

    def seal(self, plain: bytes, place: bytes) -> str:
        """Base64 of nonce, ciphertext and tag; it can be opened only with the same `place`."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._aead.encrypt(nonce, plain, place)).decode()

    def open(self, sealed: str, place: bytes) -> bytes:
        """Raises BrokenSeal when anything was changed, or the place is another one."""
        try:
            given = base64.b64decode(sealed, validate=True)
            opened: bytes = self._aead.decrypt(given[:_NONCE_BYTES], given[_NONCE_BYTES:], place)
        except Exception as error:  # not base64, too short, InvalidTag
            raise BrokenSeal from error
        return opened

    def digest(self, tenant_id: int, value: Any) -> str:
        """Text that is the same for the same value of the same tenant, and tells nothing of it without the key."""
        said = json.dumps([tenant_id, value], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hmac.new(self._digest_key, said.encode(), hashlib.sha256).hexdigest()[:_DIGEST_CHARACTERS]


def current() -> Key:
    """The key that seals."""
    return next(iter(_ring().values()))


def get(key_id: str) -> Key:
    """The key of that id. Raises UnknownSecretKey."""
    found = _ring().get(key_id)
    if found is None:
        raise UnknownSecretKey(key_id, _ring())
    return found


def has(key_id: str) -> bool:
    """Whether the settings have it."""
    return key_id in _ring()


def load() -> None:
    """Import the cipher now, so that processes forked later share it."""
    _cipher()


@functools.cache
def _ring() -> Mapping[str, Key]:
    """Every key by its id; the first one seals. Keys made from SECRET_KEY go on opening what they sealed."""
    return {key_id: Key(key_id, material) for key_id, material in (*_configured(), *_of_django())}


def _configured() -> Iterable[tuple[str, bytes]]:
    given = settings().secret_keys or ()
    for key_id, text in given.items() if isinstance(given, Mapping) else given:
        yield key_id, base64.b64decode(text)


def _of_django() -> Iterable[tuple[str, bytes]]:
    for secret in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS):
        raw = secret if isinstance(secret, bytes) else str(secret).encode()
        material = _derived(raw, b"youtility-tasks: secret_keys")
        yield f"django-{hashlib.sha256(material).hexdigest()[:8]}", material


@functools.cache
def _cipher() -> Any:
    # Here and not above: 15 ms and some MiB that a project without marks need not spend.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM


def _derived(material: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose).derive(material)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting in {"YOUTILITY_TASKS", "SECRET_KEY", "SECRET_KEY_FALLBACKS"}:
        _ring.cache_clear()


setting_changed.connect(_forget, dispatch_uid="youtility_tasks.secrets.keyring")
