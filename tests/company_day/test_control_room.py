"""The control room hears every message once told, whichever broker there is, and however often that comes and goes."""

from __future__ import annotations

import shutil

import pytest

from task_catalog.company_day.control_room import ControlRoom
from task_catalog.company_day.ears import Notebook, read

paho = pytest.importorskip("paho.mqtt.client")
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@pytest.fixture(params=["mosquitto", "the small broker"])
def room(request, tmp_path):
    if request.param == "mosquitto" and MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    room = ControlRoom(tmp_path, mosquitto=MOSQUITTO if request.param == "mosquitto" else "")
    room.keep_alive()
    yield room
    room.stop()


def tell(room, *numbers):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", room.port)
    client.loop_start()
    for number in numbers:
        client.publish("redmine_to_noc", f'{{"n": {number}}}', qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def heard(room):
    return sorted({message.payload["n"] for message in room.heard()})


def test_what_is_told_is_heard(room):
    tell(room, 1, 2, 3)

    assert heard(room) == [1, 2, 3]


def test_the_broker_keeps_its_port_and_its_listener_over_an_hour_away(room):
    tell(room, 1)
    room.close()
    with pytest.raises(OSError, match="refused"):
        tell(room, 2)
    room.keep_alive()  # nobody starts it before its time
    with pytest.raises(OSError, match="refused"):
        tell(room, 2)

    room.open()
    tell(room, 3)

    assert heard(room) == [1, 3]


@pytest.mark.parametrize("room", ["the small broker"], indirect=True)
def test_what_was_taken_is_heard_though_the_broker_is_killed_at_that_moment(room):
    """mosquitto saves once a second what it holds; the day closes it, and does not kill it."""
    for number in range(1, 11):
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", room.port)
        client.loop_start()
        client.publish("redmine_to_noc", f'{{"n": {number}}}', qos=1).wait_for_publish(10)
        room._broker.kill()
        room._broker.wait()
        client.loop_stop()
        room.keep_alive()

    assert heard(room) == list(range(1, 11))


def test_a_broker_that_was_killed_comes_back(room):
    tell(room, 1)
    assert heard(room) == [1]
    room._broker.kill()
    room._broker.wait()

    room.keep_alive()
    tell(room, 2)

    assert heard(room) == [1, 2]


def test_a_line_that_was_cut_off_was_never_heard(tmp_path):
    file = tmp_path / "notes"
    Notebook(file).write("a", b'{"n": 1}')
    with file.open("ab") as torn:
        torn.write(b'{"topic": "a", "pay')

    assert [message.payload for message in read(file)] == [{"n": 1}]
    Notebook(file).write("a", b'{"n": 2}')
    assert [message.payload["n"] for message in read(file)] == [1, 2]
