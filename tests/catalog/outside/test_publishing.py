"""publish_mqtt (T28): a message is sent when the broker says so, and is the same message however often it is sent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from task_catalog import checks
from task_catalog.maintenance.mqtt import publish_mqtt
from task_catalog.outside_settings import LONGEST_MQTT_WAIT_S
from task_catalog.ports import mqtt
from task_catalog.rules import noc as rules
from tests.catalog.outside.broker import a_broker, listening, until
from tests.catalog.outside.certificate import write_certificate
from tests.conftest import require_program
from youtility_tasks import BadInput, TaskContext, Transient, effects, errors, tenant
from youtility_tasks.models import Job, TaskEffect

TOPIC = "redmine_to_noc"
MAY_FORK = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
"""Python 3.12 and later warn of what these tests are about."""
MESSAGE = json.dumps({"operation": "CREATE", "payload": {"id": 7, "name": "Kälte"}})


def run(topic=TOPIC, payload=MESSAGE, *, job_id=1, attempt=1):
    return publish_mqtt.func(
        TaskContext.for_tests(publish_mqtt, job_id=job_id, attempt=attempt), topic=topic, payload=payload
    )


class Died(BaseException):
    """A process that was killed: nothing after it is carried out."""


@pytest.fixture
def killed_before_the_mark(monkeypatch):
    """`with`-able: the process dies after the effect and before it is marked done."""

    def arm():
        def die(point):
            if point == "after_effect":
                raise Died

        patch = pytest.MonkeyPatch()
        patch.setattr("youtility_tasks.failpoints.reach", die)
        return patch

    return arm


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_a_message_reaches_whoever_has_subscribed(in_acme, configure, kind):
    with a_broker(kind) as broker, listening(broker.port) as listener:
        configure(mqtt_host="127.0.0.1", mqtt_port=broker.port, mqtt_timeout_s=5)

        result = run()

        (message,) = listener.wait_for(1)
    assert listener.received[0][0] == TOPIC
    assert message["message_id"].startswith("mqtt:")
    assert message == {**json.loads(MESSAGE), "message_id": message["message_id"], "client_id": in_acme.id}
    assert (result["status"], result["topic"], result["bytes"]) == ("ok", TOPIC, len(rules.text(message).encode()))
    assert result["mid"] >= 1


def test_the_same_job_is_published_once_and_another_with_the_same_words_again(in_acme, broker):
    with listening(broker.port) as listener:
        first, again, other = run(job_id=1), run(job_id=1, attempt=2), run(job_id=2)

        messages = listener.wait_for(2)
        time.sleep(0.1)

    assert [each["status"] for each in (first, again, other)] == ["ok", "duplicate", "ok"]
    assert again["mid"] is None
    assert len(listener.received) == 2
    assert len({message["message_id"] for message in messages}) == 2


def test_a_process_that_dies_before_the_mark_repeats_the_message_under_the_same_id(
    in_acme, broker, killed_before_the_mark
):
    with listening(broker.port) as listener:
        patch = killed_before_the_mark()
        with pytest.raises(Died):
            run()
        patch.undo()
        assert TaskEffect.objects.get().status != TaskEffect.DONE
        TaskEffect.objects.update(lease_until=None, status=TaskEffect.PENDING)  # its lease has lapsed

        assert run(attempt=2)["status"] == "ok"

        first, second = listener.wait_for(2)
    assert first == second
    assert run(attempt=3)["status"] == "duplicate"


def test_with_the_broker_down_the_job_waits_and_then_the_message_comes_once(in_acme, broker):
    with listening(broker.port) as listener:
        run(payload='{"n": 0}')
        broker.stop()
        for attempt in (1, 2):
            with pytest.raises(Transient):
                run(attempt=attempt, payload='{"n": 1}', job_id=5)
        broker.start()
        listener.wait_until_subscribed()

        assert run(attempt=3, payload='{"n": 1}', job_id=5)["status"] == "ok"

        listener.wait_for(2)
        time.sleep(1.5)  # longer than a client would wait that sent it once more by itself
    ids = [message["message_id"] for _, message in listener.received if message["n"] == 1]
    assert len(ids) == 1


def test_a_restart_of_the_broker_between_two_messages_costs_no_attempt(in_acme, broker):
    run(job_id=1)
    broker.stop()
    broker.start()
    the_publisher = mqtt.publisher("task_catalog.ports.mqtt.PahoPublisher")
    until(lambda: the_publisher._line.is_lost, "the connection's end was not noticed")

    assert run(job_id=2)["status"] == "ok"


def test_one_connection_is_kept_for_all_messages_of_a_process(in_acme, mosquitto):
    for job_id in range(20):
        run(job_id=job_id)

    assert mosquitto.greeted == 1


def test_threads_of_one_process_share_the_connection(acme, mosquitto):
    failures: list[BaseException] = []

    def one(job_id):
        try:
            mqtt.publish(TOPIC, json.dumps({"n": job_id}).encode())
        except BaseException as error:
            failures.append(error)

    with listening(mosquitto.port) as listener:
        threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
        [thread.start() for thread in threads]
        [thread.join(10) for thread in threads]
        listener.wait_for(8)
    assert failures == []
    assert mosquitto.greeted == 2  # the listener's and ours


@MAY_FORK
def test_a_forked_process_has_a_connection_of_its_own_and_leaves_its_parents_alone(mosquitto):
    with listening(mosquitto.port) as listener:
        mqtt.publish(TOPIC, b'{"from": "parent"}')
        pid = os.fork()
        if pid == 0:
            try:
                mqtt.publish(TOPIC, b'{"from": "child"}')
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        mqtt.publish(TOPIC, b'{"from": "parent again"}')

        said = [message["from"] for message in listener.wait_for(3)]
    assert said == ["parent", "child", "parent again"]
    assert mosquitto.greeted == 3


@MAY_FORK
def test_a_fork_while_somebody_connects_does_not_hang_in_the_child(broker):
    the_publisher = mqtt.publisher("task_catalog.ports.mqtt.PahoPublisher")
    with the_publisher._guard:
        pid = os.fork()
        if pid == 0:
            try:
                mqtt.publish(TOPIC, b"{}")
                os._exit(0)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_broker_that_never_answers_is_given_up_before_the_tasks_limit(in_acme, configure):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        configure(mqtt_host="127.0.0.1", mqtt_port=deaf.getsockname()[1], mqtt_timeout_s=0.5)
        begun = time.monotonic()

        with pytest.raises(mqtt.BrokerUnreachable, match="did not greet in time"):
            run()

    assert time.monotonic() - begun < 5


def test_a_broker_that_freezes_is_no_success(in_acme, broker, configure):
    configure(mqtt_timeout_s=0.5)
    run(job_id=1)
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Transient, match="did not acknowledge"):
            run(job_id=2)
        assert not effects.is_done(TaskEffect.objects.exclude(status=TaskEffect.DONE).get().key)
    finally:
        os.kill(broker.pid, signal.SIGCONT)

    assert run(job_id=2, attempt=2)["status"] == "ok"


def test_what_was_given_up_on_is_not_sent_behind_our_back(broker, configure):
    configure(mqtt_timeout_s=0.4)
    with listening(broker.port) as listener:
        mqtt.publish(TOPIC, b'{"n": 0}')
        os.kill(broker.pid, signal.SIGSTOP)
        for n in (1, 2, 3):
            with pytest.raises(Transient):
                mqtt.publish(TOPIC, json.dumps({"n": n}).encode())
        os.kill(broker.pid, signal.SIGCONT)
        configure(mqtt_timeout_s=5)
        mqtt.publish(TOPIC, b'{"n": 4}')

        until(lambda: any(message["n"] == 4 for _, message in listener.received), "the last message is missing")

    assert {message["n"] for _, message in listener.received} <= {0, 1, 4}  # 1 was on its way when the broker froze


def test_a_connection_that_breaks_is_noticed_before_the_wait_is_over(broker, configure):
    configure(mqtt_timeout_s=20)
    mqtt.publish(TOPIC, b"{}")
    os.kill(broker.pid, signal.SIGSTOP)
    killer = threading.Timer(0.3, broker.stop)
    killer.start()
    begun = time.monotonic()

    with pytest.raises(mqtt.BrokerUnreachable, match="closed the connection before it acknowledged"):
        mqtt.publish(TOPIC, b"{}")

    killer.join()
    assert time.monotonic() - begun < 10


def test_the_longest_wait_stays_below_the_limit_of_the_task():
    assert publish_mqtt.timeout_s - 5 >= LONGEST_MQTT_WAIT_S


def test_name_and_password_are_asked_for(in_acme, configure, tmp_path):
    program = require_program("mosquitto_passwd", package="mosquitto")
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run([program, "-b", str(passwords), "noc", "right"], check=True)
    with a_broker("mosquitto", config=f"password_file {passwords}", anonymous=False) as broker:
        configure(mqtt_host="127.0.0.1", mqtt_port=broker.port, mqtt_username="noc", mqtt_password="wrong")
        with pytest.raises(mqtt.BrokerUnreachable, match=r"refused the connection: .*mqtt_username"):
            run()

        configure(mqtt_password="right")
        assert run(attempt=2)["status"] == "ok"


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore:Exception ignored in. .ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_an_encrypted_connection_needs_a_certificate_that_is_vouched_for(in_acme, configure, tmp_path):
    cert, key = write_certificate(tmp_path, "localhost")
    with a_broker("mosquitto", config=f"certfile {cert}\nkeyfile {key}") as broker:
        configure(mqtt_host="localhost", mqtt_port=broker.port, mqtt_tls=True)
        with pytest.raises(mqtt.BrokerUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
            run()

        configure(mqtt_ca_file=str(cert))
        assert run(attempt=2)["status"] == "ok"


@pytest.mark.parametrize(
    ("topic", "payload", "words"),
    [
        ("", MESSAGE, "topic is ''"),
        ("noc/#", MESSAGE, "wildcard"),
        ("noc/+/x", MESSAGE, "wildcard"),
        ("a\x00b", MESSAGE, "without NUL"),
        (TOPIC, "{nonsense", "no JSON"),
        (TOPIC, '{"a": NaN}', "NaN is no JSON"),
        (TOPIC, '{"a": 1e999}', "no message can carry"),
        (TOPIC, '{"a": "\\ud800"}', "no message can carry"),
        (TOPIC, "[1]", "holds a list"),
        (TOPIC, json.dumps({"a": "x" * 262_144}), "at most 262144 fit"),
        (TOPIC, '{"client_id": 999999}', "of client 999999"),
    ],
)
def test_what_cannot_be_published_is_bad_input_and_reaches_no_broker(in_acme, mosquitto, topic, payload, words):
    with pytest.raises(BadInput, match=words):
        run(topic, payload)

    assert not TaskEffect.objects.exists()
    assert mosquitto.greeted == 0


def test_without_a_broker_in_the_settings_the_job_says_so_and_is_not_retried(in_acme):
    with pytest.raises(BadInput, match=r"TASK_CATALOG\['mqtt_host'\]"):
        run()


def test_two_clients_messages_have_their_own_ids_and_client(acme, globex, broker):
    with listening(broker.port) as listener:
        for company in (acme, globex):
            with tenant(company.id):
                run(job_id=company.id)
        messages = listener.wait_for(2)

    assert [message["client_id"] for message in messages] == [acme.id, globex.id]
    assert messages[0]["message_id"] != messages[1]["message_id"]


def test_d34_a_failure_is_raised_and_so_retried(in_acme, configure):
    configure(mqtt_host="127.0.0.1", mqtt_port=1, mqtt_timeout_s=1)

    with pytest.raises(Transient):
        run()

    assert publish_mqtt.max_attempts == 12
    assert sum(publish_mqtt.retry.delay_s(n) for n in range(1, 12)) > 3_600


def test_the_check_names_the_extra_that_is_missing(configure, monkeypatch):
    configure(mqtt_host="broker.example")
    assert checks.check_task_catalog() == []
    monkeypatch.setattr("task_catalog.extras.find_spec", lambda name: None)

    (found,) = [each for each in checks.check_task_catalog() if "mqtt_publisher" in each.msg]

    assert "pip install 'youtility-tasks[mqtt]'" in found.msg


def test_a_job_without_the_library_names_the_extra(in_acme, configure, monkeypatch):
    configure(mqtt_host="127.0.0.1", mqtt_port=1)
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)

    with pytest.raises(errors.ConfigurationError, match=r"pip install 'youtility-tasks\[mqtt\]'"):
        run()


def test_the_job_waits_in_the_queue_with_its_arguments_by_name(in_acme):
    publish_mqtt.enqueue(topic=TOPIC, payload=MESSAGE)

    assert Job.objects.get().args == {"topic": TOPIC, "payload": MESSAGE}
