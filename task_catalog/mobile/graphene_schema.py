"""The devices' schema, written with graphene: the same names and the same functions as `strawberry_schema`."""

from __future__ import annotations

from typing import Any

import graphene
from graphene import Field, Int, List, NonNull, String

from task_catalog.mobile import attachments, downloads, handing_over, inserting, reports, visits
from task_catalog.mobile.context import Output


class OutputType(graphene.ObjectType):  # type: ignore[misc]
    """What every mutation answers."""

    class Meta:
        name = "Output"

    rc = NonNull(Int)
    msg = NonNull(String)
    recordcount = NonNull(Int)
    traceback = NonNull(String)
    uuids = NonNull(List(NonNull(String)))


class SelectionType(graphene.ObjectType):  # type: ignore[misc]
    """What every query answers."""

    class Meta:
        name = "Selection"

    nrows = NonNull(Int)
    ncols = NonNull(Int)
    msg = NonNull(String)
    records = NonNull(String)


_TEXTS = NonNull(List(String))


def _of_records(store: Any) -> Field:
    return Field(
        NonNull(OutputType), records=_TEXTS, resolver=lambda _, info, records: _told(store(info.context, records))
    )


def _list(name: str, arguments: dict[str, str], **types: Any) -> Field:
    """A query: `arguments` are the device's names for those of `downloads.select`."""

    def resolve(_: Any, info: Any, **given: Any) -> downloads.Selection:
        return downloads.select(info.context, name, **{arguments[each]: value for each, value in given.items()})

    return Field(NonNull(SelectionType), resolver=resolve, **types)


class Mutation(graphene.ObjectType):  # type: ignore[misc]
    """What devices report."""

    insert_record = _of_records(inserting.insert_records)
    update_task_tour = _of_records(visits.update_tours)
    upload_report = _of_records(reports.upload_reports)
    adhoc_record = _of_records(visits.report_ad_hoc)
    upload_attachment = Field(
        NonNull(OutputType),
        bytes=NonNull(List(Int)),
        biodata=NonNull(String),
        record=NonNull(String),
        resolver=lambda _, info, bytes, biodata, record: _told(
            attachments.upload(info.context, bytes, biodata, record)
        ),
    )
    insert_json = Field(
        NonNull(OutputType),
        jsondata=_TEXTS,
        tablename=NonNull(String),
        resolver=lambda _, info, jsondata, tablename: _told(
            handing_over.insert_json(info.context, jsondata, tablename)
        ),
    )
    sync_upload = Field(
        NonNull(OutputType),
        file=NonNull(String),
        resolver=lambda _, info, file: _told(handing_over.sync_upload(info.context, file)),
    )


_SINCE = {"mdtz": "since", "buid": "site_id"}


class Query(graphene.ObjectType):  # type: ignore[misc]
    """What devices ask for."""

    get_people_modified_after = _list("people", _SINCE, mdtz=String(), buid=Int())
    get_assets_modified_after = _list("assets", _SINCE, mdtz=String(), buid=Int())
    get_jobneed_modified_after = _list(
        "visits", {**_SINCE, "peopleid": "people_id"}, mdtz=String(), buid=Int(), peopleid=Int()
    )
    get_jnd_modified_after = _list(
        "answers", {**_SINCE, "jobneedids": "visit_ids"}, mdtz=String(), buid=Int(), jobneedids=List(NonNull(Int))
    )
    get_tickets = _list("tickets", _SINCE, mdtz=String(), buid=Int())


def _told(output: Output) -> dict[str, Any]:
    return output.as_dict()


schema = graphene.Schema(query=Query, mutation=Mutation)
