"""`manage.py check` on broken mappings: which model or field is missing, what looks like it, and what to write where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test.utils import isolate_apps

from task_catalog.checks import check_task_catalog
from task_catalog.facility import models as facility
from tests.catalog.adoption.clones import clone

MODELS: dict[str, Any] = {model.__name__: model for model in apps.get_app_config("facility").get_models()}
Found = list[tuple[str, str, str]]


@pytest.fixture
def check(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Found]:
    """`check(model, Occurrence="yard.Visit")`: the mistakes of that mapping, these models being installed too."""

    def mistakes(*more: type[models.Model], **mapped: str) -> Found:
        real = apps.get_models
        with monkeypatch.context() as patch:
            patch.setattr(
                "task_catalog.checks.apps.get_models", lambda *args, **options: [*real(*args, **options), *more]
            )
            settings.TASK_CATALOG = {"models": mapped}
            return [(str(each.id), each.msg, str(each.hint)) for each in check_task_catalog()]

    return mistakes


@pytest.fixture(autouse=True)
def yard() -> Iterator[None]:
    with isolate_apps("task_catalog"):
        yield


def another(original: type[models.Model], *, without: str = "", key: str = "id", **more: Any) -> type[models.Model]:
    """A model of the application `yard` with the fields of the facility's, but one, and some of its own."""
    made = clone(
        original, name=f"Yard{original.__name__}", label="yard", module=__name__, table="yard_table", names=MODELS,
        key=key, more=more, managed=False,
    )  # fmt: skip
    if without:
        field = made._meta.get_field(without)
        made._meta.local_fields.remove(field)
        made._meta._expire_cache()
    return made


def test_a_model_with_all_the_fields_passes_whatever_its_key_is_called(check: Callable[..., Found]) -> None:
    assert check(another(facility.Reminder, key="number"), Reminder="yard.YardReminder") == []


def test_a_key_of_another_type_is_named(check: Callable[..., Found]) -> None:
    made = another(facility.Reminder)
    made._meta.pk.__class__ = models.UUIDField

    (found,) = check(made, Reminder="yard.YardReminder")

    assert found[:2] == ("task_catalog.E004", "yard.YardReminder.id, mapped as Reminder.id, is a UUIDField.")


def test_a_model_that_is_not_there_is_found_by_its_fields(check: Callable[..., Found]) -> None:
    made = another(facility.Jobneed)

    found = check(made, Occurrence="activity.JobNeed")

    (missing,) = [each for each in found if each[0] == "task_catalog.E002"]
    assert missing[1] == "TASK_CATALOG['models']['Occurrence'] is 'activity.JobNeed', which is no installed model."
    assert 'TASK_CATALOG = {"models": {"Occurrence": "' in missing[2]
    assert "of its" in missing[2]


def test_a_model_whose_name_is_misspelt_is_found_by_its_name(check: Callable[..., Found]) -> None:
    ((check_id, _, hint),) = check(Vendor="facility.Vendr")

    assert check_id == "task_catalog.E002"
    assert "Did you mean 'facility.Vendor'?" in hint
    assert '{"Vendor": "facility.Vendor", ...}' in hint


@pytest.mark.parametrize(
    ("original", "logical", "missing", "own", "line"),
    [
        (
            facility.Jobneed,
            "Occurrence",
            "plandatetime",
            {"planned_datetime": models.DateTimeField(null=True)},
            '`plandatetime = models.DateTimeField(db_column="planned_datetime")`',
        ),
        (
            facility.Jobneed,
            "Occurrence",
            "performedby",
            {"performer": models.ForeignKey(facility.People, models.RESTRICT, null=True, related_name="+")},
            '`performedby = models.ForeignKey("facility.People", models.DO_NOTHING, related_name="+", db_column="performer_id")`',
        ),
        (
            facility.People,
            "Person",
            "email",
            {"mail_address": models.CharField(max_length=254, db_column="email")},
            '`email = models.CharField(max_length=254, db_column="email")`',
        ),
        (
            facility.Wom,
            "WorkOrder",
            "other_data",
            {"extra": models.JSONField(default=dict, db_column="otherdata")},
            '`other_data = models.JSONField(db_column="otherdata")`',
        ),
        (
            facility.Ticket,
            "Ticket",
            "isescalated",
            {"was_lifted": models.BooleanField(default=False)},
            '`isescalated = models.BooleanField(db_column="was_lifted")`',
        ),
    ],
)
def test_a_field_of_another_name_is_found_and_the_line_is_written_out(
    check: Callable[..., Found],
    original: type[models.Model],
    logical: str,
    missing: str,
    own: dict[str, Any],
    line: str,
) -> None:
    made = another(original, without=missing, **own)
    label = made._meta.label

    (found,) = [each for each in check(made, **{logical: label}) if label in each[1] and "points to" not in each[1]]

    assert found[:2] == ("task_catalog.E003", f"{label}, mapped as {logical!r}, has no field {missing!r}.")
    assert f"{label}.{next(iter(own))}, a " in found[2]
    assert line in found[2]
    assert f"TASK_CATALOG['models'][{logical!r}]" in found[2]
    assert "db_table = 'yard_table'" in found[2]


def test_a_field_that_nothing_looks_like_is_asked_for(check: Callable[..., Found]) -> None:
    made = another(facility.ScheduleReport, without="cron")

    (found,) = check(made, ScheduleReport="yard.YardScheduleReport")

    assert found[0] == "task_catalog.E003"
    assert "looks like it" not in found[2]
    assert found[2].endswith("If there is none, add it.")


def test_another_table_than_the_one_that_is_meant_is_one_mistake_and_not_twenty(check: Callable[..., Found]) -> None:
    found = check(Ticket="facility.Shift")

    (wrong,) = [each for each in found if each[0] == "task_catalog.E007"]
    assert wrong[1].startswith("facility.Shift, mapped as 'Ticket', has ")
    assert "it lacks uuid, ticketno, " in wrong[1]
    assert '{"Ticket": "facility.Ticket", ...}' in wrong[2]
    assert not [each for each in found if each[0] == "task_catalog.E003"]


def test_several_mistakes_are_all_told_at_once(check: Callable[..., Found]) -> None:
    found = check(
        another(facility.Jobneed, without="remarks"),
        Occurrence="yard.YardJobneed",
        Vendor="facility.Vendr",
        Session="facility.Tenant",
    )

    told = {(check_id, message.partition(",")[0]) for check_id, message, _ in found}
    assert ("task_catalog.E003", "yard.YardJobneed") in told
    assert ("task_catalog.E003", "facility.Tenant") in told
    assert ("task_catalog.E002", "TASK_CATALOG['models']['Vendor'] is 'facility.Vendr'") in told
    assert any(
        "points to facility.Jobneed" in message for check_id, message, _ in found if check_id == "task_catalog.E004"
    )
