"""A secret goes through everything that a job can meet, with real workers; afterwards it is nowhere to be read."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import warm
from tests.acceptance import stock
from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import QUICK, REPOSITORY, Crew, until
from tests.conftest import Cluster
from youtility_tasks.standalone.server import Server

CORES = ["canary5f21", "second77c0line", "birdname93aa", "bird83b1@nest.example"]
"""What is looked for: parts of the values, without the characters that some notation writes otherwise."""
TOKEN = "canary5f21 \"ü\" <&>\n  second77c0line '%s' {x}"
PERSON = {"name": "birdname93aa Äß", "mail": ["bird83b1@nest.example"], "age": 41, "number": 5550199123}

KEY_1, KEY_2 = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
FIRST = {"secret_keys": {"first": KEY_1}}
SECOND = {"secret_keys": {"second": KEY_2, "first": KEY_1}}


class Aviary:
    """The crew, and everything that anybody said in the course of it."""

    def __init__(self, crew: Crew, **settings: Any) -> None:
        self.crew, self.settings = crew, settings
        self.said: list[str] = []
        self.server_log: tuple[Path, int] | None = None

    def note_statements(self, server: Server | None) -> None:
        """Let the server write down every statement with its parameters, from now on; one that is not ours is not asked."""
        if server is not None:
            ((name,),) = self.crew.queue.rows("SELECT current_database()")
            self.crew.queue.rows(f"ALTER DATABASE {name} SET log_statement = 'all'")
            self.crew.queue.rows(f"ALTER DATABASE {name} SET log_parameter_max_length = -1")
            self.server_log = server.log, server.log.stat().st_size

    def run(self, *arguments: str, stdin: str = "", **settings: Any) -> subprocess.CompletedProcess[str]:
        """A command of the project, at DEBUG; what it says is remembered."""
        done = warm.run(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env={
                **self.crew.env,
                "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings",
                "DJANGO_DEBUG": "1",
                "LOG_LEVEL": "DEBUG",
                "TEST_SETTINGS": json.dumps({**QUICK, **self.settings, **settings}),
            },
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said += [f"{arguments} said {done.stdout}", f"{arguments} said {done.stderr}"]
        return done

    def manage(self, *words: str, stdin: str = "", **settings: Any) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "django", "manage_task_queue", *words, stdin=stdin, **settings)

    def look_around(self, *questions: list[str]) -> list[str]:
        """What `manage_task_queue` answers to each of these, in one process."""
        done = self.run("-m", "tests.acceptance.app.looks_around", stdin=json.dumps(questions))
        assert done.returncode == 0, done.stderr
        told: list[str] = json.loads(done.stdout)
        return told

    def read_pages(self) -> str:
        """Every page of the admin, as somebody who may see all; what they show is remembered."""
        done = self.run("-m", "tests.acceptance.app.reads_pages")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def enqueue(self, *hows: str, name: str = "is_told", **more: Any) -> list[int]:
        told = {"person": PERSON} if name.startswith("is_told") else {}
        calls = [[name, {**({"how": how} if told else {}), "token": TOKEN, **told, **more}] for how in hows]
        done = self.run("-m", "tests.acceptance.app.enqueues_hidden", stdin=json.dumps(calls))
        assert done.returncode == 0, done.stderr
        assert "accepted what" not in done.stderr
        return [int(each) for each in json.loads(done.stdout)]

    def tables(self) -> Iterator[str]:
        """Every table of the database, also PostgreSQL's own that hold what others sent, as text."""
        with psycopg.connect(self.crew.queue.url) as connection:
            names = connection.execute(
                "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            assert len(names) > 20
            queries = [f"COPY {name} TO STDOUT" for (name,) in names if not name.endswith("youtility_tasks_history")]
            for query in [
                *queries,
                "COPY (SELECT * FROM pg_stat_activity) TO STDOUT",
                "COPY (SELECT * FROM pg_stats) TO STDOUT",
            ]:
                with connection.cursor().copy(query) as copy:
                    yield f"{query}: " + b"".join(bytes(block) for block in copy).decode()

    def everything(self) -> Iterator[str]:
        yield from self.said
        for file in sorted(self.crew.folder.iterdir()):
            if file.is_file():
                yield f"{file.name}: {file.read_text(errors='replace')}"
        yield from self.tables()
        if self.server_log is not None:
            path, begin = self.server_log
            written = path.read_bytes()[begin:].decode(errors="replace")
            assert "youtility_tasks_pump" in written and "$sealed" in written
            yield f"statements: {written}"

    def sightings(self) -> list[str]:
        """Where a canary is to be read: some words around each."""
        forms = CORES + [
            base64.b64encode(b"\0" * shift + core.encode()).decode()[4:-4] for core in CORES for shift in range(3)
        ]
        found = []
        for text in self.everything():
            for form in forms:
                at = text.find(form)
                if at >= 0:
                    found.append(f"{text[:60]} ... {text[max(0, at - 200) : at + 60]}")
        return found


@pytest.fixture
def aviary(crew: Crew) -> Aviary:
    return Aviary(crew, **FIRST)


def test_a_search_that_would_see_a_canary_sees_one(aviary: Aviary) -> None:
    """The search itself: in a column, in a log, and in the answer of a command."""
    aviary.crew.queue.put("adds", note=TOKEN)
    (aviary.crew.folder / "log-0").write_text(TOKEN)
    aviary.said.append(json.dumps(PERSON))

    assert {seen.partition(":")[0].split()[0] for seen in aviary.sightings()} == {"COPY", "log-0", '{"name"'}


@pytest.mark.timeout(300)
def test_a_canary_is_nowhere_to_be_read(aviary: Aviary, cluster: Cluster) -> None:
    crew = aviary.crew
    aviary.note_statements(cluster.server)
    of_text = told_everything(aviary)
    crew.supervisors[0].process.terminate()
    assert crew.supervisors[0].wait() == 0
    sync = told_everything(aviary, "--json-logs")

    # People look, and act.
    shows = [["show", str(job_id), "--args"] for job_id in (*of_text[1:4], *sync)]
    for shown in aviary.look_around(*(words + ["--json"] * (n % 2) for n, words in enumerate(shows))):
        assert "[secret]" in shown
    lists = [["jobs"], ["dead-letters"], ["stats"], ["doctor"], ["workers"], ["show", str(sync[2]), "--args"]]
    assert all(aviary.look_around(*lists, *([*words, "--json"] for words in lists)))
    pages = aviary.read_pages()
    assert "/admin/youtility_tasks/taskexecutionhistory/?q=1: " in pages and "a bug [secret]" in pages
    assert all(f"/admin/youtility_tasks/job/{job_id}/change/: " in pages for job_id in sync[2:])
    aviary.run("-m", "django", "procrastinate", "shell", stdin="list_jobs details=true\nlist_tasks\nlist_queues\nEOF\n")
    assert aviary.manage("rekey", "--json", **SECOND).returncode == 0

    crew.supervisors[1].process.terminate()
    assert crew.supervisors[1].wait() == 0
    assert aviary.manage("retry", str(sync[2]), str(sync[3]), "--json").returncode == 0
    assert aviary.manage("discard", str(sync[4]), "--json").returncode == 0
    crew.start(log_level="DEBUG", **SECOND)
    for job_id in (sync[2], sync[3]):
        assert crew.queue.ending(job_id)["error_class"] in {"builtins.ValueError", "youtility_tasks.errors.BadInput"}
    aviary.manage("dead-letters", "--json")
    aviary.read_pages()

    assert aviary.sightings() == []


def told_everything(aviary: Aviary, *options: str) -> list[int]:
    """Every way in which a task can end has had the secret, in a worker with these options; the jobs of sync tasks."""
    crew = aviary.crew
    crew.start(*options, processes=2, log_level="DEBUG", max_crashes=2, **FIRST)
    sync = aviary.enqueue("ok", "retry", "bug", "bad", "segfault", "exit")
    floods = aviary.enqueue("ok", flood=True)
    coroutines = aviary.enqueue("ok", "retry", "bug", name="is_told_async")
    by_hand = aviary.manage(
        "submit", "is_told", "--json-args", "-", "--json", stdin=json.dumps({"how": "ok", "token": TOKEN})
    )
    assert by_hand.returncode == 0
    aviary.manage("submit", "is_told", "--json-args", "-", stdin=json.dumps({"how": "ok", "token": TOKEN})[:-1])
    jobs = [*sync, *floods, *coroutines, json.loads(by_hand.stdout)["job"]["id"]]
    endings = {job_id: crew.queue.ending(job_id, within_s=60) for job_id in jobs}

    # The tasks ran with the values, and what they said of them is kept, but for the values.
    assert [endings[job_id]["outcome"] for job_id in sync] == [
        "succeeded", "succeeded", "failed", "bad_input", "crashed", "crashed",
    ]  # fmt: skip
    assert endings[sync[0]]["result"] == {
        "token": "[secret]",
        "nested": [{"name": "[pii]", "mail": ["[pii]"], "age": 41, "number": "[pii]"}, {"[secret]": "b'[secret]'"}],
    }
    assert endings[sync[2]]["error_message"].startswith("a bug [secret]....")
    assert "ValueError: a bug [secret]" in endings[sync[2]]["traceback"]
    assert "token [secret] {'name': '[pii]'" in endings[sync[0]]["output"]
    assert "from a thread [secret]" in crew.supervisors[-1].log.read_text()
    assert endings[sync[0]]["args"]["how"] == "ok" and endings[sync[0]]["args"]["token"]["key"] == "first"
    return sync


def test_a_canary_that_no_task_has_marked_is_seen_on_the_pages(aviary: Aviary) -> None:
    """The search of the pages itself: a word that is marked nowhere, in a reason that an operator gave."""
    aviary.manage("pause", "--queue", "email", "--reason", TOKEN)
    aviary.said.clear()

    aviary.read_pages()

    assert "canary5f21" in aviary.said[0]


RUN, OUTPUT, SCRUBBING = (
    "youtility_tasks.workers.run",
    "youtility_tasks.workers.output",
    "youtility_tasks.secrets.scrubbing",
)


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("mutant", "seen_in"),
    [
        (Mutant(RUN, "_told", "scrub(payload.safe(str, error))", "payload.safe(str, error)"), {"COPY"}),
        (Mutant(RUN, "_told", "scrub(_traceback(error))", "_traceback(error)"), {"COPY", "log"}),
        (
            Mutant(RUN, "Run.keep", "cleaned if self.hidden is None else self.hidden.json(cleaned)", "cleaned"),
            {"COPY", "log"},
        ),
        (Mutant(RUN, "_ending", "said.text(hidden)", "said.text()"), {"COPY"}),
        (Mutant(OUTPUT, "_Tee.write", "scrubbing.scrub(text)", "text"), {"log"}),
        (Mutant(SCRUBBING, "scrub_record", "record.msg, record.args = scrubbed, None", "pass"), {"log"}),
        (Mutant(SCRUBBING, "scrub_record", "record.exc_info, record.exc_text = None, scrubbed", "pass"), {"log"}),
        (Mutant(SCRUBBING, "Scrubber.learn", "for item in value.values():", "for item in ():"), {"log", "COPY"}),
        (Mutant(SCRUBBING, "_forms", "if len(lines) > 1:", "if False:"), {"log", "COPY"}),
    ],
    ids=["message", "traceback", "result", "kept output", "stream", "log message", "log exception", "nested", "lines"],
)
def test_a_canary_is_seen_where_its_guard_is_gone(aviary: Aviary, mutant: Mutant, seen_in: set[str]) -> None:
    jobs = aviary.enqueue(
        "ok", "bad"
    )  # before anybody runs them: what it prints of their results would be a sighting, too
    aviary.crew.start(mutant=mutant, log_level="DEBUG", **FIRST)
    for job_id in jobs:
        aviary.crew.queue.ending(job_id)

    seen = {sighting.partition(" ")[0].partition("-")[0] for sighting in aviary.sightings()}

    assert seen == seen_in


def test_a_canary_is_seen_in_a_stock_workers_log_where_its_guard_is_gone(crew: Crew) -> None:
    mutant = Mutant(RUN, "call_in_place", "error if run.hidden is None else run.hidden.error(error)", "error")

    with pytest.raises(AssertionError):
        test_a_canary_that_a_stock_worker_runs_is_in_neither_its_log_nor_the_database(crew, mutant)


def test_a_canary_that_a_stock_worker_runs_is_in_neither_its_log_nor_the_database(
    crew: Crew, mutant: Mutant | None = None
) -> None:
    """What a task prints there is procrastinate's process's own; what it logs goes through us."""
    aviary = Aviary(crew)
    aviary.enqueue("ok", "bug", prints=False)

    env = {} if mutant is None else {"TEST_MUTANT": json.dumps(mutant)}
    with stock.worker(crew, "--one-shot", LOG_LEVEL="DEBUG", **env) as worker:
        said, _ = worker.communicate(timeout=60)

    aviary.said.append(said.decode())
    assert "info person={'name': '[pii]'" in said.decode()
    assert "TaskError: ValueError: a bug [secret]" in said.decode()
    assert aviary.sightings() == []


def test_a_job_waits_until_a_worker_has_its_key(aviary: Aviary) -> None:
    crew = aviary.crew
    (job_id,) = aviary.enqueue("ok", name="opens_old")
    crew.start(secret_keys={"second": KEY_2}, retry_delay_factor=0.001)
    until(lambda: len(crew.queue.attempts(job_id)) >= 2, why="it is tried again, though its task has one attempt")

    rows = crew.queue.rows("SELECT error_class, error_message FROM youtility_tasks_history WHERE job_id = %s", job_id)
    assert {kind for kind, _ in rows} == {"youtility_tasks.errors.UnknownSecretKey"}
    assert all("'first'" in says and "YOUTILITY_TASKS['secret_keys']" in says for _, says in rows)
    doctor = json.loads(aviary.manage("doctor", "--json", secret_keys={"second": KEY_2}).stdout)
    assert "'first' (1 jobs)" in next(each["found"] for each in doctor["checks"] if each["name"] == "secret keys")
    rekey = aviary.manage("rekey", secret_keys={"second": KEY_2})
    assert (rekey.returncode, "'first'" in rekey.stderr) == (1, True)

    crew.supervisors[0].process.terminate()
    crew.supervisors[0].wait()
    crew.start(**SECOND)
    assert crew.queue.ending(job_id)["result"] is True
