"""How every verb behaves: help with lines to copy, closed pipes, narrow terminals, one document, no database."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import load_command_class
from django.core.management.base import OutputWrapper
from django.db import OperationalError

from youtility_tasks.management import printing
from youtility_tasks.management.verbs import VERBS, scope
from youtility_tasks.management.verbs.answer import table

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def parser():
    command = load_command_class("youtility_tasks", "manage_task_queue")
    command._called_from_command_line = True
    return command.create_parser("manage.py", "manage_task_queue")


@pytest.mark.parametrize("verb", [*VERBS], ids=lambda verb: verb.NAME)
def test_each_verb_shows_lines_that_its_own_parser_takes(parser, verb, capsys):
    with pytest.raises(SystemExit) as end:
        parser.parse_args([verb.NAME, "--help"])
    shown = capsys.readouterr().out

    assert end.value.code == 0
    assert verb.EXAMPLES
    for line in verb.EXAMPLES:
        assert f"manage_task_queue {line}" in shown
        words = shlex.split(line.split(" | ")[0], comments=True)
        assert parser.parse_args(words).verb == verb.NAME


def test_each_verb_is_named_in_the_commands_own_help(parser):
    assert all(f"\n{verb.NAME} " in parser.description for verb in VERBS)


@pytest.mark.parametrize(
    ("typed", "code", "are_loaded"), [("stats", 0, False), ("--help", 0, True), ("nonsense", 2, True)]
)
def test_only_the_verb_that_is_typed_is_loaded(typed, code, are_loaded):
    program = f"""
import atexit, sys
from django.core.management import execute_from_command_line
atexit.register(lambda: print("youtility_tasks.management.verbs.monitor" in sys.modules, file=sys.stderr))
execute_from_command_line(["manage.py", "manage_task_queue", {typed!r}, "--help"])
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)

    assert (done.returncode, done.stderr.splitlines()[-1]) == (code, str(are_loaded))


def test_a_word_that_is_no_verb_is_told_all_of_them(capsys):
    command = load_command_class("youtility_tasks", "manage_task_queue")

    with pytest.raises(SystemExit):
        command.run_from_argv(["manage.py", "manage_task_queue", "nonsense"])

    said = capsys.readouterr().err
    assert all(f"'{name}'" in said for name in VERBS.names)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if getattr(verb, "CAN_WATCH", False)], ids=lambda v: v.NAME)
def test_what_can_be_watched_is_no_document(parser, verb, manage):
    given = ("1",) if verb.NAME == "why" else ()

    said = manage(verb.NAME, *given, "--watch", "5", "--json")

    assert said.code == 2 and "--watch" in said.err


@pytest.mark.parametrize("given", ["0", "0.5", "-1", "nan", "99999999", "x"])
def test_watching_has_a_measure(manage, given):
    said = manage("stats", f"--watch={given}")

    assert said.code == 2 and "1 to 86400" in said.err


@pytest.mark.django_db
def test_watching_shows_it_again_until_somebody_stops_it(manage, monkeypatch):
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("youtility_tasks.management.verb_command.time.sleep", sleep)

    said = manage("stats", "--watch", "5")

    assert said.code == 0 and slept == [5, 5] and said.out.count("oldest waits") == 2


@pytest.mark.parametrize("as_json", [True, False])
def test_without_a_database_it_says_so_once(manage, monkeypatch, as_json):
    def fail(*_: object) -> None:
        raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr(scope, "entered", fail)

    said = manage("stats", *(["--json"] if as_json else []))

    assert said.code == 1 and said.err.startswith("connection refused. The database does not answer")
    assert "Is the server" not in said.err and "Traceback" not in said.err
    assert (said.out == "") is not as_json


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [200, 80, 40, 12, 1])
def test_a_table_is_read_at_any_width(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = _Terminal()
    rows = [(88120, "failed", "send_ticket_email", "email", "the window [broke] at 2026-11-24")]

    printing.as_page(OutputWrapper(out), [table(("id", "status", "task", "queue", "error"), rows, empty="")])

    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    joined = "".join(lines).replace(" ", "")
    assert "88120" in joined and "send_ticket_email" in joined
    if columns >= 12:
        assert any("88120" in line for line in lines)


def test_with_no_color_nothing_is_coloured(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    out = _Terminal()

    printing.as_page(OutputWrapper(out), [table(("id",), [(1,)], empty="")])

    assert "\x1b[3" not in out.getvalue()


def test_a_reader_who_has_seen_enough_is_no_fault():
    script = (
        "import sys\nimport django\ndjango.setup()\nfrom django.core.management.base import OutputWrapper\n"
        "from youtility_tasks.management import printing\n"
        "sys.stdin.read()\n"  # until the reader has gone
        "printing.as_json(OutputWrapper(sys.stdout), {'jobs': ['x' * 100] * 10_000})\n"
    )
    read_end, write_end = os.pipe()
    program = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=write_end,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "youtility_tasks.standalone.settings"},
    )
    os.close(write_end)
    os.close(read_end)

    _, err = program.communicate(b"", timeout=60)

    assert (program.returncode, err) == (0, b"")
