"""How fast each page of the console is beside much work, how many statements it sends, and how those are planned.

    python -m tests.benchmarks.console_speed --attempts 10000000 --waiting 1000000 --tenants 200

fills a database of its own (separate roles, 30 days of history, all numbers added up), asks for every page and every part that comes by
itself, as an operator and as people of the largest and of the smallest tenant, and prints one JSON document: for each request its median
and 95th percentile in ms, its statements, and which statement reads all of a large table. Nothing else should be running.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MOST_MS, MOST_STATEMENTS = 300.0, 12
MOST_A_SECOND = 0.5
"""Statements that all parts of a page that come by themselves send in a second, for one who looks."""
PEOPLE = ("ops", "big", "small")
SMALL = 1_000
"""Rows of a table that is no large one, whatever its name."""
LARGE = ("procrastinate_jobs", "youtility_tasks_history", "youtility_tasks_taskperformancemetrics", "youtility_tasks_metricssum", "youtility_tasks_taskauditlog",
         "youtility_tasks_scheduledtaskexecution", "youtility_tasks_workflowstep", "youtility_tasks_taskdependency")  # fmt: skip
"""Tables that grow with the work, and so with time; their partitions begin with the same name."""
_OPTIONS = {
    "fsync": "off",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": "60",
    "maintenance_work_mem": "256MB",
}


@dataclass(frozen=True)
class Asked:
    """One address, and who asks for it."""

    page: str
    """The name of its route."""
    path: str
    people: tuple[str, ...] = PEOPLE


@dataclass
class Told:
    """What came of it."""

    status: int
    ms: list[float] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    read_whole: list[str] = field(default_factory=list)
    """Of its statements those that read all of a large table, with that table."""
    slowest: list[str] = field(default_factory=list)
    """Of one that takes long: its slowest statement, and where in its plan the time goes."""

    def figures(self) -> dict[str, Any]:
        """For the reader."""
        return {
            "p50_ms": round(statistics.median(self.ms), 1),
            "p95_ms": round(sorted(self.ms)[max(0, -(-len(self.ms) * 95 // 100) - 1)], 1),
            "statements": len(self.statements),
            **({"read_whole": self.read_whole} if self.read_whole else {}),
            **({"slowest": self.slowest} if self.slowest else {}),
            **({"status": self.status} if self.status != 200 else {}),
        }


def requests(size: Any, rows: Mapping[str, Any]) -> list[Asked]:
    """Every page, with what people ask of it. `rows`: ids of what there is (see `known`)."""
    ops, everybody, big = ("ops",), PEOPLE, ("ops", "big")
    job, ended = rows["waiting"], rows["ended"]
    task = rows["task"]
    spans = [f"?part=charts&span={each}" for each in ("1h", "6h", "24h", "7d", "30d")]
    ask: dict[str, tuple[tuple[str, ...], list[str]]] = {
        "overview": (everybody, ["", "?part=now", *spans]),
        "queues": (everybody, ["queues/"]),
        "queue": (everybody, ["queues/email/", "queues/email/?span=30d", *(f"queues/email/{each}" for each in spans)]),
        "jobs": (everybody, [
            "jobs/", "jobs/?part=rail&newest=5", "jobs/?part=chart", f"jobs/?part=chart&since={rows['month_ago']}", "jobs/?status=todo",
            "jobs/?status=doing", "jobs/?status=failed", "jobs/?status=succeeded", "jobs/?status=cancelled", "jobs/?status=aborted",
            "jobs/?queue=reports", f"jobs/?task={task}", f"jobs/?task={task}&status=failed&queue=email", "jobs/?q=task:send_*",
            f"jobs/?q=id:{ended}", f"jobs/?q={job}", "jobs/?q=error:ValueError", "jobs/?q=error:nobody-said-that", "jobs/?q=no-such-thing",
            "jobs/?q=lock:site-20", "jobs/?q=unique:visit-25", f"jobs/?fingerprint={rows['fingerprint']}",
            f"jobs/?before={size.attempts // 2}", f"jobs/?before={size.attempts // 2}&status=succeeded&task={task}", f"jobs/?before={job}",
            f"jobs/?since={rows['hour_ago']}", f"jobs/?since={rows['hour_ago']}&status=failed", f"jobs/?until={rows['week_ago']}",
            f"jobs/?since={rows['hour_ago']}&status=succeeded", f"jobs/?until={rows['month_ago']}&status=todo",
            # What somebody in trouble goes on to, from the ones above.
            f"jobs/?task={task}&q=error:ValueError&until={rows['week_ago']}", f"jobs/?status=failed&task={task}&since={rows['week_ago']}",
            f"jobs/?since={rows['week_ago']}&until={rows['day_ago']}", "jobs/?q=error:ValueError status:failed queue:email since:7d",
            f"jobs/?until={rows['hour_ago']}&queue=reports", f"jobs/?tenant=TENANT&task={task}&status=failed&until={rows['day_ago']}",
        ]),
        "job": (everybody, [f"jobs/{each}/{part}" for each in ("WAITING", "DEAD", "ENDED") for part in ("", "?part=now", "?part=around")]),
        "completions": (everybody, ["jobs/completions/?q=ta"]),
        "failures": (everybody, ["failures/", f"failures/?since={rows['week_ago']}", f"failures/?task={task}", "failures/?queue=email"]),
        "failure": (everybody, [f"failures/{rows['fingerprint']}/", f"failures/{rows['fingerprint']}/?part=done", "failures/none/"]),
        "operations": (everybody, ["operations/", "operations/?before=100"]),
        "operation": (everybody, ["operations/OPERATION/", "operations/OPERATION/?part=now"]),
        "schedules": (everybody, ["schedules/", "schedules/?part=lines", "schedules/?state=problems", "schedules/?named=le 1", "schedules/?queue=email"]),
        "schedule": (everybody, ["schedules/SCHEDULE/", "schedules/SCHEDULE/?part=runs"]),
        "schedule_preview": (("big",), ["schedules/preview/?part=preview"]),
        "holidays": (("big",), ["schedules/holidays/"]),
        "workflows": (everybody, ["workflows/", "workflows/?part=lines", "workflows/?status=failed", "workflows/?name=flow 3", "workflows/?template=none"]),
        "workflow": (everybody, ["workflows/WORKFLOW/", "workflows/WORKFLOW/?part=steps"]),
        "workflow_states": (everybody, ["STATES"]),
        "workflow_templates": (everybody, ["workflows/templates/"]),
        "workflow_template": (big, [f"workflows/templates/{rows['template']}/"]),
        "catalog": (everybody, ["catalog/", "catalog/?queue=email"]),
        "catalog_task": (everybody, [f"catalog/{task}/"]),
        "workers": (ops, ["workers/", "workers/?part=list", "workers/?gone=1"]),
        "worker": (ops, ["workers/9001/"]),
        "tenants": (ops, ["tenants/", "tenants/?search=Client 1"]),
        "tenant": (ops, ["tenants/1/", f"tenants/{size.small}/"]),
        "move": (ops, ["move/", "move/?moving=1"]),
        "move_of_task": (ops, [f"move/{task}/"]),
        "audit": (everybody, ["audit/", "audit/?act=pause", "audit/?actor=person 3", "audit/?actor=rare", "audit/?act=weigh tenant", "audit/?actor=nobody", "audit/?before=200"]),
        "choose": (everybody, ["choose/"]),
        "pulse": (everybody, ["PULSE"]),
        "api": (everybody, [f"api/{each}" for each in (
            "jobs/", "jobs/?status=failed", "jobs/?status=cancelled", f"jobs/?task={task}", "jobs/?search=no-such-thing", f"jobs/?since={rows['hour_ago']}Z",
            "dead-letters/", "dead-letters/groups/", "dead-letters/redrives/", "operations/", "queues/", "limits/", "tasks/", "schedules/", "workflows/",
            "audit/", f"metrics/summary/?since={rows['month_ago']}Z", "jobs/WAITING/", "jobs/WAITING/why/",
        )]),
        "api_of_tenants": (("big", "small"), ["api/templates/"]),
        "api_of_all": (ops, ["api/workers/", "api/tenants/"]),
    }  # fmt: skip
    return [Asked(name, path, people) for name, (people, paths) in ask.items() for path in paths]


def known(house: Any, size: Any) -> dict[str, Any]:
    """What the addresses name."""
    ((fingerprint, task),) = house.rows(
        "SELECT fingerprint, task_name FROM procrastinate_jobs WHERE status = 'failed' AND tenant_id = 1 GROUP BY 1, 2 ORDER BY count(*) DESC, 1 LIMIT 1"
    )
    ((template,),) = house.rows("SELECT min(id) FROM youtility_tasks_workflowtemplate WHERE tenant_id = 1")
    ((ago),) = (
        house.rows(
            "SELECT to_char(now() AT TIME ZONE 'UTC' - i, 'YYYY-MM-DD\"T\"HH24:MI') FROM unnest(ARRAY[interval '1 hour', '1 day', '7 days', '30 days']) i"
        ),
    )
    hour, day, week, month = (each for (each,) in ago)
    found: dict[str, Any] = {
        "fingerprint": fingerprint, "task": task, "template": template, "hour_ago": hour, "day_ago": day, "week_ago": week, "month_ago": month,
    }  # fmt: skip
    for who, tenant in (("ops", None), ("big", 1), ("small", size.small)):
        of = f"tenant_id = {tenant}" if tenant else "true"
        found[who] = {"TENANT": tenant or size.small} | {
            name: house.rows(statement.format(of=of))[0][0]
            for name, statement in {
                "WAITING": "SELECT max(id) FROM procrastinate_jobs WHERE status = 'todo' AND {of}",
                "DEAD": "SELECT coalesce(max(id), 1) FROM procrastinate_jobs WHERE status = 'failed' AND {of}",
                "ENDED": "SELECT max(job_id) FROM youtility_tasks_history WHERE status = 'succeeded' AND {of}",
                "OPERATION": "SELECT max(id) FROM youtility_tasks_taskoperation WHERE {of}",
                "SCHEDULE": "SELECT min(id) FROM youtility_tasks_scheduledtask WHERE {of}",
                "WORKFLOW": "SELECT min(id) FROM youtility_tasks_taskworkflow WHERE {of}",
            }.items()
        }
    return found | {"waiting": found["ops"]["WAITING"], "ended": found["ops"]["ENDED"]}


# -- asking


class Watch:
    """Sees the statements of each request, whatever connection they go by, and how the server plans them."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.plans: list[dict[str, Any]] = []

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Inside the block."""
        from django.db.backends.postgresql.base import DatabaseWrapper
        from django.db.backends.utils import CursorWrapper

        execute, connect = CursorWrapper._execute, DatabaseWrapper.get_new_connection  # type: ignore[attr-defined]

        def seen(cursor: Any, sql: Any, *rest: Any) -> Any:
            if not re.match(r"(SAVEPOINT|RELEASE|ROLLBACK)", str(sql)):
                self.statements.append(" ".join(str(sql).split()))
            return execute(cursor, sql, *rest)

        def heard(wrapper: Any, parameters: Any) -> Any:
            made = connect(wrapper, parameters)
            made.add_notice_handler(self._note)
            return made

        CursorWrapper._execute, DatabaseWrapper.get_new_connection = seen, heard  # type: ignore[attr-defined,method-assign,assignment]
        try:
            yield
        finally:
            CursorWrapper._execute, DatabaseWrapper.get_new_connection = execute, connect  # type: ignore[attr-defined,method-assign]

    def _note(self, said: Any) -> None:
        _, _, plan = (said.message_primary or "").partition("plan:\n")
        if plan:
            self.plans.append(json.loads(plan))


@contextlib.contextmanager
def explained(house: Any, **settings: str) -> Iterator[None]:
    """Sessions that begin inside the block are told the plan of each statement, also of those inside functions."""
    told = {
        "session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_level": "notice",
        "auto_explain.log_format": "json", "auto_explain.log_nested_statements": "on", **settings,
    }  # fmt: skip
    for name, value in told.items():
        house.rows(f"ALTER DATABASE {house.name} SET {name} = '{value}'")
    try:
        yield
    finally:
        house.rows(f"ALTER DATABASE {house.name} RESET ALL")


def small_tables(house: Any, rows: int) -> frozenset[str]:
    """Those that hold no more than so many rows: a day of the history that has hardly begun is read whole, and rightly."""
    found = house.rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples BETWEEN 0 AND %s", rows)
    return frozenset(name for (name,) in found)


def read_whole(plan: Mapping[str, Any], small: Collection[str] = (), large: Sequence[str] = LARGE) -> list[str]:
    """The large tables of which a plan reads every row."""
    found: list[str] = []

    def look(node: Mapping[str, Any]) -> None:
        name = str(node.get("Relation Name", ""))
        if node["Node Type"] in ("Seq Scan", "Sample Scan") and name.startswith(tuple(large)) and name not in small:
            found.append(re.sub(r"_(default|p?\d.*)$", "", name))
        for each in node.get("Plans", ()):
            look(each)

    look(plan["Plan"])
    return sorted(set(found))


def outline(plan: Mapping[str, Any]) -> list[str]:
    """A statement, and the nodes of its plan in which a fifth of its time or more is spent, with what they read."""
    whole = plan["Plan"]["Actual Total Time"]
    found = [f"{whole:.0f} ms: {' '.join(plan['Query Text'].split())[:300]}"]

    def look(node: Mapping[str, Any], depth: int) -> None:
        spent = node["Actual Total Time"] * node["Actual Loops"]
        if spent < whole / 5:
            return
        what = " ".join(str(node[name]) for name in ("Node Type", "Index Name", "Relation Name") if name in node)
        rows = f"{node['Actual Rows'] * node['Actual Loops']:.0f} rows, {node.get('Rows Removed by Filter', 0)} removed"
        found.append(
            f"{'  ' * depth}{what}: {spent:.0f} ms, {rows}, {node.get('Shared Hit Blocks', 0)} + {node.get('Shared Read Blocks', 0)} blocks"
        )
        for each in node.get("Plans", ()):
            look(each, depth + 1)

    look(plan["Plan"], 1)
    return found


@dataclass(frozen=True)
class Ticking:
    """What a page asks for every few seconds, with a token that stands in it."""

    page: str
    token: str
    address: str


_TOKENS = {
    "PULSE": Ticking("jobs/", r'name="token" value="([^"]+)"', "live/pulse/"),
    "STATES": Ticking("workflows/WORKFLOW/", r'id="steps" data-token="([^"]+)"', "live/workflow/"),
}


@dataclass
class Company:
    """The filled house with its people's browsers."""

    house: Any
    size: Any
    rows: dict[str, Any]
    browsers: dict[str, Any]
    asked: list[Asked]
    watch: Watch = field(default_factory=Watch)
    counted: float = 0.0
    small: Collection[str] = ()
    """Tables that may be read whole."""

    def get(self, who: str, path: str) -> tuple[Any, float]:
        """The answer, and the server's time in ms. Jobs are counted as upkeep counts them, beside it."""
        if time.monotonic() > self.counted + 10:
            self.house.rows("SELECT youtility_tasks_count_queues_v1()")
            self.counted = time.monotonic()
        path = re.sub(
            r"WAITING|DEAD|ENDED|OPERATION|SCHEDULE|WORKFLOW|TENANT", lambda found: str(self.rows[who][found[0]]), path
        )
        if kind := _TOKENS.get(path):
            path = f"{kind.address}?token={self.rows[who][path]}"
        began = time.perf_counter()
        answer = self.browsers[who].get(f"/tasks/{path}")
        return answer, (time.perf_counter() - began) * 1_000

    def plans(self, asked: Sequence[tuple[str, Asked]], **settings: str) -> dict[tuple[str, str], Told]:
        """Ask for each once, to see its statements and their plans; `settings` are the server's for the sessions."""
        from django.db import connection

        found: dict[tuple[str, str], Told] = {}
        connection.close()
        with self.watch.on(), explained(self.house, **settings):
            for who, each in asked:
                if kind := _TOKENS.get(each.path):
                    said = self.get(who, kind.page)[0].content.decode()
                    (self.rows[who][each.path],) = re.findall(kind.token, said)
                self.watch.plans.clear()
                self.watch.statements.clear()
                answer, _ = self.get(who, each.path)
                told = found[who, each.path] = Told(answer.status_code, statements=list(self.watch.statements))
                for plan in self.watch.plans:
                    if whole := read_whole(plan, self.small):
                        told.read_whole.append(f"{', '.join(whole)}: {' '.join(plan['Query Text'].split())[:300]}")
            connection.close()
        return found

    def live(self, who: str, path: str) -> dict[str, tuple[int, int]]:
        """What a page asks for again by itself while somebody looks: each part with its seconds and its statements."""
        found: dict[str, tuple[int, int]] = {}
        unread, read = [path], set()
        with self.watch.on():
            while unread:
                shown = self.get(who, unread.pop())[0].content.decode()
                token = re.search(r'(?:name="token" value|data-token)="([^"]+)"', shown)
                given = f"?token={token[1]}" if token else ""
                for tag in re.findall(r"<\w+ [^>]*(?:data-live|hx-trigger=\"load)[^>]*>", shown):
                    part = re.search(r'hx-get="/tasks/([^"]*)"', tag) or re.search(r'"states": "/tasks/([^"]*)"', shown)
                    if part is None or "schedules/preview" in part[1]:
                        continue
                    address = html.unescape(part[1])
                    every = re.search(r'data-live="(\d+)"', tag)
                    if every:
                        self.watch.statements.clear()
                        answer, _ = self.get(who, address + given if address.startswith("live/") else address)
                        assert answer.status_code == 200, (address, answer.status_code)
                        found[address] = int(every[1]), len(self.watch.statements)
                    if address not in read:
                        read.add(address)
                        unread += [] if every and "load" not in tag else [address]
        return found

    def everything(self, beginning: str = "") -> list[tuple[str, Asked]]:
        """Who asks for what."""
        return [(who, each) for each in self.asked for who in each.people if re.match(beginning, each.path)]

    def look(self, beginning: str = "", *, rounds: int = 20) -> dict[tuple[str, str], Told]:
        """Every address (that begins so): its plans, its statements when it is asked again, and its times."""
        asked = self.everything(beginning)
        found = self.plans(asked)
        with self.watch.on():
            for who, each in asked:
                self.watch.statements.clear()
                self.get(who, each.path)
                found[who, each.path].statements = list(self.watch.statements)
        for _ in range(rounds):
            for who, each in asked:
                found[who, each.path].ms.append(self.get(who, each.path)[1])
        self._explain(
            [(who, each) for who, each in asked if statistics.median(found[who, each.path].ms) > MOST_MS / 2], found
        )
        return found

    def _explain(self, slow: Sequence[tuple[str, Asked]], found: Mapping[tuple[str, str], Told]) -> None:
        """EXPLAIN (ANALYZE, BUFFERS) of what is slow."""
        from django.db import connection

        connection.close()
        measured = {
            "auto_explain.log_analyze": "on",
            "auto_explain.log_buffers": "on",
            "auto_explain.log_nested_statements": "off",
        }
        with self.watch.on(), explained(self.house, **measured):
            for who, each in slow:
                self.watch.plans.clear()
                self.get(who, each.path)
                if self.watch.plans:
                    found[who, each.path].slowest = outline(
                        max(self.watch.plans, key=lambda plan: plan["Plan"]["Actual Total Time"])
                    )
            connection.close()


@contextlib.contextmanager
def company(house: Any, size: Any) -> Iterator[Company]:
    """The people of a filled house, at its pages."""
    from django.contrib.auth.models import Permission, User
    from django.contrib.contenttypes.models import ContentType
    from django.test import Client

    from youtility_tasks import members
    from youtility_tasks.tenancy import roles

    ContentType.objects.clear_cache()
    with house.settled(
        membership_resolver=None,
        allow_unsafe_database=True,
        api_statement_s=600,
        api_rate_per_s=1_000.0,
        api_burst=100_000,
    ):
        roles.act_as("web")
        browsers = {}
        for who, tenant in (("ops", None), ("big", 1), ("small", size.small)):
            user, _ = User.objects.get_or_create(username=f"{who} person")
            if tenant is None:
                user.user_permissions.add(
                    Permission.objects.get(codename="ops", content_type__app_label="youtility_tasks")
                )
            else:
                members.grant(tenant, user.get_username(), "viewer")
            browsers[who] = Client(raise_request_exception=True)
            browsers[who].force_login(user)
        rows = known(house, size)
        yield Company(house, size, rows, browsers, requests(size, rows))
    ContentType.objects.clear_cache()


@contextlib.contextmanager
def built(attempts: int, waiting: int, tenants: int, keep: Path | None = None) -> Iterator[tuple[Any, Any]]:
    """A filled house on a server of its own, and its size. It is thrown away after, or stays in a folder: there one that was made
    before is taken, and one that was cut off while it was made is gone on with."""
    from django.core.management import call_command

    from tests.benchmarks.console_ground import Size, fill
    from tests.conftest import Cluster, make_template
    from tests.tenancy.ground import House
    from youtility_tasks.standalone.server import Server
    from youtility_tasks.tenancy import apply

    folder = keep or Path(tempfile.mkdtemp(prefix="yt-console-"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    server = Server(folder, options=[word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")])
    size = Size.of(attempts, waiting, tenants)
    deed = folder / "house.json"
    """What a house is found again by, and for what size it was begun."""
    wanted = {"attempts": attempts, "waiting": waiting, "tenants": tenants}
    try:
        with server.in_use():
            cluster = Cluster(server.conninfo("postgres"), server, "console_template")
            if deed.exists():
                found = json.loads(deed.read_text(encoding="ascii"))
                if found["size"] != wanted:
                    raise SystemExit(
                        f"{folder} holds {found['size']}, not {wanted}: name another folder, or remove it."
                    )
                house = House(cluster, **found["house"])
                with house.settled():  # what has changed since
                    call_command("migrate", verbosity=0)
                    apply.make_true()
            else:
                make_template(cluster)
                house = House(cluster, cluster.copy(cluster.template))
                with house.settled():
                    apply.make_true()
                named = {"name": house.name, "prefix": house.prefix, "tenant_key": house.tenant_key}
                deed.write_text(json.dumps({"size": wanted, "house": named}), encoding="ascii")
            with house.settled():
                fill(house, size, lambda said: sys.stderr.write(said + "\n"))
            yield house, size
    finally:
        server.stop()
        if keep is None:
            shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the console's pages beside much work; JSON on stdout.")
    parser.add_argument("--attempts", type=int, default=10_000_000)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--tenants", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="a regular expression of addresses")
    parser.add_argument("--keep", type=Path, help="a folder for the database, which is taken again the next time")
    parser.add_argument("--fill-only", action="store_true", help="with --keep: make the database and measure nothing")
    given = parser.parse_args()

    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.console_settings")
    django.setup()

    from youtility_tasks.management.ending import terminable

    with terminable(), built(given.attempts, given.waiting, given.tenants, given.keep) as (house, size):
        if given.fill_only:
            return
        with company(house, size) as found:
            found.small = small_tables(house, SMALL)
            told = found.look(given.only, rounds=given.rounds)
    figures = {f"{who} {path}": each.figures() for (who, path), each in told.items()}
    wrong = {
        name: each
        for name, each in figures.items()
        if each["p95_ms"] >= MOST_MS or each["statements"] > MOST_STATEMENTS or "read_whole" in each or "status" in each
    }
    sizes = {"attempts": given.attempts, "waiting": given.waiting, "tenants": given.tenants, "rounds": given.rounds}
    sys.stdout.write(json.dumps({"sizes": sizes, "pages": figures, "wrong": wrong}, indent=1) + "\n")


if __name__ == "__main__":
    main()
