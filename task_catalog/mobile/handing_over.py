"""insertJson and syncUpload: whole batches, handed over to a job of their own or unpacked and stored here."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from task_catalog.conf import catalog
from task_catalog.maintenance.records import insert_json_records_async
from task_catalog.mobile import inserting, reports, visits
from task_catalog.mobile.context import Context, Output
from task_catalog.mobile.tables import IN_BATCHES, table_of
from youtility_tasks import BadInput, enqueue_many

SERVICES: Mapping[str, Callable[[Context, Sequence[Any]], Output]] = {
    "insertRecord": inserting.insert_records,
    "updateTaskTour": visits.update_tours,
    "uploadReport": reports.upload_reports,
    "adhocRecord": visits.report_ad_hoc,
}
"""Members of an archive, by the beginning of their names, in the order in which they are stored."""

_IN_ONE_JOB = 500
_MOST_BYTES = 100_000
"""Of the records of one job, well below what a job's arguments may hold."""
_MOST_MEMBERS = 50


def insert_json(context: Context, jsondata: Sequence[Any], tablename: str) -> Output:
    """Have the records stored by jobs of their own, in the caller's transaction. Raises BadInput for an unknown table."""
    table = table_of(tablename, IN_BATCHES)
    records = [each if isinstance(each, str) else json.dumps(each) for each in visits.listed(jsondata)]
    parts: list[list[str]] = []
    room = 0
    for record in records:
        size = len(record.encode(errors="replace"))
        if not parts or len(parts[-1]) >= _IN_ONE_JOB or size > room:
            parts.append([])
            room = _MOST_BYTES
        parts[-1].append(record)
        room -= size
    enqueue_many(insert_json_records_async, [{"records": part, "tablename": table.name} for part in parts])
    return Output(f"records handed over: {len(records)}", len(records))


def sync_upload(context: Context, file: str) -> Output:
    """Store everything in a device's archive, all or nothing: base64 of a zip with a JSON list for each mutation.

    Raises BadInput, also for an archive that unpacks to more than `TASK_CATALOG["upload_max_bytes"]`.
    """
    members = _members(file)
    unknown = [name for name in members if _service(name) is None]
    if unknown or not members:
        raise BadInput(
            f"syncUpload: the archive holds {unknown[:3]!r}; right are files called {', '.join(SERVICES)} with .json or .gz."
        )
    outputs = []
    for service, store in SERVICES.items():
        for name, content in members.items():
            if _service(name) == service:
                outputs.append(store(context, _records(name, content)))
    uuids = tuple(uuid for output in outputs for uuid in output.uuids)
    return Output(f"records stored: {len(uuids)}", sum(output.recordcount for output in outputs), uuids)


def _service(name: str) -> str | None:
    stem = name.rsplit("/", 1)[-1].split(".", 1)[0]
    return next((service for service in SERVICES if stem == service or stem.startswith(f"{service}_")), None)


def _members(file: object) -> dict[str, bytes]:
    most = catalog().upload_max_bytes
    if not isinstance(file, str) or len(file) > most * 4 // 3 + 4:
        raise BadInput(f"syncUpload: right is the base64 text of a zip archive of {most} bytes at most.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(file, validate=True)))
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if len(infos) > _MOST_MEMBERS:
            raise BadInput(f"syncUpload: the archive holds {len(infos)} files; right are {_MOST_MEMBERS} at most.")
        found: dict[str, bytes] = {}
        for info in infos:
            # Read no more than is left, whatever the archive says of its sizes.
            left = most - sum(map(len, found.values()))
            with archive.open(info) as member:
                content = _limited(member, left)
                found[info.filename] = _ungzipped(content, left) if info.filename.endswith(".gz") else content
        return found
    except (
        binascii.Error,
        ValueError,
        OSError,
        EOFError,
        lzma.LZMAError,
        zlib.error,
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise BadInput(
            f"syncUpload: the file cannot be unpacked: {error}. Right is the base64 text of a zip archive."
        ) from error


def _limited(stream: Any, left: int) -> bytes:
    content: bytes = stream.read(left + 1)
    if len(content) > left:
        raise BadInput(f"syncUpload: the archive unpacks to more than {catalog().upload_max_bytes} bytes.")
    return content


def _ungzipped(content: bytes, left: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        return _limited(stream, left)


def _records(name: str, content: bytes) -> list[Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"syncUpload: {name!r:.60} is no JSON.") from error
    if not isinstance(found, list):
        raise BadInput(f"syncUpload: {name!r:.60} is no JSON list of records.")
    return found
