"""Goes through the instants of the day: moves the clock, lets people act, enqueues the sweeps, waits for the workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from croniter import croniter

from youtility_tasks import enqueue_many, registry

from . import scopes
from .agenda import Agenda
from .attendance import Attendance
from .clock import set_played
from .company import Company
from .definitions import DAY_TASKS, HEARTBEAT_TASK, SWEEP_TASKS, midnight
from .devices import Devices
from .errors import DayStuck
from .field_work import FieldWork
from .machines import Machines
from .permit_desk import PermitDesk
from .played import PLANNING, Played, live_jobs
from .post import Post
from .report_desk import ReportDesk
from .rounds import Rounds
from .score_desk import ScoreDesk
from .stage import Scene
from .ticket_desk import TicketDesk
from .traffic import BROKER_DOWN_FROM, BROKER_DOWN_UNTIL
from .weather import Weather

REPEATED_ONCE = tuple(name for name in SWEEP_TASKS if name not in PLANNING)
"""Sweeps whose last run of the day is repeated at the same instant; a planning sweep is repeated each time."""

_STUCK_AFTER_S = 180.0
"""Longest wait for the jobs of one instant: several workers lost one after the other still come back within it."""
_SHORTEST_LOOK_S, _LONGEST_LOOK_S = 0.002, 0.05
_LINE_OF_JOBS = 10


class Player:
    """Plays one day on a stage; `weather` is what goes wrong, `tell` hears of each instant."""

    def __init__(
        self,
        company: Company,
        day: date,
        *,
        scene: Scene,
        weather: Weather,
        tell: Callable[[datetime], None],
    ) -> None:
        self._day = day
        self._scene, self._weather, self._tell = scene, weather, tell
        self._sweeps = {name: fires for name in SWEEP_TASKS if (fires := _instants(name, day))}
        self._beats = _instants(HEARTBEAT_TASK, day)
        self._agenda = Agenda()
        post = Post()
        devices = Devices(post)
        self._field_work = FieldWork(company, self._sweeps["auto_close_jobs"][-1], self._agenda, devices)
        self._attendance = Attendance(company, day, self._agenda, devices)
        TicketDesk(company, day, self._agenda, devices)
        PermitDesk(company, day, self._agenda, devices)
        ScoreDesk(company, day, self._agenda)
        ReportDesk(company, day, self._agenda)
        Rounds(company, day, self._agenda, devices, post)
        Machines(company, day, self._agenda)
        self.played = Played()

    def play(self) -> Played:
        """The whole day, instant by instant. Raises DayStuck when the jobs of an instant do not end."""
        last_minute = midnight(self._day) + timedelta(days=1, minutes=-1)
        for instant in sorted({*(at for fires in self._sweeps.values() for at in fires), last_minute}):
            self._play(instant)
        return self.played

    def _play(self, instant: datetime) -> None:
        set_played(instant)
        self._weather.before(instant)
        self._open_or_close_broker(instant - midnight(self._day))
        # What people did since the last instant comes before the sweeps of this one, which shall find it.
        self._agenda.act_until(instant)
        self._beat_until(instant)
        due = [name for name, fires in self._sweeps.items() if instant in fires]
        for name in due:
            self.played.sweeps[name, instant] = self._enqueue(name)
        self._wait()
        if self._weather.deliver_again():
            self._wait()
        again = [
            name for name in due if name in PLANNING or (name in REPEATED_ONCE and instant == self._sweeps[name][-1])
        ]
        for name in again:
            self.played.repeats[name, instant] = self._enqueue(name)
            self._wait()
        self._attendance.put_photos_back()
        if any(name in PLANNING for name in due):
            self._field_work.look()
        self._tell(instant)

    def _open_or_close_broker(self, since_midnight: timedelta) -> None:
        shall_be_open = not BROKER_DOWN_FROM <= since_midnight < BROKER_DOWN_UNTIL
        if shall_be_open and not self._scene.control_room.is_open:
            self._scene.control_room.open()
        elif not shall_be_open and self._scene.control_room.is_open:
            self._scene.control_room.close()

    def _enqueue(self, name: str) -> int:
        return int(registry.get(name).enqueue().id)

    def _beat_until(self, instant: datetime) -> None:
        """The heartbeats of all minutes up to this one, which nothing else reads, in one statement."""
        due = [at for at in self._beats if at <= instant]
        self._beats = self._beats[len(due) :]
        if due:
            calls: list[dict[str, Any]] = [{"timestamp": int(at.timestamp())} for at in due]
            results = enqueue_many(registry.get(HEARTBEAT_TASK), calls)
            # The first beat is the first job of the day.
            self.played.first_job_id = self.played.first_job_id or min(int(result.id) for result in results)

    def _wait(self) -> None:
        """Until no job of the day is waiting or running, but for those that speak to somebody who is away."""
        tasks = [task for task in DAY_TASKS if task not in self._scene.out_of_reach()]
        began = time.monotonic()
        look_s = _SHORTEST_LOOK_S
        # The sweeps first: what one of them has enqueued for a client by its end is there when that client is looked at.
        while any(scopes.of_each(lambda tenant_id: live_jobs(tasks).filter(tenant_id=tenant_id).exists())):
            if time.monotonic() - began > _STUCK_AFTER_S:
                raise DayStuck(f"The jobs of one instant did not end within {_STUCK_AFTER_S:.0f} s: {_names()}.")
            self._scene.keep_alive()
            time.sleep(look_s)
            look_s = min(_LONGEST_LOOK_S, look_s * 1.3)


def _instants(name: str, day: date) -> list[datetime]:
    """When a task's own schedule fires on the day (UTC)."""
    start = midnight(day)
    return list(_fires(registry.get(name).schedule or "", start, start + timedelta(days=1)))


def _fires(cron: str, start: datetime, end: datetime) -> Iterable[datetime]:
    every = croniter(cron, start - timedelta(microseconds=1))
    while (instant := every.get_next(datetime)) < end:
        yield instant


def _names() -> str:
    def named(tenant_id: int) -> list[str]:
        rows = live_jobs().filter(tenant_id=tenant_id).order_by("pk").values_list("task_name", "pk", "status")
        return [f"{task}[{pk}] {status}" for task, pk, status in rows[:_LINE_OF_JOBS]]

    return ", ".join([name for names in scopes.of_each(named) for name in names][:_LINE_OF_JOBS])
