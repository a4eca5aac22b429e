"""The tasks in real worker processes, each as the database role that it is; and what a kill at the worst moment leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from task_catalog.facility.sentinels import ensure_sentinels
from task_catalog.ports.faces.labelled import labelled_picture
from tests import warm
from tests.acceptance.crew import QUICK, REPOSITORY, Queue, Supervisor, until
from tests.catalog.closing.world import Company
from tests.catalog.outside.broker import Broker, a_broker, listening
from tests.catalog.outside.media_world import names_in, put
from tests.catalog.outside.punches import photo, profile, punch
from tests.conftest import Cluster
from tests.tenancy.ground import House
from youtility_tasks.tenancy import apply
from youtility_tasks.tenants import no_tenant, tenant


class Site:
    """A company in a house with roles, its media and bucket, and workers to be started."""

    def __init__(self, house: House, folder: Path, broker: Broker) -> None:
        self.house, self.folder, self.broker = house, folder, broker
        self.media, self.bucket = folder / "media", folder / "bucket"
        for each in (self.media, self.bucket):
            each.mkdir()
        self.queue = Queue(house.url)
        self._workers: list[Supervisor] = []

    def start(self, **env: str) -> None:
        settings = {
            "tasks": {**QUICK, **self.house.settings},
            "catalog": {
                "mqtt_host": "127.0.0.1",
                "mqtt_port": self.broker.port,
                "mqtt_timeout_s": 2,
                "media_bucket": "bucket",
                "face_verifier": "task_catalog.ports.faces.labelled.LabelledVerifier",
            },
            "media": str(self.media),
            "bucket": str(self.bucket),
        }
        log = self.folder / f"log-{len(self._workers)}"
        with log.open("wb") as file:
            process = warm.Popen(
                [sys.executable, "-m", "django", "run_postgresql_worker", "--queues", "high_priority", "maintenance"],
                cwd=REPOSITORY,
                env={
                    **os.environ,
                    "DATABASE_URL": self.house.url,
                    "DJANGO_SETTINGS_MODULE": "tests.catalog.outside.worker_settings",
                    "TEST_SETTINGS": json.dumps(settings),
                    **env,
                },
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._workers.append(Supervisor(process, log))

    def close(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
            try:
                worker.wait(within_s=20)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.wait()
            sys.stdout.write(f"--- {worker.log.name}\n{worker.log.read_text(errors='replace')}\n")
        self.queue.close()


@pytest.fixture
def site(
    cluster: Cluster, template: str, django_db_setup: None, django_db_blocker: Any, tmp_path: Path
) -> Iterator[Site]:
    house = House(cluster, cluster.copy(template))
    with a_broker() as broker:
        made = Site(house, tmp_path, broker)
        try:
            with django_db_blocker.unblock():
                with house.settled():
                    apply.make_true()
                yield made
        finally:
            made.close()
            house.pull_down()


def furnished(site: Site, *names: str) -> list[Company]:
    with site.house.settled(), no_tenant():
        ensure_sentinels()
        return [Company(name, ctzoffset=330) for name in names]


@pytest.mark.timeout(180)
def test_w5_from_the_photo_to_the_control_room_and_old_media_to_the_bucket(site: Site) -> None:
    acme, globex = furnished(site, "acme", "globex")
    asked: dict[int, dict[str, Any]] = {}
    with site.house.settled():
        for company, distance in ((acme, 0.62), (globex, 0.21)):
            with tenant(company.id):
                person = company.person("guard", company.site("1"))
                profile(person, labelled_picture(0), site.media)
                event = punch(company, person)
                photo(event, labelled_picture(distance), site.media)
                old = photo(event, None, site.media, filepath=f"transactions/{company.name}/", filename="old.png")
                old.attachmenttype = "SIGN"
                old.save()
                asked[company.id] = {"pel_uuid": str(event.uuid), "peopleid": person.pk}
    for company in (acme, globex):
        put(site.media, f"transactions/{company.name}/old.png")
        put(site.media, f"transactions/{company.name}/young.png", now=datetime.now(UTC), days=1)
    with listening(site.broker.port) as listener:
        site.start()
        checks = [
            site.queue.put("perform_facerecognition_bgt", queue="high_priority", tenant_id=client_id, **arguments)
            for client_id, arguments in asked.items()
        ]
        moving = site.queue.put("move_media_to_cloud_storage", skip_days=60)
        found = [site.queue.ending(job_id, within_s=60) for job_id in checks]
        moved = site.queue.ending(moving, within_s=60)
        (message,) = listener.wait_for(1)

    assert [each["outcome"] for each in found] == ["succeeded", "succeeded"], found
    assert [each["result"]["fr_status"] for each in found] == ["mismatch", "match"]
    assert (message["operation"], message["client_id"]) == ("MISMATCH", acme.id)
    assert message["payload"]["pel_uuid"] == asked[acme.id]["pel_uuid"]
    assert (moved["outcome"], moved["result"]["moved"]) == ("succeeded", 2), moved
    places = site.queue.rows("SELECT client_id, name FROM task_catalog_bloblocation ORDER BY client_id")
    assert places == [(acme.id, "transactions/acme/old.png"), (globex.id, "transactions/globex/old.png")]
    with site.house.connect("web", acme.id) as session:
        assert session.execute("SELECT client_id FROM task_catalog_bloblocation").fetchall() == [(acme.id,)]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("work", ["media", "message"])
def test_a_worker_killed_between_the_effect_and_its_mark_repeats_it_under_the_same_name(site: Site, work: str) -> None:
    (acme,) = furnished(site, "acme")
    put(site.media, "transactions/1.png", b"one")
    put(site.media, "transactions/2.png", b"two")
    with listening(site.broker.port) as listener:
        site.start(YOUTILITY_TASKS_FAILPOINTS=f"after_effect=kill:{site.folder / 'once'}")
        if work == "media":
            job_id = site.queue.put("move_media_to_cloud_storage", skip_days=60)
        else:
            job_id = site.queue.put("publish_mqtt", tenant_id=acme.id, topic="noc", payload='{"n": 1}')
        ended = site.queue.ending(job_id, within_s=60)
        messages = listener.wait_for(0 if work == "media" else 2)

    assert (site.folder / "once").exists()
    assert site.queue.attempts(job_id) == ["crashed", "succeeded"]
    if work == "media":
        assert (ended["result"]["moved"], ended["result"]["already_there"]) == (1, 1)
        assert names_in(site.bucket) == {"transactions/1.png": b"one", "transactions/2.png": b"two"}
        assert names_in(site.media) == {}
    else:
        assert messages[0] == messages[1]
        assert messages[0]["message_id"].startswith("mqtt:")


@pytest.mark.timeout(180)
def test_jobs_wait_for_a_broker_that_does_not_answer_and_each_message_then_has_one_id(site: Site) -> None:
    (acme,) = furnished(site, "acme")
    with listening(site.broker.port) as listener:
        site.start()
        first = site.queue.put("publish_mqtt", tenant_id=acme.id, topic="noc", payload='{"n": -1}')
        site.queue.ending(first, within_s=60)
        os.kill(site.broker.pid, signal.SIGSTOP)
        try:
            jobs = [
                site.queue.put("publish_mqtt", tenant_id=acme.id, topic="noc", payload=json.dumps({"n": n}))
                for n in range(3)
            ]
            until(lambda: all(site.queue.attempts(job_id) for job_id in jobs), within_s=60, why="no attempt has ended")
            assert {outcome for job_id in jobs for outcome in site.queue.attempts(job_id)} == {"retry"}
        finally:
            os.kill(site.broker.pid, signal.SIGCONT)
        ended = [site.queue.ending(job_id, within_s=60) for job_id in jobs]
        until(lambda: len({said["n"] for _, said in listener.received}) == 4, why="a message is missing")

    assert {each["outcome"] for each in ended} == {"succeeded"}
    ids = {(said["n"], said["message_id"]) for _, said in listener.received}
    assert len(ids) == 4
