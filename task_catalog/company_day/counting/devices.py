"""What devices delivered, what their photos showed, where they were; and what the control room and the bucket got."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from task_catalog import entities
from task_catalog.company_day.company import Company
from task_catalog.company_day.ears import Heard
from task_catalog.company_day.expected import Totals
from task_catalog.company_day.traffic import (
    FILES_PER_OLD_FOLDER,
    FILES_PER_OTHER_FOLDER,
    FOLDERS,
    OLD_FILES_BESIDE_NEW,
    OLD_FOLDERS,
)
from task_catalog.company_day.yard import Yard

from .attempts import Attempts
from .letters import by_client

_KINDS = ("completions", "starts", "tickets", "punches", "photos", "permits", "tracks")
_SHOWN = ("match", "mismatch", "no_face", "no_reference")
_FILES_BEFORE = (
    OLD_FOLDERS * FILES_PER_OLD_FOLDER + OLD_FILES_BESIDE_NEW + (FOLDERS - OLD_FOLDERS) * FILES_PER_OTHER_FOLDER
)


def count_devices(company: Company, attempts: Attempts) -> Totals:
    """Deliveries, tracks and photos."""
    batches = attempts.results("insert_json_records_async")
    return {
        **_mutations(attempts),
        "track rows": by_client(
            company,
            entities.Tracking.objects.filter(people__client_id__in=company.client_ids).values_list(
                "people__client_id", flat=True
            ),
        ),
        "track rows that came again": sum(int(batch.get("updated") or 0) for batch in batches),
        **_photos(company),
    }


def _mutations(attempts: Attempts) -> Totals:
    """A message is applied as often as a job of it gave a fresh answer; if all of its jobs answered that they know it, once:
    the worker died after the rows and the answer were there, and before the job had ended."""
    mine = [each for each in attempts.counted if each.task_name == "process_graphql_mutation_async"]
    answered = [each for each in mine if each.status == "succeeded"]
    fresh: Counter[str] = Counter()
    for each in answered:
        fresh[(each.args or {})["payload"]] += (each.result or {}).get("status") != "duplicate"
    applied = {payload: max(count, 1) for payload, count in fresh.items()}
    kinds: Counter[str] = Counter()
    for payload, count in applied.items():
        kinds[str(json.loads(payload).get("serviceName"))] += count
    return {
        "mutations applied": {**dict.fromkeys(_KINDS, 0), **kinds, "all": kinds.total()},
        "mutations delivered": {
            "applied": kinds.total(),
            "duplicate": len(answered) - kinds.total(),
            "failed": len(mine) - len(answered),
            "all": len(mine),
        },
    }


def _photos(company: Company) -> Totals:
    events = entities.Attendance.objects.filter(client_id__in=company.client_ids)
    shown: Counter[str] = Counter()
    for extras in events.values_list("peventlogextras", flat=True):
        shown.update(str(extras.get(f"fr_status_{side}", "unchecked")) for side in ("in", "out"))
    return {
        "what photos show": {**dict.fromkeys(_SHOWN, 0), **shown},
        "people recognised": {
            "in": events.filter(facerecognitionin=True).count(),
            "out": events.filter(facerecognitionout=True).count(),
        },
    }


def count_outside(company: Company, heard: list[Heard], yard: Yard) -> Totals:
    """What the control room heard, each message once by its id; media that are gone and blobs that are there."""
    once = {str(message.payload.get("message_id")): message for message in heard}.values()
    kinds = Counter(
        "mismatches" if message.payload.get("operation") == "MISMATCH" else "asset changes" for message in once
    )
    owners = [int(message.payload.get("client_id") or 0) for message in once]
    left = len(yard.media_left())
    return {
        "messages to the control room": {
            "asset changes": kinds["asset changes"],
            "mismatches": kinds["mismatches"],
            "all": len(once),
        },
        "messages to the control room by client": by_client(company, owners),
        "old media": {
            "moved": _FILES_BEFORE - left,
            "folders removed": FOLDERS - len(yard.media_folders()),
            "left": left,
        },
        "blobs in the bucket": len(_whole(yard.bucket)),
    }


def _whole(bucket: Path) -> list[Path]:
    """Blobs whose content is what the file's was: it says so itself."""
    return [path for path in bucket.rglob("*") if path.is_file() and _is_whole(path)]


def _is_whole(path: Path) -> bool:
    line, *others = path.read_bytes().splitlines()
    return line.startswith(b"file ") and line.endswith(path.parent.name.encode()) and set(others) <= {line}
