"""What a form may ask for, and how it is told what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from task_catalog.reporting.request import read
from task_catalog.rules.report_schedule import Period
from tests.catalog.reports.world import form
from youtility_tasks import BadInput, tenant


def asked(company, **values):
    with tenant(company.id):
        return read(values, client_id=company.id)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_dates_are_whole_days_of_the_forms_wall_clock(acme, site):
    filters = asked(acme, **form("TASKSUMMARY", site, ctzoffset="330", uptodate="2025-03-04")).filters

    assert (filters.start, filters.end) == (utc("2025-03-02 18:30"), utc("2025-03-04 18:30"))
    assert (filters.client_id, filters.sites, filters.offset) == (acme.id, (site.pk,), 330)


def test_a_schedules_period_stands_for_the_forms_dates(acme, site):
    period = Period(utc("2025-03-02 00:30"), utc("2025-03-03 00:30"))
    with tenant(acme.id):
        filters = read(
            {"report_name": "TASKSUMMARY", "format": "csv", "site": site.pk}, client_id=acme.id, period=period
        )

    assert (filters.filters.start, filters.filters.end) == (period.start, period.end)


def test_31_days_are_a_report_and_32_are_not(acme, site):
    assert asked(acme, **form("TASKSUMMARY", site, fromdate="2025-03-01", uptodate="2025-03-31"))
    instants = {"fromdate": "", "uptodate": "", "fromdatetime": "2025-03-01T00:00:00Z"}
    assert asked(acme, **form("LISTOFTASKS", site, **instants, uptodatetime="2025-04-01T00:00:00Z"))

    with pytest.raises(BadInput, match="the period has 32 days; a report covers at most 31"):
        asked(acme, **form("TASKSUMMARY", site, fromdate="2025-03-01", uptodate="2025-04-01"))
    with pytest.raises(BadInput, match="covers at most 31"):
        asked(acme, **form("LISTOFTASKS", site, **instants, uptodatetime="2025-04-01T00:00:01Z"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"report_name": "TASKSUMMERY"}, "There is no report 'TASKSUMMERY'.*Did you mean 'TASKSUMMARY'"),
        ({"report_name": None}, "There is no report None"),
        ({"report_name": ["TASKSUMMARY"]}, "There is no report"),
        ({"format": "docx"}, "format is 'docx'; right is one of pdf, xlsx, csv, html, json"),
        ({"format": None}, "format is None"),
        ({"site": None}, r"site is missing. It asks for site\*, fromdate\*, uptodate\*"),
        ({"fromdate": None}, "fromdate is missing"),
        ({"uptodate": ""}, "uptodate is missing"),
        ({"fromdate": "", "uptodate": ""}, "fromdate is missing"),
        ({"fromdate": "2025-03-04"}, "fromdate 2025-03-04 is after uptodate 2025-03-03"),
        ({"fromdate": "03/03/2025"}, "right is a date, for example '2025-03-03'"),
        ({"fromdate": "2025-03-03T10:00"}, "right is a date"),
        ({"fromdate": 20250303}, "right is a date"),
        ({"uptodate": "9999-12-31", "fromdate": "9999-12-31"}, "right is a date"),
        ({"ctzoffset": "east"}, "right is minutes east of UTC"),
        ({"ctzoffset": 1440}, "right is minutes east of UTC"),
        ({"ctzoffset": True}, "right is minutes east of UTC"),
        ({"sitegroup": "all", "site": ""}, "sitegroup is 'all'"),
    ],
)
def test_bad_input_says_what_is_right(acme, site, changed, words):
    with pytest.raises(BadInput, match=words):
        asked(acme, **{**form("TASKSUMMARY", site), **changed})


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2025-03-03T10:00:00Z", "2025-03-03T10:00:00Z", "is not before uptodatetime"),
        ("2025-03-03T15:30:00+05:30", "2025-03-03T10:00:00Z", "is not before uptodatetime"),
        ("yesterday", "2025-03-03T10:00:00Z", "right is an instant"),
        ("0001-01-01T00:00:00+14:00", "2025-03-03T10:00:00Z", "right is an instant"),
        (1, "2025-03-03T10:00:00Z", "right is an instant"),
        ("2025-03-03T10:00:00Z", "", "uptodatetime is missing"),
        ("", "", "fromdatetime is missing"),
    ],
)
def test_bad_instants_are_named(acme, site, start, end, words):
    with pytest.raises(BadInput, match=words):
        asked(acme, **form("LISTOFTASKS", site, fromdate="", uptodate="", fromdatetime=start, uptodatetime=end))


def test_a_form_that_is_no_form_is_bad_input(acme):
    with tenant(acme.id), pytest.raises(BadInput, match="right is an object"):
        read(["TASKSUMMARY"], client_id=acme.id)


def test_an_old_excel_is_a_new_one_and_a_preview_a_pdf(acme, site):
    assert asked(acme, **form("TASKSUMMARY", site, format="xls")).format == "xlsx"
    assert asked(acme, **form("TASKSUMMARY", site, format="xlsx", preview="true")).format == "pdf"
    assert asked(acme, **form("tasksummary", site, format="CSV", preview="false")).format == "csv"


def test_an_unknown_offset_is_that_of_most_plans_and_is_told(acme, site):
    acme.plan(site)

    found = asked(acme, **form("TASKSUMMARY", site, ctzoffset=-1))

    assert found.filters.offset == 330
    assert "times are shown at 330 min" in found.warnings[0]
    assert asked(acme, **form("TASKSUMMARY", site, ctzoffset=0)).warnings == ()


def test_fields_that_a_report_does_not_know_do_not_matter(acme, site):
    found = asked(acme, **form("TASKSUMMARY", site, asset="5", csrfmiddlewaretoken="x", people="nobody"))

    assert found.filters.ids == {}


def test_a_filter_is_an_id(acme, site):
    assert asked(acme, **form("LISTOFTASKS", site, people="7", asset=9, qset="")).filters.ids == {
        "people": 7,
        "asset": 9,
    }
    with pytest.raises(BadInput, match="people is '7 OR 1=1'"):
        asked(acme, **form("LISTOFTASKS", site, people="7 OR 1=1"))
