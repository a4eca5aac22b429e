"""The control room's ears: `python -m task_catalog.company_day.ears FILE --port N`.

It listens to every topic of the broker on 127.0.0.1 in one lasting session, so that what arrives while it is away waits for
it, and appends each message to FILE as one JSON line. It prints "ready" when it listens, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SESSION = "company-day-ears"
_RECONNECT_S = 0.1


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it arrived; after a broken acknowledgement the same one may arrive again."""

    topic: str
    payload: dict[str, Any]


class Notebook:
    """A file with one line a message; a kill leaves all of a line, or a cut one that counts for nothing."""

    def __init__(self, file: Path) -> None:
        self._fd = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        os.truncate(self._fd, file.read_bytes().rfind(b"\n") + 1)

    def write(self, topic: str, payload: bytes) -> None:
        line = {"topic": topic, "payload": payload.decode(errors="replace")}
        os.write(self._fd, json.dumps(line).encode() + b"\n")


def read(file: Path) -> list[Heard]:
    """All messages of a notebook, in order of arrival. Raises ValueError for one that is no JSON object."""
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return [Heard(line["topic"], json.loads(line["payload"])) for line in lines]


def _listen(file: Path, port: int) -> None:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    notebook = Notebook(file)
    client = Client(CallbackAPIVersion.VERSION2, client_id=SESSION, clean_session=False)
    client.reconnect_delay_set(_RECONNECT_S, _RECONNECT_S)  # type: ignore[arg-type]  # a fraction will do

    def on_connect(*_: Any) -> None:
        client.subscribe("#", qos=1)

    def on_subscribe(*_: Any) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    def on_message(_client: Any, _data: Any, message: Any) -> None:
        notebook.write(message.topic, message.payload)

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    while os.read(sys.stdin.fileno(), 4096):
        continue
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write down what the broker on 127.0.0.1 tells.")
    parser.add_argument("file", type=Path, help="where each message becomes one JSON line")
    parser.add_argument("--port", type=int, required=True, help="the broker's port")
    given = parser.parse_args()
    _listen(given.file, given.port)


if __name__ == "__main__":
    main()
