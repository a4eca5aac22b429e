"""A small MQTT broker for machines without mosquitto: `python -m task_catalog.company_day.broker FILE --port N`.

It takes messages on 127.0.0.1, appends each to FILE as one JSON line, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amqtt.broker import Broker, BrokerContext
from amqtt.mqtt.publish import PublishPacket
from amqtt.plugins.base import BasePlugin

from .ears import Notebook


class Recorder(BasePlugin[BrokerContext]):  # type: ignore[misc]
    """Writes down every message that a client hands over, before the client is told that it was taken: the broker may be killed at any moment."""

    @dataclass
    class Config:
        """Where to."""

        file: str

    def __init__(self, context: BrokerContext) -> None:
        super().__init__(context)
        self._notebook = Notebook(Path(self.config.file))

    async def on_mqtt_packet_received(self, *, packet: Any, session: Any = None) -> None:
        if isinstance(packet, PublishPacket) and packet.topic_name is not None and packet.data is not None:
            self._notebook.write(packet.topic_name, bytes(packet.data))


async def _serve(file: Path, port: int) -> None:
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
                f"{__spec__.name if __spec__ else __name__}.Recorder": {"file": str(file)},
            },
        }
    )
    await broker.start()
    starter_gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), starter_gone.set)
    await starter_gone.wait()
    os._exit(0)  # open connections need no goodbye


def main() -> None:
    parser = argparse.ArgumentParser(description="Take MQTT messages on 127.0.0.1 and write them down.")
    parser.add_argument("file", type=Path, help="where each message becomes one JSON line")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    given = parser.parse_args()
    asyncio.run(_serve(given.file, given.port))


if __name__ == "__main__":
    main()
