"""What the seven reports show, row by row, for companies that look alike."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from task_catalog.facility.models import Asset, Job, Jobneed, PeopleEventlog, Ticket, Vendor, Wom
from task_catalog.reporting import registry
from task_catalog.reporting.registry import Column, Filters, Kind, Sql, register_report
from task_catalog.reporting.request import read
from task_catalog.reporting.rows import rows_of
from tests.catalog.closing.world import NONE, START
from tests.catalog.reports.world import form, rows, visits
from youtility_tasks import BadInput, errors, tenant

CODES = [
    "ASSETWISETASKSTATUS",
    "DYNAMICDETAILEDTOURSUMMARY",
    "LISTOFTASKS",
    "LISTOFTICKETS",
    "LISTOFTOURS",
    "PEOPLEATTENDANCESUMMARY",
    "PPMSUMMARY",
    "STATICDETAILEDTOURSUMMARY",
    "TASKSUMMARY",
    "TOURSUMMARY",
    "WORKORDERLIST",
]


def hour(hours: float):
    return START + timedelta(hours=hours)


def pump(company, site, **columns):
    """An asset."""
    given = {"assetcode": "P1", "assetname": "Pump", "location_id": NONE, **columns}
    return Asset.objects.create(client_id=company.id, bu=site, **given, **company.stamps())


def punch(company, site, person, *, came=None, left=None, kind="SELF"):
    """An attendance event."""
    return PeopleEventlog.objects.create(
        people=person,
        client_id=company.id,
        bu=site,
        peventtype=company.word(kind, "PEOPLEEVENT"),
        punchintime=came,
        punchouttime=left,
        **company.stamps(),
    )


def something_of_everything(company, site):
    """A row for each report of a client, at a site that may be another's."""
    for kind in ("TASK", "INTERNALTOUR", "PPM"):
        visits(company, site, "COMPLETED", identifier=kind)
    visits(company, site, "COMPLETED", identifier="INTERNALTOUR", other_info={"isdynamic": True}, plandatetime=hour(11))
    visits(company, site, "COMPLETED", asset=pump(company, site, assetcode=company.name), plandatetime=hour(12))
    punch(company, site, company.person("guard"), came=hour(1))
    Ticket.objects.create(
        ticketno=f"{company.name}#1", ticketdesc="d", client_id=company.id, bu=site, **company.stamps(cdtz=hour(1))
    )
    Wom.objects.create(description="d", identifier="WO", client_id=company.id, bu=site, **company.stamps(cdtz=hour(1)))


def test_the_companys_reports_are_there():
    assert list(registry.registered()) == CODES


def test_the_task_summary_counts_by_site_and_local_day(acme, site):
    visits(acme, site, "ASSIGNED", "AUTOCLOSED", "COMPLETED", "COMPLETED", "PARTIALLYCOMPLETED", "INPROGRESS")
    visits(acme, site, "COMPLETED", jobtype="ADHOC", plandatetime=hour(12))
    visits(acme, site, "COMPLETED", plandatetime=hour(18.5))  # midnight in India: the next day
    other = acme.site("2")
    visits(acme, other, "ASSIGNED")

    whole = rows(acme, form("TASKSUMMARY", acme.client, ctzoffset=330))

    day = date(2025, 3, 3)
    assert whole == [
        (site.buname, day, 7, 6, 1, 1, 1, 2, 4, Decimal("33.33")),
        (other.buname, day, 1, 1, 0, 1, 0, 0, 1, Decimal("0.00")),
    ]
    assert rows(acme, form("TASKSUMMARY", site, ctzoffset=330)) == whole[:1]
    assert [row[1:4] for row in rows(acme, form("TASKSUMMARY", site, ctzoffset=330, uptodate="2025-03-04"))] == [
        (day, 7, 6),
        (date(2025, 3, 4), 1, 1),
    ]


def test_a_day_with_adhoc_work_alone_is_no_division_by_zero(acme, site):
    visits(acme, site, "COMPLETED", jobtype="ADHOC")

    assert rows(acme, form("TASKSUMMARY", site))[0][2:] == (1, 0, 1, 0, 0, 0, 0, Decimal("0.00"))


def test_d31_a_client_in_greenwich_has_reports(acme, globex, site):
    visits(acme, site, "COMPLETED", plandatetime=START)
    visits(acme, site, "COMPLETED", plandatetime=START - timedelta(seconds=1))

    assert [row[1:3] for row in rows(acme, form("TASKSUMMARY", site, ctzoffset=0))] == [(date(2025, 3, 3), 1)]


def test_d32_site_12_is_not_sites_1_and_2_nor_anybody_elses(acme, globex):
    ours = {code: acme.site(code) for code in ("1", "2", "12")}
    theirs = globex.site("12")
    for company, place in [*((acme, each) for each in ours.values()), (globex, theirs)]:
        visits(company, place, "COMPLETED")

    assert [row[0] for row in rows(acme, form("TASKSUMMARY", ours["12"]))] == ["acme site 12"]
    assert [row[0] for row in rows(acme, form("TASKSUMMARY", acme.client))] == [
        "acme site 1",
        "acme site 12",
        "acme site 2",
    ]
    with pytest.raises(BadInput, match=f"site is {theirs.pk}, which is no site of client {acme.id}"):
        rows(acme, form("TASKSUMMARY", theirs))


@pytest.mark.parametrize("code", CODES)
def test_d32_rows_that_point_at_a_site_of_ours_but_are_another_clients_are_not_shown(acme, globex, site, code):
    something_of_everything(globex, site)
    assert rows(acme, form(code, site, format="xlsx")) == []

    something_of_everything(acme, site)
    assert len(rows(acme, form(code, site, format="xlsx"))) >= 1


@pytest.mark.parametrize("site", ["1) OR (1=1", "1,2", "12 ", "٣", "1e3", -4, 1.5, True, [1, 2], {"id": 1}, "9" * 30])
def test_d32_a_site_that_is_no_id_never_reaches_the_database(acme, site):
    with CaptureQueriesContext(connection) as asked, pytest.raises(BadInput, match="right is the id of one row"):
        rows(acme, {**form("TASKSUMMARY"), "site": site})

    assert not any("jobneed" in query["sql"] for query in asked)


def test_d49_a_tour_is_one_tour_however_many_checkpoints_it_has(acme, site):
    for status in ("COMPLETED", "PARTIALLYCOMPLETED", "ASSIGNED"):
        (tour,) = visits(acme, site, status, identifier="INTERNALTOUR")
        for _ in range(6):
            acme.stop(tour, "COMPLETED")
    visits(acme, site, "COMPLETED", identifier="EXTERNALTOUR")

    (row,) = rows(acme, form("TOURSUMMARY", site))

    assert row[2:] == (3, 3, 0, 1, 0, 1, 2, Decimal("33.33"))
    listed = [tour[6] for tour in rows(acme, form("LISTOFTOURS", site))]
    assert sorted(listed) == ["ASSIGNED", "COMPLETED", "COMPLETED", "PARTIALLYCOMPLETED"]


def test_d49_the_ppm_summary_covers_the_period_that_was_asked_for(acme, site):
    kind = acme.word("PUMP", "ASSETTYPE")
    ended = {"expirydatetime": hour(11), "identifier": "PPM", "asset": pump(acme, site, type=kind)}
    visits(acme, site, "COMPLETED", endtime=hour(11), **ended)
    visits(acme, site, "COMPLETED", endtime=hour(11.1), **ended)
    visits(acme, site, "AUTOCLOSED", **ended)
    visits(acme, site, "ASSIGNED", **ended)
    visits(acme, site, "AUTOCLOSED", identifier="PPM")
    visits(acme, site, "COMPLETED", **{**ended, "plandatetime": START - timedelta(days=90), "endtime": START})

    assert rows(acme, form("PPMSUMMARY", site)) == [
        ("", 1, 0, 0, 1, Decimal("0.00"), site.buname),
        (kind.taname, 4, 1, 1, 1, Decimal("25.00"), site.buname),
    ]
    long_ago = form("PPMSUMMARY", site, fromdate="2024-12-01", uptodate="2024-12-31")
    assert [row[1] for row in rows(acme, long_ago)] == [1]


def test_a_detailed_tour_summary_counts_the_checkpoints_of_each_tour(acme, globex, site):
    guard = acme.person("guard", site)
    (tour,) = visits(acme, site, "PARTIALLYCOMPLETED", identifier="INTERNALTOUR", people=guard, jobdesc="Night")
    for status in ("COMPLETED", "COMPLETED", "AUTOCLOSED", "ASSIGNED"):
        acme.stop(tour, status)
    visits(acme, site, "COMPLETED", identifier="INTERNALTOUR", jobdesc="Bare", plandatetime=hour(11))
    visits(acme, site, "COMPLETED", identifier="INTERNALTOUR", jobdesc="Dynamic", other_info={"isdynamic": "True"})
    Jobneed.objects.create(parent=tour, jobdesc="theirs", client_id=globex.id, jobstatus="COMPLETED", **globex.stamps())

    night, bare = rows(acme, form("STATICDETAILEDTOURSUMMARY", site))

    assert night[:2] + night[3:5] == (site.buname, "Night", guard.peoplename, "PARTIALLYCOMPLETED")
    assert night[8:] == (4, 2, 1, Decimal("50.00"))
    assert (bare[1], bare[8:]) == ("Bare", (0, 0, 0, Decimal("0.00")))
    assert [row[1] for row in rows(acme, form("DYNAMICDETAILEDTOURSUMMARY", site))] == ["Dynamic"]


def test_the_tasks_at_each_asset(acme, globex, site):
    first, second = pump(acme, site), pump(acme, site, assetcode="P2", assetname="Lift")
    visits(acme, site, "COMPLETED", "AUTOCLOSED", "AUTOCLOSED", "ASSIGNED", asset=first)
    visits(acme, site, "COMPLETED", asset=second)
    visits(acme, site, "COMPLETED", plandatetime=hour(12))
    visits(globex, globex.site("1"), "COMPLETED", asset=first)

    assert rows(acme, form("ASSETWISETASKSTATUS", site)) == [
        ("Lift", 0, 1, 1, site.buname),
        ("Pump", 2, 1, 4, site.buname),
    ]
    assert len(rows(acme, form("ASSETWISETASKSTATUS", site, asset=first.pk))) == 1


def test_attendance_is_first_in_last_out_and_the_hours_between(acme, globex, site):
    guard, other = acme.person("guard", site), acme.person("other", site)
    punch(acme, site, guard, came=hour(1), left=hour(4))
    punch(acme, site, guard, came=hour(5), left=hour(9.5), kind="MARKATTENDANCE")
    punch(acme, site, guard, came=hour(2), left=hour(3), kind="CONVEYANCE")
    punch(acme, site, other, came=hour(20))  # 01:30 of the next day in India
    punch(acme, site, other, left=hour(6))
    punch(globex, globex.site("1"), globex.person("guard"), came=hour(1), left=hour(4))
    asked = form("PEOPLEATTENDANCESUMMARY", site, ctzoffset=330, format="xlsx")

    first, second = rows(acme, asked)

    assert first[2:] == (
        guard.peoplename,
        date(2025, 3, 3),
        hour(1),
        hour(9.5),
        timedelta(hours=7, minutes=30),
    )
    assert second[1:] == (other.peoplecode, other.peoplename, date(2025, 3, 3), None, hour(6), None)
    assert len(rows(acme, {**asked, "uptodate": "2025-03-04"})) == 3
    assert len(rows(acme, {**asked, "people": guard.pk})) == 1


@pytest.mark.parametrize("format", ["csv", "html", "json"])
def test_a_format_in_which_a_report_does_not_come_is_refused(acme, site, format):
    with pytest.raises(BadInput, match=f"format is '{format}'; right is one of pdf, xlsx"):
        rows(acme, form("PEOPLEATTENDANCESUMMARY", site, format=format))


def test_the_list_of_tasks_names_who_should_and_who_did(acme, site):
    guard, boss = acme.person("guard", site), acme.person("boss", site)
    group = acme.group(guard)
    visits(acme, site, "COMPLETED", people=guard, performedby=boss, starttime=hour(10), endtime=hour(10.5), jobdesc="a")
    visits(acme, site, "ASSIGNED", pgroup=group, plandatetime=hour(11), jobdesc="b")
    visits(acme, site, "ASSIGNED", plandatetime=hour(12), jobdesc="c")

    found = rows(acme, form("LISTOFTASKS", site))

    assert [(row[1], row[4], row[6], row[9]) for row in found] == [
        ("a", guard.peoplename, "COMPLETED", boss.peoplename),
        ("b", group.groupname, "ASSIGNED", ""),
        ("c", "", "ASSIGNED", ""),
    ]
    assert found[0][2:4] == (hour(10), hour(11))
    assert found[0][7:9] == (hour(10), hour(10.5))
    assert [row[1] for row in rows(acme, form("LISTOFTASKS", site, people=str(guard.pk)))] == ["a"]


def test_lists_want_instants_and_end_before_the_last_one(acme, site):
    visits(acme, site, "ASSIGNED", "ASSIGNED", "ASSIGNED")  # 10:00, 10:01, 10:02
    asked = form("LISTOFTASKS", site, fromdate="", uptodate="")

    def between(first: str, last: str, offset: int = 0) -> int:
        return len(rows(acme, {**asked, "fromdatetime": first, "uptodatetime": last, "ctzoffset": offset}))

    assert between("2025-03-03T10:00:00Z", "2025-03-03T10:02:00Z") == 2
    assert between("2025-03-03T10:00", "2025-03-03T10:02") == 2
    assert between("2025-03-03T15:30", "2025-03-03T15:33", 330) == 3
    assert between("2025-03-03T15:31:00+05:30", "2025-03-03T10:03:00+00:00") == 2


def test_d49_the_list_of_tickets_has_their_numbers(acme, globex, site):
    guard = acme.person("guard", site)
    category = acme.word("TC_GEN", "TICKETCATEGORY")
    solved = acme.ticket(site, at=hour(1), person_id=guard.pk, creator_id=guard.pk, category_id=category.pk)
    type(solved).objects.filter(pk=solved.pk).update(status="RESOLVED", modifieddatetime=hour(27.5))
    open_one = acme.ticket(site, at=hour(2))
    acme.ticket(site, at=hour(-1))
    globex.ticket(globex.site("1"), at=hour(1))

    first, second = rows(acme, form("LISTOFTICKETS"))

    assert first == (
        solved.ticketno,
        hour(1),
        hour(27.5),
        "RESOLVED",
        "a leak",
        solved.priority,
        category.taname,
        timedelta(hours=26, minutes=30),
        guard.peoplename,
        guard.peoplename,
    )
    assert (second[0], second[6:]) == (open_one.ticketno, ("", None, "", ""))
    assert len(rows(acme, form("LISTOFTICKETS", ticketcategory=category.pk))) == 1
    assert len(rows(acme, form("LISTOFTICKETS", people=guard.pk))) == 1


def test_the_list_of_work_orders_has_neither_permits_nor_scores(acme, globex, site):
    vendor = Vendor.objects.create(code="V", name="Vent & Co", client_id=acme.id, bu=site, **acme.stamps())
    common = {"client_id": acme.id, "bu": site, "parent_id": NONE, "vendor": vendor, **acme.stamps(cdtz=hour(1))}
    order = Wom.objects.create(description="Fix <it>", identifier="WO", endtime=hour(5), **common)
    for kind in ("WP", "SLA", None):
        Wom.objects.create(description="other", identifier=kind, **common)

    (row,) = rows(acme, form("WORKORDERLIST", site))

    assert row == (
        order.pk,
        hour(1),
        "",
        None,
        "Fix <it>",
        hour(5),
        order.priority,
        "ASSIGNED",
        site.buname,
        "Vent & Co",
    )


@pytest.mark.parametrize("code", CODES)
def test_a_report_is_one_statement_through_a_cursor_of_the_server(acme, site, code):
    something_of_everything(acme, site)
    with tenant(acme.id):
        checked = read(form(code, site, format="xlsx"), client_id=acme.id)
        with CaptureQueriesContext(connection) as other, rows_of(checked.report, checked.filters) as found:
            assert next(found)
            with connection.cursor() as cursor:
                cursor.execute("SELECT statement FROM pg_cursors")
                declared = [statement for (statement,) in cursor.fetchall()]

    assert len(declared) == 1
    asked_besides = [query["sql"] for query in other if "pg_cursors" not in query["sql"]]
    assert [sql for sql in asked_besides if sql.startswith("SELECT")] == []


def test_what_a_form_costs_before_the_first_row_does_not_grow_with_the_sites(acme):
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            rows(acme, form("TASKSUMMARY", acme.client))
        return len(asked)

    acme.site("1")
    few = questions()
    for n in range(20):
        acme.site(f"more {n}")

    assert questions() == few


def test_a_region_stands_for_the_sites_below_it(acme, globex):
    north, south = acme.site("north"), acme.site("south")
    below = acme.site("9")
    type(below).objects.filter(pk=below.pk).update(parent=north)
    for place in (south, below):
        visits(acme, place, "COMPLETED")

    assert [row[0] for row in rows(acme, form("TASKSUMMARY", north))] == [below.buname]
    assert [row[0] for row in rows(acme, form("TASKSUMMARY", acme.client))] == [below.buname, south.buname]
    with pytest.raises(BadInput, match="is no site of client"):
        rows(globex, form("TASKSUMMARY", below))


def test_a_group_of_sites_is_those_of_its_sites_that_are_the_clients(acme, globex):
    one, two, three = (acme.site(code) for code in "123")
    for place in (one, two, three):
        visits(acme, place, "COMPLETED")
    group = acme.group(one, three, globex.site("1"))

    found = rows(acme, form("TASKSUMMARY", sitegroup=group.pk))

    assert [row[0] for row in found] == [one.buname, three.buname]
    theirs = globex.group(globex.site("2"))
    with pytest.raises(BadInput, match="which is no group of client"):
        rows(acme, form("TASKSUMMARY", sitegroup=theirs.pk))
    with pytest.raises(BadInput, match="has no site of client"):
        rows(acme, form("TASKSUMMARY", sitegroup=acme.group(acme.person("lonely")).pk))


@pytest.fixture
def own_report():
    def plans(filters: Filters) -> Sql:
        return Sql(
            "SELECT jobname, planduration FROM job WHERE client_id = %(client)s AND bu_id = ANY(%(sites)s) ORDER BY id",
            {"client": filters.client_id, "sites": list(filters.sites)},
        )

    register_report("PLANS", ["site*", "fromdate*", "uptodate*"], ["Plan", Column("Minutes", Kind.WHOLE)], plans)
    yield plans
    registry.forget("PLANS")


def test_an_application_registers_a_statement_of_its_own(acme, globex, site, own_report):
    plan = acme.plan(site, planduration=20)
    globex.plan(globex.site("1"))

    assert rows(acme, form("PLANS", site)) == [(plan.jobname, 20)]
    assert Job.objects.filter(client_id=globex.id).exists()


def test_an_own_statement_of_another_width_is_named(acme, site, own_report):
    acme.plan(site)
    registry.forget("PLANS")
    register_report("PLANS", ["site*", "fromdate*", "uptodate*"], ["Plan"], own_report)

    with pytest.raises(errors.ConfigurationError, match="gives 2 columns; registered are 1"):
        rows(acme, form("PLANS", site))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"code": "TASKSUMMARY"}, "another report has this code"),
        ({"code": "Plans"}, "capital letters"),
        ({"fields": ["city*"]}, "fields are some of"),
        ({"columns": []}, "headings that differ"),
        ({"columns": ["a", "a"]}, "headings that differ"),
        ({"unsupported": ["docx"]}, "formats are"),
        ({"unsupported": ["pdf", "xls", "csv", "html", "json"]}, "one is left"),
        ({"chart": registry.Chart("t", "nowhere")}, "shows columns of the report"),
    ],
)
def test_a_report_that_cannot_be_is_refused_when_it_is_registered(changed, words):
    given = {"code": "PLANS", "fields": ["site*"], "columns": ["a"], "query": lambda filters: None, **changed}

    with pytest.raises(errors.ConfigurationError, match=words):
        register_report(**given)

    assert list(registry.registered()) == CODES


def test_no_report_counts_the_none_rows(acme, site):
    Jobneed.objects.filter(pk=NONE).update(
        client_id=acme.id, bu=site, identifier="TASK", plandatetime=hour(10), jobtype="SCHEDULE"
    )

    assert rows(acme, form("TASKSUMMARY", site)) == []
