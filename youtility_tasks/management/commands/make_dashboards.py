"""`make_dashboards`: Grafana's boards and Prometheus's rules as files, from what the queues promise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from youtility_tasks.errors import ConfigurationError
from youtility_tasks.grafana import rules
from youtility_tasks.grafana.rule import Places, Tempo
from youtility_tasks.management import words

_TASK = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class Command(BaseCommand):
    help = "Write alert rules (rules/) and boards (boards/) made from YOUTILITY_TASKS['objectives']; asks no database."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, default=Path("grafana"), metavar="FOLDER", help="grafana")
        parser.add_argument("--console", default="/tasks", metavar="URL", help="of the pages, that alerts link to: https://example.org/tasks")  # fmt: skip
        parser.add_argument("--runbooks", default="grafana/runbooks", metavar="URL", help="of the folder of the runbooks")  # fmt: skip
        parser.add_argument("--heartbeat", metavar="TASK", help="a task that runs each minute: tell when it does not")
        parser.add_argument("--times-faster", type=words.whole(1, 600), default=1, metavar="N", help="for a rehearsal of alerts: each window, wait and limit of time is N times shorter, those of promises aside; workers add up their attempts every 15 s at the soonest (upkeep_interval_s), so 5 is as much as one on a real house bears")  # fmt: skip
        parser.add_argument("--check", action="store_true", help="write nothing; status 1 if a file differs")

    def handle(self, *args: Any, **options: Any) -> None:
        heartbeat, folder = options["heartbeat"], options["to"]
        if heartbeat is not None and not _TASK.fullmatch(heartbeat):
            raise CommandError(
                f"--heartbeat {heartbeat!r} is no task's name; right is one of `manage_task_queue tasks`.", returncode=2
            )
        places = Places(options["console"].rstrip("/"), options["runbooks"].rstrip("/"))
        try:
            files = {
                "rules/youtility_tasks.yml": rules.text(
                    places, heartbeat=heartbeat, tempo=Tempo(options["times_faster"])
                ),
                **_boards(),
            }
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=2) from error
        if options["check"]:
            old = [name for name, text in files.items() if not _is(folder / name, text)]
            if old:
                raise CommandError(f"Not as made in {folder}: {', '.join(old)}. Run this again without --check.")
            return
        try:
            for name, text in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"Nothing can be written to {folder}: {error}. Choose another --to.") from error
        self.stderr.write(f"{len(files)} files in {folder}")


def _boards() -> dict[str, str]:
    try:
        from youtility_tasks.grafana import boards, panel
    except ModuleNotFoundError as error:
        raise CommandError(
            f"Boards need the package {error.name}: pip install 'youtility-tasks[grafana]'.", returncode=2
        ) from error
    return {f"boards/{name}.json": panel.written(board) for name, board in boards.all_of_them().items()}


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
