"""The form of a schedule: what it says, field by field, as `schedules` takes it; its errors at the field that they are about."""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django import forms

from youtility_tasks import queues, registry
from youtility_tasks.declaration import schedule_flaw
from youtility_tasks.errors import (
    NeverFires,
    Refused,
    ScheduleExists,
    UnknownQueue,
    UnknownTask,
    UnknownZone,
    WrongCall,
    WrongCron,
)
from youtility_tasks.models import ScheduledTask
from youtility_tasks.models.schedules import Days, Kind, Missed, Overlap
from youtility_tasks.schedules import definition
from youtility_tasks.schedules.reading import zone_named
from youtility_tasks.secrets import marks, sealing

from .acting import Form

_FIRST_WORD = re.compile(r"[a-z_]+")
_WORDS = {"quiet": "quiet_from", "queue_name": "queue"}
_MISSED = {
    Missed.NONE: "skip them, unless the last is within its grace",
    Missed.LATEST: "run the last one, however late",
    Missed.ALL: "run the last ones, up to a number",
}
_OVERLAP = {
    Overlap.ALLOW: "let both run",
    Overlap.SKIP: "skip the new one",
    Overlap.CANCEL_RUNNING: "cancel the earlier one",
}
_GOES_BY: dict[str, str] = {Kind.CRON: "cron", Kind.INTERVAL: "every_s", Kind.ONCE: "at"}
_KINDS = {Kind.CRON: "at times of the clock", Kind.INTERVAL: "every so many seconds", Kind.ONCE: "once"}


class Instant(forms.DateTimeField):
    """An instant as a browser sends one, read in UTC whatever zone Django keeps."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S")

    def to_python(self, value: Any) -> datetime | None:
        """Raises ValidationError for what is no instant."""
        if not value or isinstance(value, datetime):
            return value or None
        try:
            found = datetime.fromisoformat(str(value).strip())
        except ValueError:
            raise forms.ValidationError(
                f"{str(value)[:40]!r} is no instant; right is 2026-11-26T09:00, in UTC."
            ) from None
        return found if found.utcoffset() is not None else found.replace(tzinfo=UTC)

    def prepare_value(self, value: Any) -> Any:
        """In UTC."""
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") if isinstance(value, datetime) else value


def _choices(words: Mapping[Any, str]) -> list[tuple[str, str]]:
    return [(str(key), said) for key, said in words.items()]


class ScheduleForm(Form):
    """What a schedule says."""

    layout = "youtility_tasks/console/schedule_fields.html"
    styles = "youtility_tasks/schedules.css"

    task = forms.CharField(max_length=128, widget=forms.TextInput(attrs={"list": "tasks", "autocomplete": "off"}))
    args = forms.JSONField(
        label="Arguments", required=False, initial=dict, widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "mono"}),
        help_text="By name, as JSON.",
    )  # fmt: skip
    kind = forms.ChoiceField(label="Fires", choices=_choices(_KINDS), initial=Kind.CRON)
    cron = forms.CharField(
        label="Cron", required=False, max_length=200, widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Minute, hour, day, month, weekday: 30 6 * * 1-5",
    )  # fmt: skip
    every_s = forms.IntegerField(label="Every (seconds)", required=False, min_value=1)
    at = Instant(label="At, or counted from (UTC)", required=False)
    zone = forms.CharField(
        required=False, max_length=64, widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}), help_text="Empty: the zone of the tenant."
    )  # fmt: skip
    days = forms.ChoiceField(choices=Days.choices, initial=Days.EVERY)
    working_weekdays = forms.CharField(
        label="Working weekdays", initial="12345", max_length=7, help_text="1 is Monday: 12345, or 71234 for Sunday to Thursday."
    )  # fmt: skip
    site_id = forms.IntegerField(label="Site", required=False, help_text="Its holidays count beside the tenant's.")
    quiet_from = forms.TimeField(
        label="Quiet from", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    quiet_to = forms.TimeField(
        label="Quiet to", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    missed = forms.ChoiceField(label="If nobody was there in time", choices=_choices(_MISSED), initial=Missed.LATEST)
    missed_most = forms.IntegerField(label="At most so many", initial=1, min_value=1, max_value=definition.MOST_MISSED)
    grace_s = forms.IntegerField(label="Grace (seconds)", initial=60, min_value=1, max_value=definition.LONGEST_GRACE_S)
    overlap = forms.ChoiceField(
        label="If the job before has not ended", choices=_choices(_OVERLAP), initial=Overlap.ALLOW
    )
    jitter_s = forms.IntegerField(
        label="Spread over (seconds)", initial=0, min_value=0, max_value=definition.LONGEST_JITTER_S
    )
    queue = forms.CharField(
        required=False,
        max_length=128,
        widget=forms.TextInput(attrs={"list": "queues", "autocomplete": "off"}),
        help_text="Empty: the task's.",
    )
    priority = forms.IntegerField(
        required=False, min_value=1, max_value=10, help_text="1 is most urgent; empty: the task's."
    )
    tick_argument = forms.CharField(
        label="Argument for the tick", required=False, max_length=64, help_text="The argument that is given the tick, in seconds since 1970."
    )  # fmt: skip

    def tasks(self) -> list[str]:
        """Names to choose from."""
        return list(registry.registered())

    def zones(self) -> list[str]:
        """Names to choose from."""
        return sorted(zoneinfo.available_timezones() - {"localtime", "Factory", "posixrules"})

    def queues(self) -> list[str]:
        """Names to choose from."""
        return sorted(queues.configured())

    def clean_task(self) -> str:
        """Raises ValidationError with the nearest name."""
        return _checked(self.cleaned_data["task"], registry.get)

    def clean_cron(self) -> str:
        """Raises ValidationError with the flaw."""
        given: str = " ".join(self.cleaned_data["cron"].split())
        flaw = schedule_flaw(given) if given else None
        if flaw is not None:
            raise forms.ValidationError(str(WrongCron(given, flaw)))
        return given

    def clean_zone(self) -> str:
        """Raises ValidationError with the nearest zone."""
        given: str = self.cleaned_data["zone"]
        return _checked(given, zone_named) if given else given

    def clean_queue(self) -> str:
        """Raises ValidationError with the nearest queue."""
        given: str = self.cleaned_data["queue"]
        return _checked(given, lambda name: queues.check(self.cleaned_data.get("task", ""), name)) if given else given

    def clean_args(self) -> dict[str, Any]:
        """Raises ValidationError for what is no object."""
        given = self.cleaned_data["args"]
        args: dict[str, Any] = self._apply("args", {} if given is None else given)
        return args

    def clean_working_weekdays(self) -> str:
        """Raises ValidationError for what are no weekdays."""
        digits: str = self._apply("working_weekdays", self.cleaned_data["working_weekdays"])
        return digits

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError where one of two is missing."""
        given = super().clean() or self.cleaned_data
        needed = _GOES_BY.get(str(given.get("kind")))
        if needed is not None and needed not in self.errors and given.get(needed) in (None, ""):
            self.add_error(
                needed, forms.ValidationError("It says when the schedule fires, so it must be given.", "required")
            )
        begins, ends = given.get("quiet_from"), given.get("quiet_to")
        if (begins is None) != (ends is None):
            self.add_error("quiet_to" if ends is None else "quiet_from", "Quiet hours have both ends, or none.")
        elif begins is not None and begins == ends:
            self.add_error("quiet_to", "Quiet hours end at another time than they begin.")
        return dict(given)

    def _apply(self, word: str, value: Any) -> Any:
        row = ScheduledTask()
        try:
            definition.apply(row, {word: value})
        except Refused as refused:
            raise forms.ValidationError(str(refused)) from refused
        return getattr(row, word)

    def place(self, error: Exception) -> str | None:
        """The field that an error of `schedules` is about."""
        if isinstance(error, WrongCron):
            return "cron"
        if isinstance(error, UnknownZone):
            return "zone"
        if isinstance(error, ScheduleExists):
            return "name"
        if isinstance(error, WrongCall):
            return {UnknownTask: "task", UnknownQueue: "queue"}.get(type(error.__cause__), "args")
        if isinstance(error, NeverFires):
            return _GOES_BY.get(str(self.cleaned_data.get("kind")), "at")
        first = _FIRST_WORD.match(str(error))
        word = first[0] if first else ""
        word = _WORDS.get(word, word)
        return word if word in self.fields else None


class NewScheduleForm(ScheduleForm):
    """A schedule that is not there yet."""

    field_order = ["name"]
    name = forms.CharField(max_length=128, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def clean_name(self) -> str:
        """Raises ValidationError for what no schedule can be called."""
        given: str = self.cleaned_data["name"]
        try:
            definition.check_name(given)
        except Refused as refused:
            raise forms.ValidationError(str(refused)) from refused
        return given


def _checked(given: str, look: Any) -> str:
    try:
        look(given)
    except Exception as error:
        if isinstance(error, UnknownTask | UnknownZone | UnknownQueue):
            raise forms.ValidationError(str(error)) from error
        raise
    return given


def said(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was filled in, in the words that `schedules.create` takes."""
    words = {
        word: given[word]
        for word in (
            "task", "args", "zone", "days", "working_weekdays", "site_id", "missed", "missed_most", "grace_s", "overlap", "jitter_s", "queue",
            "priority", "tick_argument",
        )
    }  # fmt: skip
    words["quiet"] = None if given["quiet_from"] is None else (given["quiet_from"], given["quiet_to"])
    match given["kind"]:
        case Kind.CRON:
            words["cron"] = given["cron"]
        case Kind.INTERVAL:
            words |= {"every_s": given["every_s"]} | ({"at": given["at"]} if given["at"] else {})
        case _:
            words["at"] = given["at"]
    return words


def changed(row: ScheduledTask, given: Mapping[str, Any]) -> dict[str, Any]:
    """Of what was filled in that which the schedule does not say already; marked arguments that were left alone stay as they are."""
    words = said({**given, "args": sealing.keep_hidden(given["args"], row.args, verbatim=_verbatim(row))})
    now = {**words_of(row), "args": row.args}
    timing = {word for word in ("cron", "every_s", "at") if word in words}
    if given["kind"] == row.kind and all(_same(words[word], now[word]) for word in timing):
        words = {word: value for word, value in words.items() if word not in timing}
        timing = set()
    return {word: value for word, value in words.items() if word in timing or not _same(value, now[word])}


def _same(one: Any, other: Any) -> bool:
    # A browser sends an instant without its fraction.
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one.replace(microsecond=0) == other.replace(microsecond=0)
    return bool(one == other)


def words_of(row: ScheduledTask) -> dict[str, Any]:
    """What the form says of a schedule at first; marked arguments hidden."""
    of_columns = {
        word: getattr(row, word)
        for word in (
            "kind", "cron", "every_s", "at", "zone", "days", "working_weekdays", "site_id", "quiet_from", "quiet_to", "missed",
            "missed_most", "grace_s", "overlap", "jitter_s", "priority", "tick_argument",
        )
    }  # fmt: skip
    quiet = None if row.quiet_from is None else (row.quiet_from, row.quiet_to)
    return {**of_columns, "task": row.task_name, "queue": row.queue_name, "args": shown_args(row), "quiet": quiet}


def shown_args(row: ScheduledTask) -> dict[str, Any]:
    """Its arguments; of marked ones only that they are there."""
    declared = registry.find(row.task_name)
    found: dict[str, Any] = sealing.redact(
        row.args, declared.marks if declared else marks.NONE, verbatim=_verbatim(row)
    )
    return found


def _verbatim(row: ScheduledTask) -> bool:
    declared = registry.find(row.task_name)
    return declared is not None and declared.verbatim


def as_json(value: Any) -> str:
    """For a text area."""
    return json.dumps(value, indent=2, ensure_ascii=False)
