"""`setup_task_queue`: make the database ready, and prove that it is. Running it twice changes nothing."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, OperationalError

from youtility_tasks import metrics
from youtility_tasks.conf import settings
from youtility_tasks.doctor import safety, schema, steps
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.management import printing
from youtility_tasks.schedules import defaults
from youtility_tasks.tenancy import apply, check, plan, roles
from youtility_tasks.upkeep import history_days


class Command(BaseCommand):
    help = (
        "Run all migrations that are pending, make roles, rights and policies what the setting `roles` asks for, then check "
        "that every column, index and function is there, that procrastinate is a version we have tested, and that a worker "
        "may run on this database. Make the schedules that are declared and not there; what somebody has edited stays. Exit status: 0 ready, 1 not."
    )
    requires_system_checks = ()  # the database comes before what stands on it

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 and list what is missing")
        parser.add_argument(
            "--retire-keys",
            action="store_true",
            help="let only the present tenant_key sign; run it a while after a change",
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        applied: list[str] = []
        days = 0
        apart: dict[str, Any] | None = None
        roles.act_as(roles.MIGRATOR)
        try:
            if not options["check"]:
                applied = steps.run()
                apart = _keep_apart(retire_keys=options["retire_keys"])
                days = history_days.make_days(metrics.database_clock())
            pending = steps.pending()
            # With migrations to be run, what they will make is no news.
            lacking = [] if pending else schema.missing()
            if apart is None and not pending and not lacking:
                apart = _look_whether_apart()
            if apart is not None and not apart["ok"]:  # then its workers cannot even connect
                self._end(
                    options, {"ok": False, "applied": applied, "pending": pending, "missing": lacking, "tenants": apart}
                )
                return
            safe = safety.database_is_safe()
            agreed = None if pending or lacking else _agree(dry_run=options["check"])
        except (ConfigurationError, Error, psycopg.Error) as error:
            self._end(options, {"ok": False, "error": {"type": type(error).__name__, "message": _said(error)}})
            return
        version = schema.procrastinate_version()
        tested = schema.procrastinate_is_tested(version)
        self._end(
            options,
            {
                "ok": not pending and not lacking and tested and safe.ok and (agreed is None or agreed["ok"]),
                "applied": applied,
                "history_days_made": days,
                "pending": pending,
                "missing": lacking,
                "safety": {"ok": safe.ok, "found": safe.found},
                "tenants": apart,
                "schedules": agreed,
                "procrastinate": {"version": version, "tested": schema.tested_range(), "ok": tested},
            },
        )

    def _end(self, options: dict[str, Any], document: dict[str, Any]) -> None:
        if options["as_json"]:
            printing.as_json(self.stdout, document)
        else:
            printing.as_page(self.stdout, _lines(document))
        if not document["ok"]:
            sys.exit(1)


def _agree(*, dry_run: bool) -> dict[str, Any]:
    with roles.acting("web"):  # schedules belong to tenants, and whoever migrates may see none of them
        agreed = defaults.agree(dry_run=dry_run)
    is_ok = not agreed.refused and not (dry_run and (agreed.made or agreed.followed))
    return {"ok": is_ok, "is_dry_run": dry_run, **asdict(agreed)}


def _scheduled(agreed: dict[str, Any]) -> list[str]:
    if agreed["is_dry_run"]:
        words = {"made": "not made", "followed": "declared otherwise by now"}
    else:
        words = {"made": "made", "followed": "changed, as declared"}
    words |= {"left": "edited or removed, left so", "refused": "REFUSED", "orphans": "no longer declared, left"}
    return [f"schedule {each}: {said}" for key, said in words.items() for each in agreed[key]]


def _keep_apart(*, retire_keys: bool) -> dict[str, Any] | None:
    if settings().roles is None:
        return None
    applied = apply.make_true(retire_keys=retire_keys)
    return {**_look_whether_apart(), "changed": applied.done, "for_the_dba": applied.for_the_dba}


def _look_whether_apart() -> dict[str, Any]:
    if settings().roles is None:
        return {"ok": True, "one_role": safety.ONE_ROLE}
    left = check.differences(plan.plan(), as_migrator=True)
    wrong = [each.says for each in left if not each.is_closed]
    if not wrong and not apply.key_is_installed():
        wrong.append("the database does not know the key that signs tenant tokens")
    return {
        "ok": not wrong,
        "wrong": wrong,
        "closed": [each.says for each in left if each.is_closed],
        "for_the_dba": [f"{each.repair};" for each in left if each.by == "roles" and each.repair],
        "changed": [],
    }


def _told(apart: dict[str, Any]) -> list[str]:
    if "one_role" in apart:
        return [f"warning  NOT FOR PRODUCTION, {apart['one_role']}"]
    lines = [f"changed  {len(apart['changed'])} roles, rights and policies"] if apart["changed"] else []
    lines += [f"wrong    {each}" for each in apart["wrong"]]
    lines += [f"closed   {each}" for each in apart["closed"]]
    if apart["for_the_dba"]:
        lines.append("Whoever administers the server has to run this, with passwords as in YOUTILITY_TASKS['roles']:")
        lines += [f"    {each}" for each in apart["for_the_dba"]]
    return lines


def _said(error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    cause = error.__cause__ if isinstance(error, Error) else error
    # What the server itself has refused has a code; without one there was no server to refuse anything.
    if isinstance(error, OperationalError | psycopg.OperationalError) and getattr(cause, "sqlstate", None) is None:
        return f"{said.splitlines()[0]}. Start the database, or correct DATABASES."
    return said


def _lines(document: dict[str, Any]) -> list[str]:
    if "error" in document:
        return [f"Not ready: {document['error']['message']}"]
    apart = document.get("tenants") or {"one_role": safety.ONE_ROLE}
    if not apart.get("ok", True):
        lines = [f"applied  {name}" for name in document["applied"]] + _told(apart)
        return [*lines, "Not ready: the database does not keep tenants apart; run `setup_task_queue` (again)."]
    procrastinate = document["procrastinate"]
    lines = [f"applied  {name}" for name in document["applied"]]
    if document["history_days_made"]:
        lines.append(f"made     {document['history_days_made']} days of the history")
    lines += [] if "one_role" in apart else _told(apart)
    lines += [f"pending  {name}" for name in document["pending"]]
    lines += [f"missing  {name}" for name in document["missing"]]
    agreed = document["schedules"]
    lines += _scheduled(agreed) if agreed is not None else []
    if not procrastinate["ok"]:
        lines.append(f"untested procrastinate {procrastinate['version']}; right is {procrastinate['tested']}")
    if document["pending"]:
        return [*lines, "Not ready: run `setup_task_queue`."]
    if document["missing"]:
        return [
            *lines,
            "Not ready: the database was changed by hand, or a migration was faked. Restore what is missing.",
        ]
    if not document["safety"]["ok"]:
        return [*lines, f"Not ready: {document['safety']['found']}"]
    if agreed is not None and not agreed["ok"]:
        repair = (
            "run `setup_task_queue`" if agreed["is_dry_run"] and not agreed["refused"] else "correct what was refused"
        )
        return [*lines, f"Not ready: not all declared schedules are there; {repair}."]
    if not document["ok"]:
        return [*lines, "Not ready: install a tested procrastinate."]
    done = f"{len(document['applied'])} migrations applied" if document["applied"] else "nothing to do"
    return [
        *lines,
        f"Ready: {done}; every column, index and function is there; procrastinate {procrastinate['version']}.",
        *(_told(apart) if "one_role" in apart else ()),
    ]
