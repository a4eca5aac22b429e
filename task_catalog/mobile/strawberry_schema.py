"""The devices' schema, written with strawberry; what its fields do is in the plain functions of this room."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types import Info

from task_catalog.mobile import attachments, downloads, handing_over, inserting, reports, visits
from task_catalog.mobile.context import Context, Output


@strawberry.type(name="Output")
class OutputType:
    """What every mutation answers."""

    rc: int
    msg: str
    recordcount: int
    traceback: str
    uuids: list[str]


@strawberry.type(name="Selection")
class SelectionType:
    """What every query answers; `records` is the JSON text of a list of objects."""

    nrows: int
    ncols: int
    msg: str
    records: str


def insert_record(info: Info, records: list[str | None]) -> OutputType:
    return _told(inserting.insert_records(info.context, records))


def update_task_tour(info: Info, records: list[str | None]) -> OutputType:
    return _told(visits.update_tours(info.context, records))


def upload_report(info: Info, records: list[str | None]) -> OutputType:
    return _told(reports.upload_reports(info.context, records))


def adhoc_record(info: Info, records: list[str | None]) -> OutputType:
    return _told(visits.report_ad_hoc(info.context, records))


def upload_attachment(info: Info, bytes: list[int | None], biodata: str, record: str) -> OutputType:
    return _told(attachments.upload(info.context, bytes, biodata, record))


def insert_json(info: Info, jsondata: list[str | None], tablename: str) -> OutputType:
    return _told(handing_over.insert_json(info.context, jsondata, tablename))


def sync_upload(info: Info, file: str) -> OutputType:
    return _told(handing_over.sync_upload(info.context, file))


@strawberry.type
class Mutation:
    """What devices report."""

    insert_record: OutputType = strawberry.mutation(resolver=insert_record)
    update_task_tour: OutputType = strawberry.mutation(resolver=update_task_tour)
    upload_report: OutputType = strawberry.mutation(resolver=upload_report)
    adhoc_record: OutputType = strawberry.mutation(resolver=adhoc_record)
    upload_attachment: OutputType = strawberry.mutation(resolver=upload_attachment)
    insert_json: OutputType = strawberry.mutation(resolver=insert_json)
    sync_upload: OutputType = strawberry.mutation(resolver=sync_upload)


def people(info: Info, mdtz: str | None = None, buid: int | None = None) -> SelectionType:
    return _selected(info.context, "people", since=mdtz, site_id=buid)


def assets(info: Info, mdtz: str | None = None, buid: int | None = None) -> SelectionType:
    return _selected(info.context, "assets", since=mdtz, site_id=buid)


def jobneeds(
    info: Info, mdtz: str | None = None, buid: int | None = None, peopleid: int | None = None
) -> SelectionType:
    return _selected(info.context, "visits", since=mdtz, site_id=buid, people_id=peopleid)


def answers(
    info: Info, mdtz: str | None = None, buid: int | None = None, jobneedids: list[int] | None = None
) -> SelectionType:
    return _selected(info.context, "answers", since=mdtz, site_id=buid, visit_ids=jobneedids)


def tickets(info: Info, mdtz: str | None = None, buid: int | None = None) -> SelectionType:
    return _selected(info.context, "tickets", since=mdtz, site_id=buid)


@strawberry.type
class Query:
    """What devices ask for."""

    get_people_modified_after: SelectionType = strawberry.field(resolver=people)
    get_assets_modified_after: SelectionType = strawberry.field(resolver=assets)
    get_jobneed_modified_after: SelectionType = strawberry.field(resolver=jobneeds)
    get_jnd_modified_after: SelectionType = strawberry.field(resolver=answers)
    get_tickets: SelectionType = strawberry.field(resolver=tickets)


class Schema(strawberry.Schema):
    """Keeps to itself what it raises: strawberry would log each error with the record in its traceback."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        return None


def _told(output: Output) -> OutputType:
    return OutputType(**output.as_dict())


def _selected(context: Context, name: str, **narrowed: Any) -> SelectionType:
    found = downloads.select(context, name, **narrowed)
    return SelectionType(nrows=found.nrows, ncols=found.ncols, msg=found.msg, records=found.records)


schema = Schema(query=Query, mutation=Mutation)
