"""The words of the templates: addresses, instants, amounts, statuses, and the buttons of acts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

from django import template
from django.template.context import RequestContext
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from youtility_tasks.status import LABELS

from .acting import ACTS
from .charts import Chart
from .visit import Visit

register = template.Library()

NOTHING = "\u2013"
"""Where there is no value."""
_RATES = ((1, "second"), (60, "minute"), (3_600, "hour"), (86_400, "day"))
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


# -- addresses


@register.simple_tag(takes_context=True)
def to(context: RequestContext, name: str, *parts: Any, **words: Any) -> str:
    """The address of a page, for the tenant that is looked at: `{% to "job" job.id %}`."""
    visit: Visit = context["visit"]
    return visit.to(name, *parts, **words)


@register.simple_tag(takes_context=True)
def here(context: RequestContext, **words: Any) -> str:
    """This page with other words behind the question mark."""
    visit: Visit = context["visit"]
    return visit.here(**words)


@register.inclusion_tag("youtility_tasks/console/button.html", takes_context=True)
def button(context: RequestContext, name: str, label: str = "", **target: Any) -> dict[str, Any]:
    """The button of an act on this target, if the visitor may do it: `{% button "retry-job" job=job.id %}`. Whether it is legal
    now is for the page to know. It leads back to the page, also from a part of it that came by itself."""
    visit: Visit = context["visit"]
    act = ACTS[name]
    address = visit.to(f"act-{name}", next=target.pop("next", visit.here(part=None)), **target)
    return {"may": visit.may(act.needs), "act": act, "label": label or act.label, "address": address}


# -- instants and amounts


@register.simple_tag
def at(instant: datetime | str | None, empty: str = NOTHING) -> SafeString:
    """An instant as people say it, with the exact one behind it: "3 min ago"."""
    if not instant:
        return format_html('<span class="quiet">{}</span>', empty)
    moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    exact = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        exact.isoformat(), f"{exact:%Y-%m-%d %H:%M:%S}", ago(moment),
    )  # fmt: skip


def ago(moment: datetime) -> str:
    """ "3 min ago", "in 2 h"."""
    passed = timezone.now() - moment
    if abs(passed) < timedelta(seconds=2):
        return "just now"
    return f"{span(passed.total_seconds())} ago" if passed > timedelta() else f"in {span(-passed.total_seconds())}"


@register.filter
def span(seconds: float | None) -> str:
    """So many seconds, in the two largest units: "2 d 3 h", "42 s", "310 ms"."""
    if not _is_there(seconds):
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for size, (one, word) in enumerate(_STEPS):
        if seconds >= one:
            whole = int(seconds // one)
            lower = _STEPS[size + 1] if size + 1 < len(_STEPS) else (1, "s")
            rest = int(seconds % one // lower[0])
            return f"{whole} {word} {rest} {lower[1]}" if rest and whole < 10 else f"{whole} {word}"
    return f"{seconds:.0f} s"


@register.filter
def ms(milliseconds: float | None) -> str:
    """So many milliseconds, as `span` says them."""
    return span(milliseconds / 1_000) if _is_there(milliseconds) else NOTHING


@register.filter
def number(value: float | None) -> str:
    """ "12,345"; with a tenth below ten if it is no whole number."""
    if not _is_there(value):
        return NOTHING
    return f"{value:,.1f}" if isinstance(value, float) and value < 10 and value != int(value) else f"{value:,.0f}"


@register.simple_tag
def steps_of(chart: Chart) -> SafeString:
    """The rows of a chart's table. Made here: as loops of a template, three charts of a week took half of their page's time."""
    said = ms if chart.data.get("unit") == "ms" else number
    made = []
    for begins_at, values, picked in chart.rows:
        began = begins_at.astimezone(UTC)
        when = f"{began.day} {began:%b %H:%M}"
        head = format_html('<a href="{}">{}</a>', picked, when) if picked else when
        # What `ms` and `number` say is digits and units; an address is the one thing here that a person may have typed.
        cells = "".join(f'<td class="n">{said(value)}</td>' for value in values)
        made.append(f'<tr><th scope="row">{head}</th>{cells}</tr>')
    return SafeString("".join(made))


@register.filter
def rate(per_s: float | None) -> str:
    """So many starts in a time: "600 a minute"."""
    if not _is_there(per_s):
        return NOTHING
    seconds, word = next(((n, w) for n, w in _RATES if per_s * n >= 1), _RATES[-1])
    return f"{number(per_s * seconds)} a {word}"


@register.filter
def size(count: float | None) -> str:
    """So many bytes: "48 MiB"."""
    if not _is_there(count):
        return NOTHING
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1_024 or unit == "GiB":
            return f"{value:.1f} {unit}" if 0 < value < 10 and unit != "bytes" else f"{value:.0f} {unit}"
        value /= 1_024
    return ""


@register.filter
def percent(share: float | None) -> str:
    """A share of one: "98.2 %"."""
    return f"{share * 100:.1f} %".replace(".0 %", " %") if _is_there(share) else NOTHING


def _is_there(value: float | None) -> TypeGuard[float]:
    """Whether there is a number: what a template does not find is an empty text."""
    return isinstance(value, int | float)


# -- words


@register.filter
def label(status: str) -> str:
    """A status as a page says it."""
    return LABELS.get(str(status), str(status))


@register.simple_tag
def chip(status: str) -> SafeString:
    """A status in its colour."""
    return format_html('<span class="chip is-{}">{}</span>', status, label(status))


@register.filter
def pretty(value: Any) -> str:
    """A value as indented JSON, which the template escapes like any text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.simple_tag
def data(value: Any, element_id: str) -> SafeString:
    """A value for a script of ours, as text that nobody sees. No script element: htmx takes those out of what it brings."""
    return format_html('<div hidden id="{}">{}</div>', element_id, json.dumps(value, default=str))
