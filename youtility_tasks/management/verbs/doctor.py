"""`doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.doctor.examine import examine
from youtility_tasks.documents import installation as documents

from .answer import OK, REFUSED, Answer, table
from .scope import Scope

NAME = "doctor"
SCOPE = Scope.OPERATOR
HELP = "Look at everything and say what is wrong and what to do; changes nothing."
EXAMPLES = (
    "doctor",
    "doctor --json                            # exit status 1 if something is wrong",
)


def add_arguments(parser: CommandParser) -> None:
    """It takes no words of its own."""


def run(options: Namespace) -> Answer:
    findings = examine()
    problems = [each for each in findings if not each.ok]
    rows = [(each.name, "ok" if each.ok else "PROBLEM", each.found, each.advice) for each in findings]
    verdict = f"{len(problems)} of {len(findings)} need attention." if problems else "All is well."
    page = [table(("check", "", "found", "what to do"), rows, empty=""), verdict]
    return Answer(documents.findings(findings), page, REFUSED if problems else OK)
