"""`bench_task_queue`: measure this package and its peers side by side on a database of the bench's own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from youtility_tasks.bench import deep, page, run, table
from youtility_tasks.bench.errors import BenchError, UnknownPeer
from youtility_tasks.bench.measures import MEASURES, Sizes
from youtility_tasks.management import printing, words
from youtility_tasks.management.ending import terminable

_QUICK = Sizes(single=500, bulk=2000, drain=2000, pickup=50, idle_s=5, rounds=1)
_COUNT = words.whole(1, 1_000_000_000)
_USUAL = frozenset({"enqueue", "bulk", "drain", "pickup", "startup"})


class Command(BaseCommand):
    help = (
        "Measure enqueue, drain, pickup, start-up, idle cost, memory and a deep queue of this package, and of its peers with "
        "--against, with real worker processes on a PostgreSQL of its own (fsync on). The project's database is not touched."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--against", type=_words, default=[], metavar="A,B", help="procrastinate, pgqueuer, celery")
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")
        parser.add_argument("--quick", action="store_true", help="a short form: one round of small numbers")
        parser.add_argument(
            "--only", type=_words, metavar="A,B", help=f"{', '.join(MEASURES)}, deep, all (default: the first five)"
        )
        for name, meaning in (
            ("single", "jobs enqueued one by one"),
            ("bulk", "jobs enqueued in batches of 1,000"),
            ("drain", "jobs in a backlog that is drained"),
            ("pickup", "jobs whose wait is measured"),
            ("rounds", "times that each system takes its turn"),
        ):
            parser.add_argument(
                f"--{name}", type=_COUNT, metavar="N", help=f"{meaning} (default {getattr(Sizes(), name)})"
            )
        parser.add_argument(
            "--idle-s",
            type=words.positive(3_600),
            metavar="S",
            help="seconds of watching an idle worker (default 30)",
        )
        for name in deep.Depths.__dataclass_fields__:
            parser.add_argument(
                f"--deep-{name}", type=_COUNT, metavar="N", help=f"(default {getattr(deep.Depths(), name):,})"
            )
        parser.add_argument(
            "--processes",
            type=words.whole(1, 256),
            metavar="N",
            help="for our worker (default: as high_priority is configured)",
        )
        parser.add_argument(
            "--threads",
            type=words.whole(1, 256),
            metavar="N",
            help="for our worker (default: as high_priority is configured)",
        )
        parser.add_argument(
            "--database-url", metavar="URL", help="a server to use instead; its role must create databases"
        )
        parser.add_argument("--save", type=words.new_file, metavar="FILE", help="store the JSON document too")
        parser.add_argument("--load", type=Path, metavar="FILE", help="measure nothing; show a stored document")
        parser.add_argument(
            "--charts", type=words.folder, metavar="FOLDER", help="write SVG charts and a page around them"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            document = _stored(options["load"]) if options["load"] else self._measured(options)
        except UnknownPeer as error:
            raise CommandError(str(error), returncode=2) from error
        except (BenchError, OSError) as error:
            raise CommandError(str(error)) from error
        if options["save"]:
            options["save"].write_text(json.dumps(document, indent=2) + "\n", encoding="ascii")
        if options["charts"]:
            page.write(document, options["charts"])
        if options["as_json"]:
            printing.as_json(self.stdout, document)
        else:
            printing.as_page(self.stdout, table.tables(document))

    def _measured(self, options: dict[str, Any]) -> dict[str, Any]:
        base = _QUICK if options["quick"] else Sizes()
        sizes = Sizes(**{name: _first(options.get(name), getattr(base, name)) for name in Sizes.__dataclass_fields__})
        depths = deep.Depths(
            **{
                name: _first(options[f"deep_{name}"], getattr(deep.Depths(), name))
                for name in deep.Depths.__dataclass_fields__
            }
        )
        with terminable():
            return run.run(
                run.known_peers(options["against"]),
                sizes,
                wanted=_wanted(options["only"]),
                depths=depths,
                url=options["database_url"],
                worker_words=[
                    word
                    for name in ("processes", "threads")
                    if options[name]
                    for word in (f"--{name}", str(options[name]))
                ],
                say=self._say,
            )

    def _say(self, text: str) -> None:
        self.stderr.write(text)
        self.stderr.flush()


def _words(text: str) -> list[str]:
    named = [word.strip() for word in text.split(",") if word.strip()]
    if not named:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return named


def _stored(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
        if not isinstance(document, dict):
            raise ValueError(f"it is a {type(document).__name__}")
    except ValueError as error:
        raise CommandError(
            f"{str(path)!r} is no JSON document ({error}); right is one that --save has written."
        ) from error
    return document


def _wanted(only: list[str] | None) -> frozenset[str]:
    known = {*MEASURES, "deep"}
    if only is None:
        return _USUAL
    if "all" in only:
        return frozenset(known)
    for name in only:
        if name not in known:
            raise CommandError(
                f"Nothing that is measured is called {name!r}; known: {', '.join(sorted(known))}.", returncode=2
            )
    return frozenset(only)


def _first(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given
