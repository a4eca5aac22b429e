"""Messages to the control room's broker: handed over at least once, and taken for sent only when the broker says so.

The real form keeps one connection in each process and opens another after a fork, a broken connection or a restart of
the broker. Nothing is kept for later: what the broker has not acknowledged is an error here and a retry of its job.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from django.utils.module_loading import import_string

from task_catalog.conf import catalog
from task_catalog.extras import MissingExtra, missing
from youtility_tasks import BadInput, Transient

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_KEEPALIVE_S = 60
_LOOK_EVERY_S = 0.05
"""How often a wait for an acknowledgement looks whether the connection is still there."""


class BrokerUnreachable(Transient):
    """There is no connection to the broker, or it broke before the message was acknowledged."""


class MqttPublisher(Protocol):
    """Something that hands messages to a broker."""

    def publish(self, topic: str, body: bytes, *, timeout_s: float) -> int:
        """Publish with QoS 1 and return the message's number once the broker has acknowledged it.

        Raises Transient after at most `timeout_s` seconds without an acknowledgement; the message may have arrived.
        """
        ...


def publish(topic: str, body: bytes) -> int:
    """Hand one message to the broker of the settings and wait for its acknowledgement; the message's number.

    Raises BadInput when no broker is configured, and Transient when it cannot be reached or does not answer within
    `TASK_CATALOG["mqtt_timeout_s"]`.
    """
    settings = catalog()
    if not settings.mqtt_host:
        raise BadInput("No broker is configured. Set TASK_CATALOG['mqtt_host'], then retry the job.")
    return publisher(settings.mqtt_publisher).publish(topic, body, timeout_s=settings.mqtt_timeout_s)


@functools.cache
def publisher(path: str) -> MqttPublisher:
    """The process's own publisher of that class."""
    made: MqttPublisher = import_string(path)()
    return made


class Address(NamedTuple):
    """Where the broker is, and how it lets us in."""

    host: str
    port: int
    username: str
    password: str
    tls: bool
    ca_file: str


def configured_address() -> Address:
    """What the settings say of the broker; `host` is empty when they name none."""
    settings = catalog()
    return Address(
        host=settings.mqtt_host,
        port=settings.mqtt_port,
        username=settings.mqtt_username,
        password=settings.mqtt_password,
        tls=settings.mqtt_tls,
        ca_file=settings.mqtt_ca_file,
    )


def make_client(address: Address, client_id: str, *, needed_by: str, **options: Any) -> Client:
    """A paho client that is not connected yet and that this broker would let in. Raises MissingExtra without paho-mqtt."""
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError as error:
        raise MissingExtra(needed_by, "paho-mqtt", PahoPublisher.extra) from error
    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, **options)
    if address.username:
        client.username_pw_set(address.username, address.password)
    if address.tls:
        client.tls_set_context(ssl.create_default_context(cafile=address.ca_file or None))
    return client


class PahoPublisher:
    """Publishes through paho-mqtt; one connection a process, whichever of its threads come."""

    extra = "mqtt"

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._line: _Line | None = None
        self._of_parent: list[_Line] = []
        os.register_at_fork(after_in_child=self._begin_anew)

    @classmethod
    def flaw(cls) -> str | None:
        """What keeps it from working at all, for `manage.py check`."""
        return missing("paho", cls.extra)

    def publish(self, topic: str, body: bytes, *, timeout_s: float) -> int:
        deadline = time.monotonic() + timeout_s
        line = self._open_line(deadline, timeout_s)
        try:
            return line.publish(topic, body, deadline)
        except BaseException:
            # Otherwise paho would send it again behind our back once the broker returns, beside the job's own retry.
            self._drop(line)
            raise

    def _open_line(self, deadline: float, timeout_s: float) -> _Line:
        address = configured_address()
        if not self._guard.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise BrokerUnreachable(f"No connection to the broker within {timeout_s:g} s: others are still trying.")
        try:
            if self._line is not None and (self._line.is_lost or self._line.address != address):
                self._line.close()
                self._line = None
            if self._line is None:
                self._line = _Line(address, deadline)
            return self._line
        finally:
            self._guard.release()

    def _drop(self, line: _Line) -> None:
        with self._guard:
            if self._line is line:
                self._line = None
        line.close()

    def _begin_anew(self) -> None:
        """In a forked process: the connection and its thread are the parent's, and a lock may be held for ever."""
        self._guard = threading.Lock()
        if self._line is not None:
            self._of_parent.append(self._line)  # never finalized here: that would end the parent's connection
        self._line = None


class _Line:
    """One connection to the broker, open when made."""

    def __init__(self, address: Address, deadline: float) -> None:
        self.address = address
        self._answered, self._lost = threading.Event(), threading.Event()
        self._refusal = ""
        self._client = self._connect(deadline)

    @property
    def is_lost(self) -> bool:
        return self._lost.is_set()

    def publish(self, topic: str, body: bytes, deadline: float) -> int:
        message = self._client.publish(topic, body, qos=1)
        if message.rc != 0:
            raise BrokerUnreachable(f"The connection to {self._where} is gone (paho: {message.rc}).")
        while not message.is_published():
            left = deadline - time.monotonic()
            if self.is_lost:
                raise BrokerUnreachable(f"{self._where} closed the connection before it acknowledged the message.")
            if left <= 0:
                raise Transient(f"{self._where} did not acknowledge the message in time.")
            message.wait_for_publish(min(left, _LOOK_EVERY_S))
        return int(message.mid)

    def close(self) -> None:
        """Say goodbye; never fails."""
        self._lost.set()
        with contextlib.suppress(Exception):
            self._client.disconnect()
        with contextlib.suppress(Exception):
            self._client.loop_stop()

    @property
    def _where(self) -> str:
        return f"The broker {self.address.host}:{self.address.port}"

    def _connect(self, deadline: float) -> Client:
        client = self._make_client()
        left = deadline - time.monotonic()
        if left <= 0:
            raise BrokerUnreachable(f"{self._where} could not be reached in time.")
        client.connect_timeout = left
        try:
            client.connect(self.address.host, self.address.port, keepalive=_KEEPALIVE_S)
        except (OSError, ValueError) as error:
            raise BrokerUnreachable(f"{self._where} could not be reached: {error}.") from error
        client.loop_start()
        try:
            self._await_greeting(deadline)
        except BaseException:
            self._client = client
            self.close()
            raise
        return client

    def _await_greeting(self, deadline: float) -> None:
        while not self._answered.wait(_LOOK_EVERY_S):
            if self.is_lost or time.monotonic() >= deadline:
                how = "closed the connection at once" if self.is_lost else "did not greet in time"
                raise BrokerUnreachable(f"{self._where} {how}.")
        if self._refusal:
            raise BrokerUnreachable(
                f"{self._where} refused the connection: {self._refusal}. Check TASK_CATALOG['mqtt_username'] and its password."
            )

    def _make_client(self) -> Client:
        client = make_client(
            self.address, f"yt-{secrets.token_hex(8)}", needed_by="publish_mqtt", reconnect_on_failure=False
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
        self._answered.set()

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._lost.set()
