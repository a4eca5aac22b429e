"""Takes devices' messages from the MQTT broker and makes them jobs, until it is told to end."""

from __future__ import annotations

import logging
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, close_old_connections, connections

from task_catalog.mobile.reception import Reception
from task_catalog.ports import mqtt
from youtility_tasks import errors

logger = logging.getLogger(__name__)

_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0
"""Between attempts; the shortest again once a message was taken."""
_KEEPALIVE_S = 60


class Command(BaseCommand):
    """`run_mqtt_listener --client 7`, or `run_mqtt_listener --topic-prefix clients/{client}/` for all clients."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--client", type=int, help="id of the one client whose devices use the broker")
        parser.add_argument("--topic-prefix", default="", help="before every topic, e.g. clients/{client}/")
        parser.add_argument("--host", help="the broker's; default: TASK_CATALOG['mqtt_host']")
        parser.add_argument("--port", type=int, help="default: TASK_CATALOG['mqtt_port']")
        parser.add_argument("--client-id", default="youtility-tasks", help="by which the broker keeps what was missed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            reception = Reception(client_id=options["client"], prefix=options["topic_prefix"])
            listener = Listener(reception, _address(options), options["client_id"])
        except errors.ConfigurationError as error:
            raise CommandError(str(error)) from error
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, listener.stop)
        listener.run()


def _address(options: dict[str, Any]) -> mqtt.Address:
    configured = mqtt.configured_address()
    address = configured._replace(host=options["host"] or configured.host, port=options["port"] or configured.port)
    if not address.host:
        raise errors.ConfigurationError(
            "No broker is configured. Set TASK_CATALOG['mqtt_host'] or name one with --host."
        )
    return address


class Listener:
    """One connection to the broker. A message is acknowledged when its job is committed, and not before: what comes while
    the database is away, or dies with this process, the broker brings again."""

    def __init__(self, reception: Reception, address: mqtt.Address, client_id: str) -> None:
        self._reception = reception
        self._address = address
        self._ended = threading.Event()
        self._wait_s = _SHORTEST_WAIT_S
        self._client = mqtt.make_client(
            address, client_id, needed_by="The listener", clean_session=False, manual_ack=True
        )
        self._client.on_connect = self._connected
        self._client.on_message = self._received

    def run(self) -> None:
        """Serve until `stop`; a broker or a database that is away is tried again, at longer and longer intervals."""
        while not self._ended.is_set():
            try:
                self._client.connect(self._address.host, self._address.port, keepalive=_KEEPALIVE_S)
                self._client.loop_forever(retry_first_connection=False)
            except (OSError, OperationalError, InterfaceError) as error:
                why = type(error).__name__
                logger.warning("listener interrupted, will connect again error=%s wait_s=%g", why, self._wait_s)
                self._hang_up()
                self._ended.wait(self._wait_s)
                self._wait_s = min(_LONGEST_WAIT_S, self._wait_s * 2)
        logger.info("listener ended")

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """End after the message at hand."""
        self._ended.set()
        self._client.disconnect()

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            raise OSError(f"the broker refused the connection: {reason}")
        client.subscribe([(topic, 1) for topic in self._reception.topics()])
        logger.info("listener connected topics=%d", len(self._reception.topics()))

    def _received(self, client: Any, userdata: Any, message: Any) -> None:
        close_old_connections()
        try:
            answer = self._reception.receive(message.topic, message.payload)
        except (OperationalError, InterfaceError):
            connections.close_all()
            raise
        if answer is not None:
            client.publish(answer.topic, answer.body, qos=2)
        client.ack(message.mid, message.qos)
        self._wait_s = _SHORTEST_WAIT_S

    def _hang_up(self) -> None:
        """Close the socket without a word, so that the broker brings again what was not acknowledged."""
        socket = self._client.socket()
        if socket is not None:
            socket.close()
        self._client.loop_misc()
