"""One rule, and how rules are written: YAML whose strings are JSON's, which need no library and no guess about quotes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WINDOW = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])\b")


@dataclass(frozen=True, slots=True)
class Tempo:
    """How fast time goes in the rules: 1 is as it is; 60 lets an hour's window see a minute, so that a rehearsal takes seconds."""

    times: int = 1

    def span(self, text: str) -> str:
        """A duration: `5m`, or less."""
        return text if self.times == 1 else f"{int(text[:-1]) * _SECONDS[text[-1]] * 1000 // self.times}ms"

    def seconds(self, number: float) -> str:
        """A number of seconds, to be compared with."""
        return f"{number / self.times:g}"

    def windows(self, expression: str) -> str:
        """An expression with all its windows and offsets."""
        return _WINDOW.sub(lambda found: self.span(found[0]), expression)


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that Prometheus computes and keeps."""

    name: str
    expression: str

    def lines(self, places: Places, tempo: Tempo) -> Iterable[str]:
        """As YAML."""
        return [f"- record: {self.name}", f"  expr: {_quoted(tempo.windows(self.expression))}"]


@dataclass(frozen=True, slots=True)
class Places:
    """Where an alert's links lead, without the slash at the end."""

    console: str = "/tasks"
    runbooks: str = "grafana/runbooks"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody must look at, at once (`page`) or on a working day (`ticket`)."""

    name: str
    """Its runbook's, too."""
    expression: str
    hold: str
    """How long it must be true."""
    severity: str
    summary: str
    page: str
    """Of the console, below its root."""
    labels: Mapping[str, str] = field(default_factory=dict)

    def lines(self, places: Places, tempo: Tempo) -> Iterable[str]:
        """As YAML."""
        yield f"- alert: {self.name}"
        yield f"  expr: {_quoted(tempo.windows(self.expression))}"
        yield f"  for: {tempo.span(self.hold)}"
        yield "  labels:"
        yield from (f"    {key}: {_quoted(value)}" for key, value in {"severity": self.severity, **self.labels}.items())
        yield "  annotations:"
        yield f"    summary: {_quoted(self.summary)}"
        yield f"    console_url: {_quoted(f'{places.console}/{self.page}')}"
        yield f"    runbook_url: {_quoted(f'{places.runbooks}/{self.name}.md')}"


def written(groups: Mapping[str, Iterable[Recording | Alert]], places: Places, tempo: Tempo) -> str:
    """A file of rules."""
    lines = ["# Made by make_dashboards from youtility_tasks/objectives.py: change that, or YOUTILITY_TASKS['objectives'].", "groups:"]  # fmt: skip
    for name, rules in groups.items():
        lines += [f"- name: {name}", f"  interval: {tempo.span('30s')}", "  rules:"]
        lines += [f"  {line}" for rule in rules for line in rule.lines(places, tempo)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
