"""`TASK_CATALOG`: mistakes are named, with what is right and what to do."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import models
from django.test.utils import isolate_apps

from task_catalog import entities
from task_catalog.checks import check_task_catalog
from task_catalog.conf import FACILITY_MODELS, catalog
from task_catalog.expected_fields import ENTITIES, KINDS
from task_catalog.facility.models import Job, Jobneed
from youtility_tasks import errors


def found(settings, **task_catalog):
    """The checks' messages for these settings, as (id, message, hint)."""
    settings.TASK_CATALOG = task_catalog
    return [(each.id, each.msg, each.hint) for each in check_task_catalog()]


def test_the_facilitys_own_tables_pass(settings):
    assert found(settings) == []


def test_the_settings_have_defaults_and_are_read_once(settings):
    settings.TASK_CATALOG = {"host": "https://app.example/", "admin_emails": ["ops@example.com"]}

    assert (catalog().host, catalog().admin_emails) == ("https://app.example", ("ops@example.com",))
    assert (catalog().none_id, catalog().planning_horizon_hours, catalog().ppm_horizon_days) == (1, 48, 400)
    assert catalog() is catalog()


def test_a_worker_does_not_start_with_a_wrong_setting(settings):
    settings.TASK_CATALOG = {"none_id": 0}

    with pytest.raises(SystemCheckError, match=r"task_catalog\.E001"):
        call_command("run_postgresql_worker", skip_checks=False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"plan_horizon_hours": 1}, ["no key 'plan_horizon_hours'", "Did you mean 'planning_horizon_hours'?"]),
        ({"models": {"Occurence": "a.B"}}, ["maps 'Occurence'", "Did you mean 'Occurrence'?"]),
        ({"models": {"Occurrence": "Jobneed"}}, ["is 'Jobneed'", "'app_label.Model'"]),
        (
            {"fields": {"Occurrence": {"plandatetime": "planned_at"}}},
            ["no key 'fields'", "managed = False", "db_column"],
        ),
        ({"none_id": 0}, ["'none_id'", "is 0", "whole number from 1"]),
        ({"autoclose_lookback_days": True}, ["is True"]),
        ({"route_speed_kmh": -3}, ["is -3", "above 0"]),
        ({"admin_emails": "ops@example.com"}, ["list of addresses"]),
        ({"ondemand_reports_folder": "reports"}, ["is 'reports'", "absolute path"]),
        ({"report_inline_bytes": 0}, ["is 0"]),
        ({"pdf_memory_mb": 0}, ["'pdf_memory_mb'", "is 0"]),
        ({"reply_valid_days": 0.5}, ["'reply_valid_days'", "is 0.5"]),
    ],
)
def test_a_setting_that_cannot_work_is_an_error_and_a_check(settings, given, words):
    settings.TASK_CATALOG = given

    with pytest.raises(errors.ConfigurationError) as caught:
        catalog()
    ((check_id, message, hint),) = found(settings, **given)

    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert (check_id, message) == ("task_catalog.E001", str(caught.value))
    assert "TASK_CATALOG" in hint


def test_a_model_that_is_not_installed_is_named_with_the_nearest_one(settings):
    ((check_id, message, hint),) = found(settings, models={"Occurrence": "facility.Jobned"})

    assert check_id == "task_catalog.E002"
    assert message == "TASK_CATALOG['models']['Occurrence'] is 'facility.Jobned', which is no installed model."
    assert "Did you mean 'facility.Jobneed'?" in hint
    with pytest.raises(errors.ConfigurationError, match="Install its app"):
        _ = entities.Occurrence


def test_tables_that_no_task_reads_may_be_missing(settings):
    assert found(settings, models={"ClientTenant": "tenants.Tenant", "GeneratePDF": "reports.GeneratePDF"}) == []


def test_a_model_without_the_fields_is_told_each_of_them(settings):
    messages = found(settings, models={"Session": "facility.Tenant"})

    assert messages == [
        (
            "task_catalog.E003",
            "facility.Tenant, mapped as 'Session', has no field 'expire_date'.",
            "Right is 'expire_date', one of DateTimeField. If the column has another name: Map a model of your own "
            "(managed = False, db_table = 'tenants_tenant') in TASK_CATALOG['models']['Session'], whose field is called "
            "'expire_date' with db_column= the real name. If there is none, add it.",
        )
    ]


def test_a_reference_to_another_table_than_the_mapped_one_is_named(settings):
    messages = found(settings, models={"Group": "facility.Shift"})

    (pointing,) = [each for each in messages if "Plan.pgroup" in each[1]]
    assert pointing[0] == "task_catalog.E004"
    assert pointing[1] == "facility.Job.pgroup, mapped as Plan.pgroup, points to facility.Pgroup."
    assert pointing[2].startswith("Right is a foreign key to facility.Shift (Group).")


@isolate_apps("task_catalog")
def test_a_field_of_another_type_is_named(settings, monkeypatch):
    class Session(models.Model):
        expire_date = models.CharField(max_length=20)

        class Meta:
            app_label = "task_catalog"

        def __str__(self):
            return str(self.pk)

    real = apps.get_models
    monkeypatch.setattr("task_catalog.checks.apps.get_models", lambda: [*real(), Session])

    messages = found(settings, models={"Session": "task_catalog.Session"})

    assert messages == [
        (
            "task_catalog.E004",
            "task_catalog.Session.expire_date, mapped as Session.expire_date, is a CharField.",
            "Right is one of DateTimeField. Map a model whose field 'expire_date' has that type.",
        )
    ]


def test_a_clock_that_is_not_there_is_named(settings):
    ((check_id, message, _),) = found(settings, clock="task_catalog.ports.clock.Sundial")

    assert check_id == "task_catalog.E005"
    assert "'clock'" in message
    assert "Sundial" in message


def test_names_lead_to_the_mapped_models(settings):
    assert entities.Plan is Job

    settings.TASK_CATALOG = {"models": {"Plan": "facility.Jobneed"}}

    assert entities.Plan is Jobneed
    with pytest.raises(AttributeError, match="'Pln'"):
        _ = entities.Pln  # type: ignore[attr-defined]


def test_every_mapped_name_is_offered_and_has_its_fields_listed():
    assert FACILITY_MODELS.keys() == ENTITIES.keys()
    assert FACILITY_MODELS.keys() | {"is_none", "none_id", "points_nowhere"} == set(entities.__all__)
    kinds = {expected.kind for table in ENTITIES.values() for expected in table.values()}
    assert kinds <= KINDS.keys() | {"place"}


def test_every_reference_of_a_facility_table_that_a_task_may_follow_is_listed():
    for logical in ("Plan", "Occurrence", "Detail", "Ticket", "Reminder"):
        model = apps.get_model(FACILITY_MODELS[logical])
        there = {field.name for field in model._meta.get_fields() if isinstance(field, models.ForeignKey)}
        assert there == {name for name, expected in ENTITIES[logical].items() if expected.kind == "reference"}
