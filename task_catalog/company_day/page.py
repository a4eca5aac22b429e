"""The day on one page: a file without scripts, pictures or fonts from elsewhere, to be opened by its path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from .definitions import DAY_TASKS
from .expected import Value
from .reconcile import Check
from .screen import Moment, words

_BLUE, _ORANGE, _GREEN, _GREY, _RED = "#0969da", "#bc4c00", "#1a7f37", "#8c959f", "#cf222e"
_STATUS_COLOURS = {"COMPLETED": _GREEN, "PARTIALLYCOMPLETED": _ORANGE, "AUTOCLOSED": _RED, "ASSIGNED": _GREY}
_ENDING_COLOURS = {"succeeded": _BLUE, "failed": _RED}
_WIDTH, _LABEL_WIDTH, _ROW = 760, 300, 22

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; }
.verdict { font-size: 1.25rem; font-weight: 600; } .agrees { color: #1a7f37; } .differs { color: #cf222e; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; } .wide { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8c959f55; }
.key { display: inline-block; width: .75em; height: .75em; margin: 0 .35em 0 1em; border-radius: 2px; }
"""


def write(checks: Sequence[Check], title: str, moments: Sequence[Moment]) -> str:
    """The page as HTML text."""
    got = {check.name: check.got for check in checks}
    wrong = sum(not check.ok for check in checks)
    verdict = f"{wrong} of {len(checks)} totals differ" if wrong else f"All {len(checks)} totals agree"
    parts = [
        f'<p class="verdict {"differs" if wrong else "agrees"}">{verdict}</p>',
        f"<p>{_words_of_the_day(got)}</p>",
        "<h2>Hour by hour</h2>",
        _legend({"jobs that ended": _BLUE, "mails": _ORANGE}),
        _hours(moments),
        "<h2>What became of what was planned</h2>",
        _legend({status.lower(): colour for status, colour in _STATUS_COLOURS.items()}),
        _bars(_kinds(got), _STATUS_COLOURS),
        "<h2>Jobs by task</h2>",
        _legend(_ENDING_COLOURS),
        _bars(_of(got, "jobs of ", DAY_TASKS), _ENDING_COLOURS),
        "<h2>Messages by task</h2>",
        _bars(_messages(got), {"all": _ORANGE}),
        "<h2>Every total</h2>",
        f'<div class="wide">{_table(checks)}</div>',
    ]
    head = f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head>{meta}{head}</head>\n'
        f"<body><h1>A facility company's day</h1><p>{escape(title)}</p>\n{body}\n</body></html>\n"
    )


def _words_of_the_day(got: Mapping[str, Value | None]) -> str:
    jobs, messages = got.get("jobs of the day"), got.get("messages")
    if not isinstance(jobs, dict) or not isinstance(messages, int):
        return "The day was not counted to its end."
    return (
        f"{jobs['all']} jobs, of which {jobs['failed']} failed; {messages} messages. Counted in the database, the queue's "
        "history, the mail server, the broker, the bucket and on disk; expected as worked out from the company's rules alone."
    )


def _hours(moments: Sequence[Moment]) -> str:
    """Two columns an hour: jobs and mails, each against its own highest one."""
    height, left, hours = 180, 40, 24
    step = (_WIDTH - left) / hours
    series = {_BLUE: [0] * hours, _ORANGE: [0] * hours}
    jobs = mails = 0
    for moment in moments:
        # What ended by 06:00 sharp belongs to the hour before it.
        hour = max(0, (moment.at.hour * 60 + moment.at.minute - 1) // 60)
        series[_BLUE][hour] += moment.jobs - jobs
        series[_ORANGE][hour] += moment.mails - mails
        jobs, mails = moment.jobs, moment.mails
    drawn = []
    for n, (colour, counts) in enumerate(series.items()):
        most = max(counts) or 1
        for hour, count in enumerate(counts):
            tall = count / most * (height - 40)
            x = left + hour * step + n * step * 0.4
            drawn.append(
                f'<rect x="{x:.1f}" y="{height - 20 - tall:.1f}" width="{step * 0.38:.1f}" height="{tall:.1f}" '
                f'fill="{colour}"><title>{hour:02}:00: {count}</title></rect>'
            )
    labels = [f'<text x="{left + hour * step:.1f}" y="{height - 4}">{hour:02}</text>' for hour in range(0, hours, 3)]
    return _svg(height, [*drawn, *labels], "jobs and mails of each hour")


def _bars(rows: Mapping[str, Mapping[str, int]], colours: Mapping[str, str]) -> str:
    """One bar a row, its parts side by side, all on one scale; the number at its end is the row's sum."""
    most = max((sum(parts.values()) for parts in rows.values()), default=0) or 1
    room = _WIDTH - _LABEL_WIDTH - 60
    drawn = []
    for n, (name, parts) in enumerate(rows.items()):
        x, y = float(_LABEL_WIDTH), n * _ROW
        drawn.append(f'<text x="{_LABEL_WIDTH - 8}" y="{y + 15}" text-anchor="end">{escape(_short(name))}</text>')
        for word, colour in colours.items():
            wide = parts.get(word, 0) / most * room
            if wide:
                drawn.append(
                    f'<rect x="{x:.1f}" y="{y + 4}" width="{wide:.1f}" height="{_ROW - 8}" fill="{colour}">'
                    f"<title>{escape(name)}: {parts[word]} {escape(word.lower())}</title></rect>"
                )
            x += wide
        drawn.append(f'<text x="{x + 6:.1f}" y="{y + 15}">{sum(parts.get(word, 0) for word in colours)}</text>')
    return _svg(len(rows) * _ROW + 4, drawn, "bars")


def _short(name: str) -> str:
    return name if len(name) <= 44 else f"{name[:20]}…{name[-22:]}"


def _svg(height: int, drawn: Iterable[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" aria-label="{label}">'
        + "".join(drawn)
        + "</svg>"
    )


def _legend(colours: Mapping[str, str]) -> str:
    keys = (f'<span class="key" style="background:{colour}"></span>{escape(word)}' for word, colour in colours.items())
    return f"<p>{''.join(keys)}</p>"


def _kinds(got: Mapping[str, Value | None]) -> dict[str, dict[str, int]]:
    names = {kind: got.get(f"{kind} roots at the end") for kind in ("TASK", "INTERNALTOUR", "EXTERNALTOUR", "PPM")}
    return {kind: _numbers(found) for kind, found in names.items()}


def _of(got: Mapping[str, Value | None], prefix: str, names: Iterable[str]) -> dict[str, dict[str, int]]:
    found = {name: _numbers(got.get(prefix + name)) for name in names}
    return dict(sorted(found.items(), key=lambda each: -sum(each[1].values())))


def _messages(got: Mapping[str, Value | None]) -> dict[str, dict[str, int]]:
    found = {task: {"all": _numbers(got.get(f"messages of {task}")).get("all", 0)} for task in DAY_TASKS}
    return dict(sorted(((k, v) for k, v in found.items() if v["all"]), key=lambda each: -each[1]["all"]))


def _numbers(value: Value | None) -> dict[str, int]:
    return {name: each for name, each in value.items() if isinstance(each, int)} if isinstance(value, dict) else {}


def _table(checks: Sequence[Check]) -> str:
    rows = (
        f"<tr><td>{escape(check.name)}</td><td>{escape(words(check.expected))}</td><td>{escape(words(check.got))}</td>"
        f'<td class="{"agrees" if check.ok else "differs"}">{"ok" if check.ok else "DIFFERS"}</td></tr>'
        for check in checks
    )
    return f"<table><tr><th>total</th><th>expected</th><th>got</th><th></th></tr>{''.join(rows)}</table>"
