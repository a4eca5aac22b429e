"""Messages from the broker to jobs and back: without a broker, and with a real one between a device and the command."""

from __future__ import annotations

import base64
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connections
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from task_catalog.facility.models import Ticket
from task_catalog.mobile import reception
from task_catalog.mobile.reception import Answer, Reception
from task_catalog.ports.mqtt import configured_address
from tests.conftest import require_program
from youtility_tasks import errors, tenant
from youtility_tasks.models import Job
from youtility_tasks.testing import arguments, enqueued, run_jobs

TASK = "process_graphql_mutation_async"
LIMIT_S = 30


def packed(text: str) -> bytes:
    return base64.b64encode(zlib.compress(text.encode()))


def said(answer: Answer | None) -> Any:
    assert answer is not None
    return json.loads(answer.body)


@pytest.fixture
def desk(acme):
    return Reception(client_id=acme.id)


@pytest.fixture
def payload(device):
    message = json.loads(device.payload("insertRecord", records=[json.dumps(device.ticket())]))
    return json.dumps({**message, "uuids": ["u1"]})


@pytest.mark.parametrize("topic", ["graphql/django5mutation", "graphql/django5attachment"])
def test_a_packed_message_becomes_a_job_and_is_answered(acme, desk, payload, topic):
    answer = desk.receive(topic, packed(payload))

    (job,) = enqueued(TASK)
    assert (job.tenant_id, arguments(job)) == (acme.id, {"payload": payload})
    assert answer is not None
    assert answer.topic == "response"
    assert said(answer) == {
        "task_id": str(job.pk),
        "status": "PENDING",
        "uuids": ["u1"],
        "serviceName": "insertRecord",
        "payload": packed(payload).decode(),
    }


def test_an_older_client_sends_plain_text_and_is_answered_elsewhere(acme, desk, payload):
    answer = desk.receive("graphql/mutation", payload.encode())

    (job,) = enqueued(TASK)
    assert answer is not None
    assert (answer.topic, said(answer)["task_id"]) == ("response/acknowledgement", str(job.pk))


def test_a_message_that_is_too_long_for_a_job_travels_packed(acme, device, desk):
    """A photo as a list of numbers is three to four times as long as the photo."""
    photo = list(os.urandom(90_000))
    punch = device.punch()
    device.send("insertRecord", punch)
    about = {
        "filename": "p.jpg",
        "path": "x/",
        "people_id": device.person.pk,
        "owner": punch["uuid"],
        "ownername": "peopleeventlog",
    }
    record = {"uuid": punch["uuid"], "owner": punch["uuid"], "bu_id": device.site.pk}
    text = device.payload("uploadAttachment", bytes=photo, biodata=json.dumps(about), record=json.dumps(record))
    assert len(text) > 256 * 1024

    answer = desk.receive("graphql/django5attachment", packed(text))

    (job,) = enqueued(TASK)
    stored = arguments(job)["payload"]
    assert stored == packed(text).decode()
    assert said(answer)["payload"] == ""
    assert device.deliver(stored)["recordcount"] == 1
    assert device.deliver(text)["status"] == "duplicate"


@pytest.mark.parametrize(
    ("topic", "body", "words"),
    [
        ("graphql/django5mutation", b"plain", "base64"),
        ("graphql/django5mutation", packed(" " * 60_000_000), "unpacks to more than"),
        ("graphql/django5mutation", b"A" * 1_000_001, "1000001 bytes"),
        ("graphql/mutation", b"\xff", "decode"),
        ("graphql/mutation", b"x" * 1_000_001, "too large"),
        ("graphql/mutation", b"x" * 300_000, "KiB"),
        ("graphql/mutation", b'{"a": "\\ud800"}', ""),
    ],
)
def test_what_cannot_become_a_job_is_answered_at_once(acme, desk, topic, body, words):
    answer = said(desk.receive(topic, body))

    if words:
        assert (answer["status"], answer["task_id"]) == ("FAILURE", None)
        assert words in answer["error"]
        assert enqueued(TASK) == []
    else:
        assert answer["status"] == "PENDING"


def test_a_message_without_sense_becomes_a_job_that_fails_and_keeps_it(acme, desk):
    answer = said(desk.receive("graphql/django5mutation", packed("no json")))
    run_jobs("high_priority")

    job = Job.objects.get(pk=answer["task_id"])
    assert (job.status, arguments(job)) == ("failed", {"payload": "no json"})


def test_a_device_may_ask_what_became_of_its_messages(acme, globex, device, other_device, desk, payload):
    good, waiting = (said(desk.receive("graphql/mutation", body))["task_id"] for body in (payload.encode(), b"{}"))
    theirs = said(Reception(client_id=globex.id).receive("graphql/mutation", b"{}"))["task_id"]
    run_jobs("high_priority", limit=1)
    query = {"taskIds": [{"taskId": each, "n": nth} for nth, each in enumerate([good, waiting, theirs, "x", None])]}

    for topic in ("graphql/mutation/django5status", "graphql/mutation/status"):
        answer = desk.receive(topic, json.dumps(query).encode())

        assert answer is not None
        assert answer.topic == "response/status"
        assert [each["status"] for each in said(answer)] == ["SUCCESS", "PENDING", "PENDING", "PENDING", "PENDING"]
        assert said(answer)[0] == {"taskId": good, "n": 0, "status": "SUCCESS"}


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"status": "todo"}, "PENDING"),
        ({"status": "todo", "attempts": 1}, "RETRY"),
        ({"status": "doing"}, "STARTED"),
        ({"status": "failed", "attempts": 1}, "FAILURE"),
        ({"status": "cancelled"}, "REVOKED"),
        ({"status": "aborted"}, "REVOKED"),
        ({"status": "succeeded"}, "SUCCESS"),
    ],
)
def test_states_are_told_in_the_words_that_devices_know(acme, desk, row, word):
    task_id = said(desk.receive("graphql/mutation", b"{}"))["task_id"]
    Job.objects.filter(pk=task_id).update(**row)

    answer = desk.receive("graphql/mutation/status", json.dumps({"taskIds": [{"taskId": task_id}]}).encode())

    assert said(answer) == [{"taskId": task_id, "status": word}]


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"{}", b'{"taskIds": 5}', b'{"taskIds": [5]}'])
def test_a_question_without_sense_is_answered_with_nothing(acme, desk, body):
    assert said(desk.receive("graphql/mutation/status", body)) == []


def test_one_listener_may_serve_all_clients_by_their_topics(acme, globex, payload):
    desk = Reception(prefix="clients/{client}/")
    assert desk.topics()[0] == "clients/+/graphql/django5mutation"

    for client in (acme, globex):
        answer = desk.receive(f"clients/{client.id}/graphql/mutation", payload.encode())
        assert answer is not None
        assert answer.topic == f"clients/{client.id}/response/acknowledgement"

    assert [job.tenant_id for job in enqueued(TASK)] == [acme.id, globex.id]


@pytest.mark.parametrize(
    "topic", ["graphql/mutation", "clients/x/graphql/mutation", "clients/0/graphql/mutation", "clients/7/people"]
)
def test_nobody_is_answered_on_a_topic_that_is_nobodys(acme, topic):
    assert Reception(prefix="clients/{client}/").receive(topic, b"{}") is None
    assert enqueued(TASK) == []


def test_a_client_that_does_not_exist_has_no_jobs(acme, globex):
    assert Reception(client_id=2_000_000_000).receive("graphql/mutation", b"{}") is None
    assert Reception(prefix="{client}/").receive("9999999999/graphql/mutation", b"{}") is None
    assert not Job.objects.exists()


@pytest.mark.parametrize("given", [{}, {"client_id": 1, "prefix": "{client}/"}])
def test_whose_messages_they_are_must_be_said(given):
    with pytest.raises(errors.ConfigurationError, match="For which client"):
        Reception(**given)


def test_without_a_database_the_broker_keeps_the_message(acme, desk, payload, monkeypatch):
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(type(reception.process_graphql_mutation_async), "enqueue", away)

    with pytest.raises(OperationalError):
        desk.receive("graphql/mutation", payload.encode())


def test_a_fault_of_ours_does_not_make_the_broker_bring_the_message_for_ever(acme, desk, payload, monkeypatch, caplog):
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(reception.process_graphql_mutation_async), "enqueue", broken)

    assert desk.receive("graphql/mutation", payload.encode()) is None
    assert "could not be dealt with" in caplog.text
    assert "A leak" not in caplog.text


class Broker:
    """A mosquitto that keeps what it was given while it is stopped."""

    def __init__(self, folder: Path) -> None:
        self.program = require_program("mosquitto", package="mosquitto")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = int(taken.getsockname()[1])
        self.config = folder / "mosquitto.conf"
        self.config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.program, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)

    def _answers(self) -> bool:
        with socket.socket() as trying:
            return trying.connect_ex(("127.0.0.1", self.port)) == 0


class Phone:
    """A device's connection: what it publishes, and what it hears on the answers' topics."""

    def __init__(self, broker: Broker) -> None:
        self.heard: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda client, data, message: self.heard.put(
            (message.topic, json.loads(message.payload))
        )
        ready: queue.Queue[bool] = queue.Queue()
        self._client.on_subscribe = lambda *args: ready.put(True)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        self._client.subscribe("response/#", qos=2)
        ready.get(timeout=LIMIT_S)

    def say(self, topic: str, body: bytes) -> None:
        self._client.publish(topic, body, qos=1).wait_for_publish(LIMIT_S)

    def hear(self) -> tuple[str, Any]:
        return self.heard.get(timeout=LIMIT_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def wait_for(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def phone(broker: Broker) -> Iterator[Phone]:
    phone = Phone(broker)
    yield phone
    phone.close()


@pytest.fixture
def listener(broker: Broker, acme: Any, cluster: Any) -> Callable[[], subprocess.Popen[bytes]]:
    """Starts the real command for acme, on this test's database."""
    url = cluster.url(connections["default"].settings_dict["NAME"])
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "youtility_tasks.standalone.settings"}
    words = ["run_mqtt_listener", "--client", str(acme.id), "--host", "127.0.0.1", "--port", str(broker.port)]
    command = "import sys; from django.core.management import execute_from_command_line as run; run(sys.argv)"
    return lambda: subprocess.Popen([sys.executable, "-c", command, *words], env=environment)


def ended(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(LIMIT_S)


def test_a_device_a_broker_and_the_command(acme, device, phone, payload, listener):
    process = listener()
    try:
        # Nobody keeps what came before the first subscription, so the phone asks until somebody answers.
        wait_for(lambda: phone.say("graphql/mutation/status", b"{}") or not phone.heard.empty())
        while not phone.heard.empty():
            phone.hear()
        phone.say("graphql/django5mutation", packed(payload))
        topic, answer = phone.hear()
        while topic != "response":
            topic, answer = phone.hear()
    finally:
        assert ended(process) == 0

    assert answer["status"] == "PENDING"
    run_jobs("high_priority")
    assert Ticket.objects.filter(client_id=acme.id).count() == 1

    # While it is away the broker keeps what comes, and brings it to the next one.
    phone.say("graphql/django5mutation", packed(payload))
    process = listener()
    try:
        topic, again = phone.hear()
        phone.say("graphql/mutation/django5status", json.dumps({"taskIds": [{"taskId": answer["task_id"]}]}).encode())
        told = phone.hear()
    finally:
        assert ended(process) == 0
    assert (topic, again["status"]) == ("response", "PENDING")
    assert told == ("response/status", [{"taskId": answer["task_id"], "status": "SUCCESS"}])
    run_jobs("high_priority")
    assert Ticket.objects.filter(client_id=acme.id).count() == 1
    with tenant(acme.id):
        assert not enqueued(TASK)


def test_a_listener_without_a_broker_goes_on_trying(acme, broker, listener):
    broker.stop()
    process = listener()
    try:
        broker.start()
        phone = Phone(broker)
        wait_for(lambda: phone.say("graphql/mutation/status", b"{}") or not phone.heard.empty())
        phone.close()
    finally:
        assert ended(process) == 0


def test_the_command_says_what_is_missing(acme):
    from django.core.management import CommandError, call_command

    with pytest.raises(CommandError, match="For which client"):
        call_command("run_mqtt_listener")
    with pytest.raises(CommandError, match="No broker is configured"):
        call_command("run_mqtt_listener", client=acme.id)


def test_a_message_that_could_not_be_stored_is_brought_again(broker, monkeypatch):
    """The database is away at the first attempt: the listener does not acknowledge, and connects anew."""
    from task_catalog.management.commands.run_mqtt_listener import Listener

    class AwayAtFirst:
        def __init__(self) -> None:
            self.met: list[tuple[str, bytes]] = []
            self.taken = threading.Event()

        def topics(self) -> list[str]:
            return ["graphql/mutation"]

        def receive(self, topic: str, body: bytes) -> Answer:
            self.met.append((topic, body))
            if len(self.met) == 1:
                raise OperationalError("the database system is shutting down")
            self.taken.set()
            return Answer("response", json.dumps({"taken": True}))

    desk: Any = AwayAtFirst()
    served = Listener(desk, configured_address()._replace(host="127.0.0.1", port=broker.port), "one")
    thread = threading.Thread(target=served.run)
    thread.start()
    phone = Phone(broker)
    try:
        wait_for(lambda: desk.met or phone.say("graphql/mutation", b"once"))
        assert desk.taken.wait(LIMIT_S)
        assert phone.hear() == ("response", {"taken": True})
    finally:
        served.stop()
        thread.join(LIMIT_S)
        phone.close()
    assert set(desk.met) == {("graphql/mutation", b"once")}
    assert len(desk.met) >= 2
    assert not thread.is_alive()


def test_without_paho_the_command_says_what_to_install(acme, monkeypatch):
    from django.core.management import CommandError, call_command

    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)

    with pytest.raises(CommandError, match=r"pip install 'youtility-tasks\[mqtt\]'"):
        call_command("run_mqtt_listener", client=acme.id, host="127.0.0.1")
