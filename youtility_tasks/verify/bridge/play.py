"""`python -m youtility_tasks.verify.bridge.play EVIDENCE`: the plan of a run, played in a process with the run's settings.

Calls come all the time. Wave 1 lets ours run beside Celery, waves 2 to 4 cut over what is urgent, what is less so, and the rest; each is rolled back
once. Meanwhile Celery's worker, ours and Redis are killed. At last Beat hands over its schedule, and what Redis still holds is adopted.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

from .evidence import BEAT_NAME

ETA_S = 8.0
"""How far ahead the calls are due that are adopted at the end."""
_ETAS = 6
_REST_S = 60.0
_STANDS_STILL_S = 8.0


def main(target: str) -> None:
    """Play, and write the evidence."""
    django.setup()
    from youtility_tasks.verify.ledger import Ledger

    from . import gathering
    from .cast import Cast
    from .settings import VISIBILITY_S

    ledger = Ledger.from_environment()
    ledger.prepare()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.closing(Cast(dict(os.environ), ledger.folder, ledger)) as cast, contextlib.closing(ledger):
        play = Play(cast, float(os.environ["YOUTILITY_VERIFY_PACE_S"]), VISIBILITY_S)
        play.all()
        gathering.evidence(play, int(os.environ["YOUTILITY_VERIFY_SEED"])).save(Path(target))


class Play:
    """The run, step by step."""

    def __init__(self, cast: Any, pace_s: float, visibility_s: float) -> None:
        from youtility_tasks import queues

        from . import acting

        self.cast, self.ledger, self.pace_s, self.visibility_s = cast, cast.ledger, pace_s, visibility_s
        self.began = time.monotonic()
        self.tasks = acting.tasks()
        self.names = [each.name for each in self.tasks]
        self.urgent = [each.name for each in self.tasks if each.queue_name == queues.HIGH_PRIORITY]
        self.medium = [each.name for each in self.tasks if each.queue_name in (queues.EMAIL, queues.REPORTS)]
        self.low = [each.name for each in self.tasks if each.name not in {*self.urgent, *self.medium}]
        self.moved = {"postgres": 0, "celery": 0}
        self.adopted = self.rollbacks = self.bursts = 0
        self.counted, self.last_at = 0, 0.0

    def all(self) -> None:
        """The whole plan."""
        self.set_up()
        self.beside()
        self.wave_of_urgent()
        self.wave_of_medium()
        self.wave_of_low()
        self.hand_over_beat()
        self.adopt_the_rest()
        self.come_to_rest()

    # -- the steps

    def set_up(self) -> None:
        """A database with Beat's tables and a company; everything runs, and every call goes to Celery."""
        from django.core.management import call_command
        from django.db import connection

        from . import acting

        self.cast.redis()
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(acting.MAKE_TABLE)
        self._make_company()
        self.cast.celery()
        self.cast.ours()
        self.cast.wait_for("celery", " ready.")
        self.cast.caller()
        self._until_runs("celery", 20)

    def beside(self) -> None:
        """Wave 1: shadows of a third, a canary of the others. Celery's worker is killed while it works; everything is rolled back."""
        self._say("wave 1: beside")
        self.manage("route", *self.names[::3], "shadow", "--reason", "wave 1")
        self.manage(
            "route", *(each for each in self.names if each not in self.names[::3]), "canary", "40%", "--by", "proof_key"
        )
        self._wait(2)
        self._one_is_at_work("celery", self.names[0])
        with self.cast.killed("celery"):
            self.cast.celery()
        self._until_runs("ours", 5)
        with self._waiting("ours", self.names):
            self.roll_back("--all", "--move")
        self._wait(1)

    def wave_of_urgent(self) -> None:
        """Wave 2: what somebody waits for. One half is rolled back, our workers are killed, and it is cut over again."""
        self._say("wave 2: urgent")
        with self._waiting("celery", self.urgent):
            self.manage("route", *self.urgent, "postgres", "--move", "--reason", "wave 2")
        self._wait(1)
        self._one_is_at_work("ours", self.urgent[0])
        with self.cast.killed("ours"):
            self.cast.ours()
        with self._waiting("ours", self.urgent):
            self.roll_back(*self.urgent[::2], "--move")
        self._wait(1)
        self.manage("route", *self.urgent, "postgres", "--move", "--reason", "wave 2 again")

    def wave_of_medium(self) -> None:
        """Wave 3: mails and reports. Redis is killed while their calls wait in it, and what waits ends there."""
        self._say("wave 3: medium")
        self.manage("route", *self.medium, "canary", "50%", "--by", "proof_key", "--reason", "wave 3")
        with self.cast.killed("redis", for_s=self.visibility_s):
            self._wait(0.3)
            self.cast.redis()
        self._see_that_celery_works()
        self.beat_begins()
        self.manage("route", *self.medium, "postgres", "--drain", "--timeout", "5s", "--reason", "wave 3")

    def wave_of_low(self) -> None:
        """Wave 4: what nobody waits for. Everything is rolled back a last time, and cut over; calls that are due later stay in Redis."""
        from django.utils import timezone

        from youtility_tasks import tenant

        from . import acting

        self._say("wave 4: low")
        self.manage("route", *self.low, "canary", "50%", "--by", "proof_key", "--reason", "wave 4")
        self._wait(1)
        self.roll_back("--all", "--move")
        self._wait(1)
        task = next(each for each in self.tasks if each.name == self.low[0])
        self.later = timezone.now() + timedelta(seconds=ETA_S + self.pace_s)
        tenant_id = min(map(int, acting.company()))
        with tenant(tenant_id):
            for n in range(_ETAS):
                acting.call(self.ledger, task, f"later-{n}", tenant_id, eta=self.later)
        self.manage(
            "route",
            *(each for each in self.names if each != task.name),
            "postgres",
            "--move",
            "--reason",
            "the last wave",
        )
        self.manage("route", task.name, "bridge_proof_tick", "postgres", "--reason", "the last wave")

    def hand_over_beat(self) -> None:
        """Beat runs, and fires the schedule no more."""
        from django_celery_beat.models import PeriodicTask

        self._say("Beat hands over")
        self._until(lambda: self._count_of_beat() >= 2, "Beat fires")
        done = self.manage("migrate_celery_beat", command="")
        if not done["beat_answered"]:
            raise RuntimeError(f"Beat did not answer: {done}")
        row = PeriodicTask.objects.get(name=BEAT_NAME)
        self.counted, self.last_at = row.total_run_count, row.last_run_at.timestamp()
        self._wait(1)

    def adopt_the_rest(self) -> None:
        """Celery ends, and what Redis holds becomes jobs."""
        self._say("adopting")
        self.cast.stop("celery")
        done = self.manage("adopt")
        self.adopted = sum(done["jobs"].values())

    def come_to_rest(self) -> None:
        """No more calls; what waits runs, and Beat is looked at once more."""
        from youtility_tasks import schedules, tenants

        self._say("coming to rest")
        self.cast.stop("caller")
        self.cast.stop("beat")
        self._until(lambda: self._settled_to() >= self.last_at + 4, "our schedule goes on")
        with tenants.no_tenant():
            schedules.pause(BEAT_NAME, reason="the run ends")
        with contextlib.suppress(Exception):  # what still waits is for the verdict
            self._until(lambda: not self._live(), "nothing waits", within_s=_REST_S)
        self.cast.stop("ours")

    # -- what the steps are made of

    @contextlib.contextmanager
    def _waiting(self, side: str, names: list[str]) -> Iterator[None]:
        """Freeze a side for the length of the block, and call these tasks: a move has something to do however fast the machine is."""
        from youtility_tasks import tenant

        from . import acting

        tenant_id = min(map(int, acting.company()))
        with self.cast.frozen(side), tenant(tenant_id):
            for name in names:
                self.bursts += 1
                task = next(each for each in self.tasks if each.name == name)
                acting.call(self.ledger, task, f"burst-{self.bursts:04d}", tenant_id)
            yield

    def manage(self, *words: str, command: str = "celery_bridge") -> dict[str, Any]:
        """A command as an operator gives it; its answer."""
        from django.core.management import call_command

        out, err = io.StringIO(), io.StringIO()
        name, *rest = [command, *words] if command else words
        with contextlib.suppress(SystemExit):
            call_command(name, *rest, "--json", stdout=out, stderr=err)
        answer: dict[str, Any] = json.loads(out.getvalue() or "{}")
        if "error" in answer or not answer:
            raise RuntimeError(f"{name} {' '.join(rest)[:200]}: {answer.get('error') or err.getvalue()}")
        side = "celery" if "rollback" in words else "postgres"
        self.moved[side] += sum(answer.get("moved", {}).values())
        return answer

    def roll_back(self, *words: str) -> None:
        """Back to Celery, with what waits."""
        self._say(f"rollback {self.rollbacks + 1}")
        self.manage("rollback", *words, "--reason", "the plan says so")
        self.rollbacks += 1

    def _make_company(self) -> None:
        from django.utils.module_loading import import_string

        from youtility_tasks import roster
        from youtility_tasks.models import Tenant

        from . import acting

        path = os.environ.get("YOUTILITY_VERIFY_COMPANY")
        found = import_string(path)() if path else {7: {}, 8: {}}
        for tenant_id in found:
            if not Tenant.objects.filter(pk=tenant_id).exists():
                roster.add(tenant_id, f"Tenant {tenant_id}")
        (self.ledger.folder / acting.COMPANY).write_text(json.dumps(found), encoding="utf-8")

    def beat_begins(self) -> None:
        from django_celery_beat.models import IntervalSchedule, PeriodicTask

        from .tasks import TICK

        each_second, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.create(name=BEAT_NAME, task=TICK, interval=each_second)
        self.cast.beat()

    def _count_of_beat(self) -> int:
        from .tasks import TICK

        return sum(each.key == TICK for each in self.ledger.read())

    def _settled_to(self) -> float:
        from youtility_tasks.models import ScheduledTask

        return float(ScheduledTask.objects.get(name=BEAT_NAME).settled_to.timestamp())

    def _live(self) -> int:
        from youtility_tasks.models import Job
        from youtility_tasks.status import JobStatus

        from .tasks import TICK

        names = [*self.names, *(f"shadow:{name}" for name in self.names), TICK]
        return Job.objects.filter(task_name__in=names, status__in=[JobStatus.TODO, JobStatus.DOING]).count()

    def _until_runs(self, side: str, number: int) -> None:
        from youtility_tasks.verify.entries import Kind

        def enough() -> bool:
            ends = [each for each in self.ledger.read() if each.kind is Kind.END and each.data.get("side") == side]
            return len(ends) >= number

        self._until(enough, f"{number} calls have run on the side {side}", within_s=90)

    def _see_that_celery_works(self) -> None:
        """A worker of Celery's may stand still after Redis was away (its acknowledgements fail, and it reads no more): then it is started anew, as
        whoever watches it would do."""
        from youtility_tasks.verify.crew import NotInTime

        since = time.monotonic_ns()

        def works() -> bool:
            return any(
                each.kind == "end" and each.data.get("side") == "celery" and each.at > since
                for each in self.ledger.read()
            )

        try:
            self._until(works, "Celery works again", within_s=_STANDS_STILL_S)
        except NotInTime:
            self._say("Celery's worker stands still: started anew")
            with self.cast.killed("celery"):
                self.cast.celery()

    def _one_is_at_work(self, side: str, name: str) -> None:
        """Make a call that takes long, and wait until it is at work there, its effect written: now is the time to kill."""
        from django.db import connection

        from youtility_tasks import tenant

        from . import acting

        key, tenant_id = f"slow-{side}", min(map(int, acting.company()))
        with tenant(tenant_id):
            acting.call(self.ledger, next(each for each in self.tasks if each.name == name), key, tenant_id)

        def is_at_work() -> bool:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT 1 FROM {acting.TABLE} WHERE key = %s", [key])  # noqa: S608 - a name of ours
                return cursor.fetchone() is not None

        self._until(is_at_work, f"a slow call runs in {side}", within_s=60)

    def _until(self, see: Any, what: str, *, within_s: float = 40) -> None:
        from youtility_tasks.verify.crew import until

        until(see, what, within_s=within_s)

    def _wait(self, beats: float) -> None:
        time.sleep(beats * self.pace_s)  # the load goes on meanwhile

    def _say(self, words: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self.began:5.1f} s {words}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1])
