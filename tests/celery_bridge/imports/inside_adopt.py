"""Run by `test_imports.py`: what real Celery producers and workers have left in a real Redis becomes jobs, each once."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from tests.celery_bridge.imports.site.celery_app import app as site
from tests.celery_bridge.programs import Programs, until
from tests.conftest import point_django_at
from youtility_tasks import roster
from youtility_tasks.celery_bridge import adopt as adopting
from youtility_tasks.celery_bridge import redis_side
from youtility_tasks.celery_bridge.adopt import Adopted, adopt
from youtility_tasks.celery_bridge.redis_side import QueueConsumed
from youtility_tasks.celery_bridge.sources import Tenants
from youtility_tasks.errors import UnknownTenant
from youtility_tasks.models import BridgeCall, Job, TaskAuditLog

SETTINGS = "tests.celery_bridge.imports.settings"
APP = "tests.celery_bridge.imports.site.celery_app"
STEPS = ("celery", "celery\x06\x163", "celery\x06\x166", "celery\x06\x169")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def app(programs: Programs) -> Iterator[Any]:
    """The site's Celery on this module's Redis."""
    before = site.conf.broker_url
    site.conf.broker_url = programs.broker.url(0)
    site.__dict__.pop("_pool", None)
    site.amqp._producer_pool = None
    roster.add(7, "ACME Towers")
    programs.broker.client().flushall()
    yield site
    site.conf.broker_url = before
    site.amqp._producer_pool = None


@pytest.fixture
def shared(app: Any, module_database: str) -> Iterator[None]:
    """Let this process look where the programs do."""
    before = {key: connections.databases["default"][key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    point_django_at(module_database)
    Job.objects.all().delete()
    BridgeCall.objects.all().delete()
    yield
    connections["default"].close()
    connections.databases["default"].update(before)


@pytest.fixture
def send(app: Any) -> Callable[..., str]:
    """Send as Celery does; the id."""

    def put(name: str, *args: Any, **options: Any) -> str:
        kwargs = options.pop("kwargs", {})
        return str(app.send_task(name, args, kwargs, **options).id)

    return put


def take(app: Any, **options: Any) -> Adopted:
    return adopt(app, Tenants(), **options)


def of_call(celery_id: str) -> Job:
    return Job.objects.get(pk=BridgeCall.objects.get(celery_id=celery_id).job_id)


def waiting(app: Any, programs: Programs) -> int:
    client = programs.broker.client()
    return sum(client.llen(key) for key in STEPS) + client.hlen("unacked")


def test_what_waits_in_every_list_becomes_jobs_in_its_order(app: Any, send: Any, programs: Programs) -> None:
    eta = (timezone.now() + timedelta(hours=2)).replace(microsecond=0)
    plain = [send("site.sweep", n) for n in range(3)]
    later = send("site.sweep", kwargs={"floor": 9}, eta=eta, expires=eta + timedelta(hours=1), priority=6)
    countdown = send("site.sweep", countdown=600)
    whose = send("site.greet", "Ada", headers={"youtility_tenant": 7}, queue="email", priority=3)
    shorter = send("site.sweep", kwargs={"floor": 4}, compression="zlib")
    app.conf.task_protocol = 1
    app.amqp.__dict__.pop("create_task_message", None)
    old = send("site.sweep", 7, eta=eta)
    app.conf.task_protocol = 2
    app.amqp.__dict__.pop("create_task_message", None)

    dry = take(app, dry_run=True)
    assert dry.jobs == {"site.sweep": 7, "site.greet": 1} and not Job.objects.exists() and not dry.left

    done = take(app)

    assert (done.jobs, done.left, done.already) == (dry.jobs, [], 0)
    assert [of_call(each).args for each in plain] == [{"floor": 0}, {"floor": 1}, {"floor": 2}]
    assert [of_call(each).pk for each in plain] == sorted(of_call(each).pk for each in plain)
    job = of_call(later)
    assert (job.args, job.scheduled_at, job.expires_at, 11 - job.priority) == (
        {"floor": 9},
        eta,
        eta + timedelta(hours=1),
        7,
    )
    assert abs((of_call(countdown).scheduled_at - timezone.now()).total_seconds() - 600) < 30
    greeting = of_call(whose)
    assert (greeting.tenant_id, greeting.args, greeting.queue_name, 11 - greeting.priority) == (
        7,
        {"guest": "Ada"},
        "email",
        4,
    )
    assert of_call(plain[0]).queue_name == "maintenance" and 11 - of_call(plain[0]).priority == 5, (
        "Celery's 0 says nothing"
    )
    assert of_call(shorter).args == {"floor": 4} and (of_call(old).args, of_call(old).scheduled_at) == (
        {"floor": 7},
        eta,
    )
    assert waiting(app, programs) == 0 and programs.broker.client().keys("*youtility*") == []
    assert take(app).jobs == {} and Job.objects.count() == 8
    assert TaskAuditLog.objects.get(act="adopt messages of Celery").after == {
        "jobs": {"site.sweep": 7, "site.greet": 1},
        "left": 0,
    }


def test_what_cannot_run_here_as_it_is_meant_stays_in_place_and_says_why(
    app: Any, send: Any, programs: Programs
) -> None:
    sweep = app.tasks["site.sweep"]
    send("site.sweep", 1, serializer="pickle")
    send("site.unknown")
    send("site.greet", "Ada")
    send("site.sweep", 1, 2, 3)
    send("site.sweep", kwargs={"floor": timezone.now()})
    send("site.sweep", 1, link=sweep.s())
    send("site.sweep", 1, link_error=sweep.s())
    (sweep.s(1) | sweep.si(2)).apply_async()
    send("site.sweep", 1, chord={"task": "site.sweep", "args": [], "kwargs": {}, "options": {}})
    programs.broker.client().lpush(
        "celery",
        b"not a message",
        b'{"headers": {"task": "x"}, "content-type": "application/json", "body": "[[], {}, {}]"}',
    )
    fine = send("site.sweep", 5)
    before = programs.broker.client().lrange("celery", 0, -1)

    done = take(app)

    assert done.jobs == {"site.sweep": 1} and of_call(fine).args == {"floor": 5}
    why = " | ".join(each.why for each in done.left)
    for words in (
        "pickle", "no task is called 'site.unknown'", "belongs to one tenant", "at most 1, in this order: floor", "no plain JSON", "a link follows it",
        "link_error", "a chain goes on", "chord", "no message of Celery's", "no id by which",
    ):  # fmt: skip
        assert words in why
    assert programs.broker.client().lrange("celery", 0, -1) == before[1:], "each in its place"


def test_a_shared_task_keeps_its_id_its_headers_and_what_json_has_not(app: Any, send: Any) -> None:
    when = timezone.now()
    known_as = send("site.shared", when, headers={"x-user": "7"}, priority=6, queue="email")

    assert take(app).jobs == {"site.shared": 1}

    job = of_call(known_as)
    assert job.args["args"] == [{"__type__": "datetime", "__value__": when.isoformat()}]
    assert job.args["kwargs"]["$celery"]["id"] == known_as and job.args["kwargs"]["$celery"]["headers"] == {
        "x-user": "7"
    }
    assert (job.queue_name, 11 - job.priority) == ("email", 7)


def test_only_the_tasks_and_queues_that_are_named(app: Any, send: Any, programs: Programs) -> None:
    send("site.sweep", 1)
    send("site.sweep", 2, queue="other")
    send("site.doze", 1)

    done = take(app, tasks=["site.sweep"], queues=["celery"])

    assert done.jobs == {"site.sweep": 1} and [each.why for each in done.left] == ["its task was not named"]
    assert take(app).jobs == {"site.sweep": 1, "site.doze": 1}, "also of a queue that only its messages know"


def test_a_living_worker_is_refused_and_what_a_dead_one_held_is_taken_once(
    app: Any, send: Any, programs: Programs
) -> None:
    worker = programs.worker(APP, "--prefetch-multiplier", "4", DJANGO_SETTINGS_MODULE=SETTINGS)
    ids = [send("site.sweep", n, countdown=3_600) for n in range(3)] + [send("site.greet", "later")]
    client = programs.broker.client()
    until(
        lambda: client.hlen("unacked") == 4, why="the worker holds three that wait, and one that is to be tried again"
    )

    with pytest.raises(QueueConsumed, match=r"consumes celery.*Stop them"):
        take(app)
    assert take(app, dry_run=True).consumers.busy and not Job.objects.exists()
    worker.kill()
    assert client.hlen("unacked") == 4

    done = adopt(app, Tenants(fixed=7))

    assert done.jobs == {"site.sweep": 3, "site.greet": 1} and waiting(app, programs) == 0 == client.zcard(
        "unacked_index"
    )
    assert of_call(ids[0]).scheduled_at > timezone.now() + timedelta(minutes=50)
    again = of_call(ids[3])
    assert (again.attempts, again.tenant_id) == (1, 7), "it has used up one of its attempts"


def test_a_worker_that_is_too_busy_to_answer_is_counted_all_the_same(
    app: Any, send: Any, programs: Programs, monkeypatch: Any
) -> None:
    monkeypatch.setattr(redis_side, "_ASK_S", 0.7)
    worker = programs.worker(APP, pool="solo", DJANGO_SETTINGS_MODULE=SETTINGS)
    send("site.doze", 60)
    until(lambda: worker.said("site.doze") and programs.broker.client().hlen("unacked") == 1)
    send("site.sweep", 1)

    with pytest.raises(QueueConsumed, match="listen and do not answer"):
        take(app)
    worker.kill()
    assert take(app).jobs == {"site.sweep": 1, "site.doze": 1}, (
        "late acknowledgement: Celery would have run it again, too"
    )


def test_somebody_unknown_who_waits_on_lists_is_named_and_can_be_let_be(
    app: Any, send: Any, programs: Programs
) -> None:
    client, own = programs.broker.client(), redis_side._own_addresses()
    script = f"import redis; redis.Redis(port={programs.broker.port}, socket_timeout=None).brpop('of_another', 60)"
    stranger = programs.start([sys.executable, "-c", script])

    def waits() -> list[str]:
        clients = client.client_list()
        return [each["addr"] for each in clients if each["cmd"] == "brpop" and each["addr"] not in own]

    (address,) = until(waits)
    send("site.sweep", 1)
    try:
        with pytest.raises(QueueConsumed, match=re.escape(address)):
            take(app)
        assert take(app, ignore_clients=[address]).jobs == {"site.sweep": 1}
    finally:
        stranger.kill()
    until(lambda: not waits())  # Redis sees it a moment later


@pytest.mark.parametrize(("point", "where"), [("adopt_taken", "list"), ("adopt_written", "unacked")])
def test_a_kill_between_any_two_steps_leaves_each_message_one_job(
    point: str, where: str, send: Any, app: Any, programs: Programs, shared: None
) -> None:
    ids = [send("site.sweep", n) for n in range(5)]
    client = programs.broker.client()
    if where == "unacked":
        for n, raw in enumerate(reversed(client.lrange("celery", 0, -1))):
            client.hset("unacked", f"tag{n}", json.dumps([json.loads(raw), "", "celery"]))
            client.zadd("unacked_index", {f"tag{n}": time.time()})
        client.delete("celery")
    script = (
        "import django; django.setup();"
        "from youtility_tasks.celery_bridge import adopt, sources;"
        f"app = sources.celery_app({APP!r});"
        "adopt.adopt(app, sources.Tenants())"
    )
    killed = programs.start(
        [sys.executable, "-c", script], DJANGO_SETTINGS_MODULE=SETTINGS, YOUTILITY_TASKS_FAILPOINTS=f"{point}=kill"
    )
    assert killed._process.wait(60) == -signal.SIGKILL, killed.log.read_text()
    assert waiting(app, programs) == 0 and client.llen(client.keys("youtility_adopting*")[0]) == 5
    assert Job.objects.count() == (5 if point == "adopt_written" else 0)

    done = take(app)

    assert (done.jobs.total(), done.already) == ((0, 5) if point == "adopt_written" else (5, 0))
    assert Job.objects.count() == 5 and client.keys("*adopting*") == []
    assert sorted(of_call(each).args["floor"] for each in ids) == [0, 1, 2, 3, 4]


def test_a_message_that_is_refused_at_the_last_moment_goes_back(
    app: Any, send: Any, programs: Programs, monkeypatch: Any
) -> None:
    first, second = send("site.sweep", 1), send("site.sweep", 2)
    before = programs.broker.client().lrange("celery", 0, -1)

    def refuse(work: Any, call: Any) -> bool:
        raise UnknownTenant("its tenant has just left")

    with monkeypatch.context() as patched:
        patched.setattr(adopting._Work, "_make", refuse)
        done = take(app)

    assert done.jobs == {} and {each.celery_id for each in done.left} == {first, second}
    assert (
        programs.broker.client().lrange("celery", 0, -1) == before and programs.broker.client().keys("*adopting*") == []
    )
    assert not BridgeCall.objects.exists()


def test_two_messages_of_one_id_are_one_job_and_a_shadowed_call_gets_its_real_one(app: Any, send: Any) -> None:
    twice = send("site.sweep", 1, task_id="a-call")
    send("site.sweep", 1, task_id="a-call")
    shadowed = send("site.sweep", 2, task_id="shadowed")
    BridgeCall.objects.create(tenant_id=0, celery_id=shadowed, job_id=1, task_name="site.sweep", side="shadow")

    done = take(app)

    assert (done.jobs.total(), done.already) == (2, 1)
    assert of_call(twice).args == {"floor": 1} and of_call(shadowed).args == {"floor": 2}
    assert BridgeCall.objects.get(celery_id=shadowed).side == "postgres"


def test_other_keys_than_kombus_own_are_found(app: Any, programs: Programs) -> None:
    options = {"global_keyprefix": "site:", "sep": ":", "priority_steps": [0, 5], "unacked_key": "fetched"}
    app.conf.broker_transport_options = options
    app.amqp._producer_pool = None
    app.__dict__.pop("_pool", None)
    try:
        app.tasks["site.sweep"].apply_async((1,), priority=5)
        assert programs.broker.client().llen("site:celery:5") == 1
        assert take(app).jobs == {"site.sweep": 1}
    finally:
        app.conf.broker_transport_options = {}
