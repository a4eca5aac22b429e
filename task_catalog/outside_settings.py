"""Checks the settings of what is outside: the control room's broker, the media bucket, the face check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from task_catalog.rules import noc
from youtility_tasks import errors

if TYPE_CHECKING:
    from task_catalog.conf import Settings

LONGEST_MQTT_WAIT_S = 25
"""Seconds; `publish_mqtt` has 30 for one attempt."""
LONGEST_FACE_WAIT_S = 100
"""Seconds; `perform_facerecognition_bgt` has 120."""


def checked(settings: Settings) -> dict[str, Any]:
    """The values to keep instead of those given. Raises ConfigurationError for one that cannot be meant."""
    _number("mqtt_timeout_s", settings.mqtt_timeout_s, most=LONGEST_MQTT_WAIT_S)
    _number("face_timeout_s", settings.face_timeout_s, most=LONGEST_FACE_WAIT_S)
    if settings.face_threshold is not None:
        _number("face_threshold", settings.face_threshold, most=float("inf"))
    for name, most in (("mqtt_port", 65_535), ("face_memory_mb", 10**6), ("face_calls", 10**6)):
        value = getattr(settings, name)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise _wrong(name, value, f"a whole number from 1 to {most}")
    try:
        noc.check_topic(settings.noc_topic)
    except noc.Unfit as error:
        raise errors.ConfigurationError(f"TASK_CATALOG['noc_topic']: {error}") from error
    return {"noc_hooks": _hooks(settings.noc_hooks), "media_roots": _roots(settings.media_roots)}


def _number(name: str, value: object, *, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise _wrong(name, value, "a number above 0" + ("" if most == float("inf") else f", at most {most}"))


def _wrong(name: str, value: object, right: str) -> errors.ConfigurationError:
    return errors.ConfigurationError(f"TASK_CATALOG[{name!r}] is {value!r}; right is {right}.")


def _hooks(given: object) -> Mapping[str, tuple[str, ...]]:
    """Logical name -> the fields that are told; True stands for those that `rules.noc` lists."""
    if not isinstance(given, Mapping):
        raise _wrong("noc_hooks", given, "{'Asset': True} or {'Asset': ['id', 'assetname']}, by the names of 'models'")
    hooks: dict[str, tuple[str, ...]] = {}
    for logical, fields in given.items():
        if logical not in noc.TABLES:
            raise errors.ConfigurationError(
                f"TASK_CATALOG['noc_hooks'] names {logical!r}, of which the control room is told nothing; known: "
                f"{', '.join(sorted(noc.TABLES))}.{errors.did_you_mean(str(logical), noc.TABLES)}"
            )
        if fields is False:
            continue
        if fields is True:
            hooks[logical] = noc.TABLES[logical].fields
            continue
        if isinstance(fields, str) or not isinstance(fields, Iterable) or not (listed := tuple(fields)):
            raise errors.ConfigurationError(
                f"TASK_CATALOG['noc_hooks'][{logical!r}] is {fields!r}; right is True, False or a list of field names."
            )
        for field in listed:
            if not isinstance(field, str) or noc.is_private(field):
                raise errors.ConfigurationError(
                    f"TASK_CATALOG['noc_hooks'][{logical!r}] lists {field!r}, which never leaves the house: no "
                    "passwords, tokens, phone numbers or addresses. Take it out of the list."
                )
        hooks[logical] = listed
    return MappingProxyType(hooks)


def _roots(given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise _wrong("media_roots", given, "a list of folders below MEDIA_ROOT")
    roots = []
    for root in given:
        path = PurePosixPath(root) if isinstance(root, str) and root.strip("/") else None
        if path is None or path.is_absolute() or ".." in path.parts or not path.parts:
            raise _wrong("media_roots", given, "folders below MEDIA_ROOT, relative to it, without '..'")
        roots.append(str(path))
    return tuple(dict.fromkeys(roots))
