"""A real MQTT broker for tests: mosquitto, or amqtt where it is not installed; and somebody who listens to it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.conftest import require_program

LIMIT_S = 20


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Broker:
    """A broker on a port of its own that keeps nothing; `stop` and `start` are what an operator does to it."""

    def __init__(self, command: list[str], folder: Path, port: int) -> None:
        self.command, self.folder, self.port = command, folder, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder)
        limit = time.monotonic() + LIMIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < limit, self.log()
                time.sleep(0.02)

    def stop(self) -> None:
        """At once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def greeted(self) -> int:
        """How many have connected to it so far (mosquitto)."""
        return self.log().count("New client connected")

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@contextmanager
def a_broker(kind: str | None = None, *, config: str = "", anonymous: bool = True) -> Iterator[Broker]:
    """A running broker: mosquitto; if that is missing amqtt, or with CI=true a failure. `config` is mosquitto's own."""
    folder = Path(tempfile.mkdtemp(prefix="yt-mqtt-"))
    port = free_port()
    if kind is None:
        kind = "amqtt" if _only_amqtt() else "mosquitto"
    if kind == "mosquitto":
        program = require_program("mosquitto", package="mosquitto")
        lines = [
            f"listener {port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            "persistence false",
            "user root",
            config,
        ]
        (folder / "conf").write_text("\n".join(lines) + "\n")
        command = [program, "-v", "-c", str(folder / "conf")]
    else:
        (folder / "conf.yaml").write_text(
            json.dumps(
                {
                    "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
                    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
                }
            )
        )
        command = [sys.executable, "-c", _RUN_AMQTT, str(folder / "conf.yaml")]
    running = Broker(command, folder, port)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder)


_RUN_AMQTT = """
import asyncio, json, sys
from amqtt.broker import Broker
async def run():
    broker = Broker(json.load(open(sys.argv[1])))
    await broker.start()
    await asyncio.Event().wait()
asyncio.run(run())
"""


def _only_amqtt() -> bool:
    has_mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    return not has_mosquitto and os.environ.get("CI") != "true" and importlib.util.find_spec("amqtt") is not None


class Listener:
    """Somebody who has subscribed to everything, and comes back when the broker does."""

    def __init__(self, port: int, **options: Any) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        if "username" in options:
            self._client.username_pw_set(options["username"], options["password"])
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *rest: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *rest: self._ready.set()
        self._client.on_disconnect = lambda *rest: self._ready.clear()
        self._client.on_message = lambda client, userdata, message: self.received.append(
            (message.topic, json.loads(message.payload))
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.wait_until_subscribed()

    def wait_until_subscribed(self) -> None:
        assert self._ready.wait(LIMIT_S), "nobody could subscribe"

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """The messages, once there are so many."""
        limit = time.monotonic() + LIMIT_S
        while len(self.received) < count:
            assert time.monotonic() < limit, f"{len(self.received)} of {count} messages: {self.received}"
            time.sleep(0.01)
        return [message for _, message in self.received]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listening(port: int) -> Iterator[Listener]:
    listener = Listener(port)
    try:
        yield listener
    finally:
        listener.close()


def until(see: Callable[[], Any], why: str) -> Any:
    """Wait for `see()` to be true; its value."""
    limit = time.monotonic() + LIMIT_S
    while not (seen := see()):
        assert time.monotonic() < limit, why
        time.sleep(0.02)
    return seen
