"""Which jobs an act is meant for, and how its answer is shown; shared by `cancel`, `retry` and `discard`."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

from django.core.management.base import CommandParser

from youtility_tasks import acts
from youtility_tasks.acts import Acts
from youtility_tasks.documents import jobs as documents
from youtility_tasks.errors import Refused
from youtility_tasks.status import JobStatus
from youtility_tasks.tenants import tenant

from . import arguments
from .answer import OK, REFUSED, Answer, BadUsage, table


def add_arguments(parser: CommandParser, *, meant: str, reason: str = "kept in the history") -> None:
    """Ids, or filters that choose the jobs; `meant` says which jobs the filters choose from, `reason` what becomes of one."""
    parser.add_argument("ids", nargs="*", type=arguments.job_id, metavar="ID", help="the jobs")
    arguments.add_filters(parser, since=False, default_limit=None)
    parser.add_argument("--all", action="store_true", help=f"every {meant} (of the tenant)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--reason", default="", help=reason)


def run(
    options: Namespace, chosen_from: JobStatus, act: Callable[[Sequence[int]], Acts], would: acts.Participle
) -> Answer:
    """Act on the jobs named by id, or on those with that status that the filters choose; `would` names the act."""
    is_filtered = options.queue is not None or options.task is not None or options.all
    if options.ids and (is_filtered or options.limit):
        raise BadUsage("Give ids, or filters that choose the jobs, not both.")
    if not (options.ids or is_filtered):
        raise BadUsage("Which jobs? Give ids, or --queue, --task or --all.")
    with tenant(options.tenant) if options.tenant is not None else contextlib.nullcontext():
        ids = options.ids or acts.choose(
            chosen_from, queue_name=options.queue, task_name=options.task, limit=options.limit
        )
        if not ids:
            arguments.explain_nothing(options)
        if options.dry_run:
            return _would(*(acts.could_be(would, ids) if options.ids else (ids, {})))
        done = act(ids)
    return answer(done)


def _would(ids: Sequence[int], refused: Mapping[int, Refused]) -> Answer:
    return Answer(
        {"ok": not refused, "dry_run": True, "would": ids, "refused": documents.refused(refused)},
        [f"Would act on {len(ids)}: {_some(ids)}"],
        REFUSED if refused else OK,
        [str(error) for error in refused.values()],
    )


def answer(acted: Acts) -> Answer:
    """What was done to which jobs, and why the others were left alone."""
    done = documents.all_acted(acted.done)
    refused = documents.refused(acted.refused)
    rows = [(each["id"], each["task"], each["queue"], each["tenant"] or "all", each["becomes"]) for each in done]
    page = [table(("id", "task", "queue", "tenant", "becomes"), rows, empty="Nothing was changed.")]
    return Answer(
        {"ok": not refused, "done": done, "refused": refused},
        page,
        REFUSED if refused else OK,
        [str(each["message"]) for each in refused],
    )


def _some(ids: Sequence[int], most: int = 20) -> str:
    shown = ", ".join(map(str, ids[:most]))
    return (shown if len(ids) <= most else f"{shown}, ...") or "none"
