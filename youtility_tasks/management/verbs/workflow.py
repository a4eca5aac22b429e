"""`workflow`: runs and their steps, signals, cancel and retry; definitions stored as templates."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks.documents import workflows as documents
from youtility_tasks.errors import Refused
from youtility_tasks.models import TaskWorkflow
from youtility_tasks.models.workflows import FLOW_STATUSES
from youtility_tasks.workflows import picture, runs, templates
from youtility_tasks.workflows.runs import RetryMode

from . import arguments
from .answer import Answer, BadUsage, table
from .scope import Scope

NAME = "workflow"
SCOPE = Scope.CHOSEN
HELP = "List runs, show one with its steps, start a template, send a signal, cancel, retry, store a definition."
EXAMPLES = (
    "workflow list --status running",
    "workflow show 14 --tenant 7",
    "workflow retry 14 --mode failed --tenant 7 --reason 'server is back'",
)

_USAGE = (
    "Right is: workflow [list] [--status S] [--name W], workflow show ID, workflow start TEMPLATE [--version N] [--context JSON] [--reason TEXT], workflow signal ID "
    "NAME [--payload JSON] [--reason TEXT], workflow cancel ID [--reason TEXT], workflow retry ID [--mode failed|failed_downstream|all] [--reason TEXT], "
    "workflow templates, or workflow save FILE."
)


def add_arguments(parser: CommandParser) -> None:
    acts = ["list", "show", "start", "signal", "cancel", "retry", "templates", "save"]
    parser.add_argument("act", nargs="?", choices=acts, default="list", help="default: list")
    parser.add_argument(
        "target", nargs="?", metavar="ID|TEMPLATE|FILE", help="the run; start: a template; save: a file of JSON"
    )
    parser.add_argument("signal", nargs="?", type=arguments.words, metavar="NAME", help="signal: its name")
    arguments.add_tenant_or_all(parser)
    parser.add_argument("--status", choices=FLOW_STATUSES, help="list: only runs of this status")
    parser.add_argument("--name", metavar="W", help="list: only runs of this workflow; save: the template's name")
    parser.add_argument(
        "--limit", type=arguments.count, default=50, metavar="N", help="list, show: at most so many (default: 50)"
    )
    parser.add_argument(
        "--version",
        type=arguments.running,
        metavar="N",
        help="start: this version of the template (default: the newest)",
    )
    parser.add_argument("--context", metavar="JSON", help="start: what steps may refer to, an object")
    parser.add_argument("--payload", metavar="JSON", help="signal: the result of its step")
    parser.add_argument(
        "--mode", choices=[each.value for each in RetryMode], help="retry: what of it (default: failed)"
    )
    parser.add_argument(
        "--reason", type=arguments.words, metavar="TEXT", help="start, signal, cancel, retry: kept in the audit log"
    )


_TAKES: dict[str, set[str]] = {
    "list": {"status", "name"},
    "show": set(),
    "start": {"version", "context", "reason"},
    "signal": {"signal", "payload", "reason"},
    "cancel": {"reason"},
    "retry": {"mode", "reason"},
    "templates": set(),
    "save": {"name"},
}


def run(options: Namespace) -> Answer:
    words = ("status", "name", "version", "context", "signal", "payload", "mode", "reason")
    given = {each for each in words if getattr(options, each) is not None}
    if not given <= _TAKES[options.act] or (options.target is None) != (options.act in {"list", "templates"}):
        raise BadUsage(_USAGE)
    match options.act:
        case "list":
            return _list(options)
        case "templates":
            return _templates()
        case "save":
            return _save(options)
        case "start":
            return _start(options)
        case "show":
            return _show(options)
        case "signal":
            return _signal(options)
        case "cancel":
            workflow_id = _id(options)
            with arguments.in_tenant(options):
                done = runs.cancel(workflow_id, options.reason or "")
            said = f"Workflow {workflow_id}: {done.cancelled} steps will not begin, {done.aborting} that run were asked to end."
            return Answer({"id": workflow_id, "cancelled": done.cancelled, "aborting": done.aborting}, [said])
    workflow_id, mode = _id(options), options.mode or RetryMode.FAILED.value
    with arguments.in_tenant(options):
        again = runs.retry(workflow_id, mode, options.reason or "")
    return Answer(
        {"id": workflow_id, "mode": mode, "steps": again},
        [f"Workflow {workflow_id} runs again: {again} steps begin anew ({mode})."],
    )


def _id(options: Namespace) -> int:
    text = options.target or ""
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        raise BadUsage(f"{text!r} is no workflow's id. {_USAGE}")
    return int(text)


def _json(what: str, text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadUsage(f"--{what} is no JSON: {error}. Text needs quotes: '\"yes\"'.") from None


def _list(options: Namespace) -> Answer:
    found = TaskWorkflow.objects.outermost().for_tenant(options.tenant).defer("context", "reason").order_by("-id")
    if options.status is not None:
        found = found.filter(status=options.status)
    if options.name is not None:
        found = found.filter(name=options.name)
    listed = list(found[: options.limit])
    rows = [
        (
            each.pk,
            each.name,
            each.tenant_id,
            each.status,
            each.open_count,
            each.failed_count,
            each.started_at,
            each.ended_at,
        )
        for each in listed
    ]
    headings = ("id", "workflow", "tenant", "status", "open", "failed", "started", "ended")
    return Answer(
        {"workflows": [documents.run(each) for each in listed]},
        [table(headings, rows, empty="No workflow has run here.")],
    )


def _show(options: Namespace) -> Answer:
    workflow_id = _id(options)
    with arguments.in_tenant(options):
        row = runs.find(workflow_id)
        lines = picture.steps(row, most=options.limit)
    rows = [
        (
            "  " * each.depth + each.name, each.kind, each.shown_status, ", ".join(f"{kind} of {name}" for name, kind in each.after.items()),
            each.job_id, each.released_at, each.ended_at,
        )
        for each in lines
    ]  # fmt: skip
    headings = ("step", "kind", "status", "after", "job", "released", "ended")
    page = [
        f"Workflow {row.pk} ({row.name}), tenant {row.tenant_id}: {row.status}",
        table(headings, rows, empty="It has no steps."),
    ]
    return Answer({"workflow": documents.run(row), "steps": [documents.step(each) for each in lines]}, page)


def _start(options: Namespace) -> Answer:
    context = _json("context", options.context)
    if context is not None and not isinstance(context, dict):
        raise BadUsage(f"--context is {options.context!r:.80}; right is an object: '{{\"ticket\": 7}}'.")
    with arguments.in_tenant(options):
        started, flow = templates.begin(options.target, options.version, context, reason=options.reason or "")
    name, version = flow.template or (options.target, 0)
    return Answer(
        {"id": started.id, "template": name, "version": version},
        [f"Workflow {started.id} ({flow.name}) has begun: {name} v{version}."],
    )


def _signal(options: Namespace) -> Answer:
    workflow_id, payload = _id(options), _json("payload", options.payload)
    if options.signal is None:
        raise BadUsage(f"Which signal? {_USAGE}")
    with arguments.in_tenant(options):
        runs.signal(workflow_id, options.signal, payload, reason=options.reason or "")
    return Answer(
        {"id": workflow_id, "signal": options.signal},
        [f"Signal {options.signal!r} was sent to workflow {workflow_id}."],
    )


def _templates() -> Answer:
    found = templates.newest()
    rows = [(each["name"], each["version"], each["tenant_id"] or "all") for each in found]
    page = table(("template", "newest version", "tenant"), rows, empty="No template is stored: `workflow save FILE`.")
    return Answer(
        {"templates": [{"name": n, "version": v, "tenant": 0 if t == "all" else t} for n, v, t in rows]}, [page]
    )


def _save(options: Namespace) -> Answer:
    try:
        data = json.loads(Path(options.target).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"{options.target!r} cannot be read as JSON: {error}.") from None
    with arguments.in_tenant(options):
        flow = templates.from_data(data)
        name = options.name or flow.name
        version = templates.save(flow, name)
    return Answer({"template": name, "version": version}, [f"Template {name!r} is stored as version {version}."])
