"""move_media_to_cloud_storage (T24): old media go to the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

from django.db.models import CharField, F
from django.db.models.functions import Concat

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.conf import catalog
from task_catalog.media_files import Changed, Found, MediaFiles
from task_catalog.models import BlobLocation
from task_catalog.ports import blobs, clock
from task_catalog.rules import media as rules
from task_catalog.sweeps import PAGE, Sweep, shortened
from task_catalog.units import units_of
from youtility_tasks import BadInput, Retry, TaskContext, Transient, effects, errors, queues, tenant, tenants_in_scope

HOPELESS = 5
"""So many passing failures in a row, and the bucket is taken to be unreachable: the rest waits for the next attempt."""


@task(
    name="move_media_to_cloud_storage",
    queue_name=queues.MAINTENANCE,
    priority=9,
    retry=Retry(4, base=900, factor=2, cap=7200),
    timeout_s=3600,
    lock="move_media",
    tenant="all",
    takes_context=True,
    schedule="0 0 * * 1",
    seed_class="low",
)
def move_media_to_cloud_storage(
    context: TaskContext, *, skip_days: int = 60, limit: int | None = None
) -> dict[str, Any]:
    """Move files older than `skip_days` days to the bucket, at most `limit`; then remove folders left empty (R-MED).

    A local file is deleted only after its blob was read back with the same size and checksum, and after it was noted for
    its attachments where they are now (`BlobLocation`).

    Second attempt: a file whose blob is there with the same checksum is only deleted.
    """
    _check(skip_days, limit)
    run = _Run(context, skip_days, limit)
    run.move_all()
    return run.end()


def _check(skip_days: object, limit: object) -> None:
    task_name = "move_media_to_cloud_storage"
    if isinstance(skip_days, bool) or not isinstance(skip_days, int) or not 0 <= skip_days <= 36_500:
        raise BadInput(f"{task_name}: skip_days is {skip_days!r}; right is a whole number of days, from 0.")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise BadInput(f"{task_name}: limit is {limit!r}; right is a number of files, from 1, or none.")


class _Run:
    """One run over the folders: what was moved, what could not be."""

    def __init__(self, context: TaskContext, skip_days: int, limit: int | None) -> None:
        self._store = blobs.store()
        self._files = MediaFiles(catalog().media_roots)
        self._sweep = Sweep(context)
        self._skip_days, self._limit = skip_days, limit
        self._units: dict[int, frozenset[int]] = {}
        self._in_bucket: list[tuple[Found, blobs.Content]] = []
        self._deleted: list[str] = []
        self._in_vain = 0
        self._limit_reached = False
        self.scanned = self.moved = self.already_there = self.bytes = self.skipped = self.folders = 0

    def move_all(self) -> None:
        now = clock.now()
        for found in self._files.walk():
            self.scanned += 1
            if not rules.is_old(found.modified_s, now=now, skip_days=self._skip_days):
                continue
            if self._limit is not None and self._handled >= self._limit:
                self._limit_reached = True
                break
            if self._sweep.time_is_up():
                self._sweep.stopped = True
                break
            self._one(found)
            if len(self._in_bucket) >= PAGE:
                self._let_go()
            if self._in_vain >= HOPELESS:
                break
        self._let_go()
        self.folders = self._files.remove_empty_folders(self._deleted)

    def end(self) -> dict[str, Any]:
        """The result; enqueues the task again if files are left for want of time, and raises if some could not be moved."""
        self._sweep.raise_failures()
        if self._sweep.to_be_continued:
            left = None if self._limit is None else self._limit - self._handled
            move_media_to_cloud_storage.enqueue(skip_days=self._skip_days, limit=left)
        if self._files.links:
            self._sweep.warnings.append(f"{self._files.links} links were not followed")
        return {
            "status": "partial" if self._limit_reached else self._sweep.status(),
            "warnings": shortened([*self._sweep.warnings, *self._files.warnings]),
            "scanned": self.scanned,
            "moved": self.moved,
            "already_there": self.already_there,
            "skipped": self.skipped,
            "bytes": self.bytes,
            "failed": [],
            "empty_dirs_removed": self.folders,
        }

    @property
    def _handled(self) -> int:
        return self.moved + self.already_there + len(self._sweep.failed)

    def _one(self, found: Found) -> None:
        """Have one file in the bucket. A failure is noted and the others go on."""
        try:
            _check_name(found.path)
            with self._files.opened(found) as file:
                content = blobs.content_of(file)
                self._bring(found, file, content)
        except Changed as change:
            self.skipped += 1
            self._sweep.warnings.append(f"{found.path!r}: {change}; it was left alone")
        except errors.SoftTimeLimit:
            raise
        except Exception as error:
            self._in_vain = self._in_vain + 1 if isinstance(error, Transient) else 0
            self._sweep.note_failure(repr(found.path), error)
        else:
            self._in_vain = 0
            self._in_bucket.append((found, content))

    def _bring(self, found: Found, file: IO[bytes], content: blobs.Content) -> None:
        name = found.path
        there = self._store.stat(name)
        if there == content:
            self.already_there += 1
            return
        if there is not None and not effects.pending(rules.key_prefix(name), limit=1):
            raise BadInput(
                "the bucket holds something else under this name; both are kept. Rename or remove one of them"
            )
        if there is not None:
            self._store.delete(name)  # ours, half brought by an attempt that died
        key = rules.key(name, size=found.size, modified_s=found.modified_s)

        def put(_: str) -> None:
            file.seek(0)
            if self._store.put(name, file) != content.checksum or self._store.stat(name) != content:
                self._store.delete(name)
                raise Transient("what the bucket gives back is not what it was given; it was taken out again")

        if not effects.perform(key, put):
            effects.forget([key])  # it was brought once, and somebody has taken it out of the bucket since
            effects.perform(key, put)
        try:
            self._files.check_unchanged(found)
        except Changed:
            self._store.delete(name)
            effects.forget([key])
            raise
        self.moved += 1
        self.bytes += content.size

    def _let_go(self) -> None:
        """Note for the attachments where their files are now; then delete the files."""
        brought, self._in_bucket = self._in_bucket, []
        if not brought:
            return
        for client_id in tenants_in_scope():
            with tenant(client_id):
                self._note_places(client_id, brought)
        for found, _ in brought:
            try:
                self._files.delete(found)
            except Changed as change:
                self.skipped += 1
                self._sweep.warnings.append(f"{found.path!r}: {change}; its copy in the bucket is the older one")
            except OSError as error:
                self._sweep.note_failure(repr(found.path), error)
            else:
                self._deleted.append(found.path)

    def _note_places(self, client_id: int, brought: Sequence[tuple[Found, blobs.Content]]) -> None:
        """One query and one statement a client for all files of a page (D33, D47)."""
        by_path = {found.path: content for found, content in brought}
        if client_id not in self._units:
            self._units[client_id] = units_of(client_id)
        attachments = (
            entities.Attachment.objects.annotate(path=Concat(F("filepath"), F("filename"), output_field=CharField()))
            .filter(path__in=[*by_path, *(f"/{path}" for path in by_path)], bu_id__in=self._units[client_id])
            .values_list("uuid", "path")
        )
        now = clock.now()
        BlobLocation.objects.bulk_create(
            [
                BlobLocation(
                    client_id=client_id,
                    attachment_uuid=uuid,
                    bucket=catalog().media_bucket,
                    name=path.lstrip("/"),
                    size=by_path[path.lstrip("/")].size,
                    checksum=by_path[path.lstrip("/")].checksum,
                    moved_at=now,
                )
                for uuid, path in attachments
            ],
            update_conflicts=True,
            unique_fields=["client_id", "attachment_uuid"],
            update_fields=["bucket", "name", "size", "checksum", "moved_at"],
        )


def _check_name(path: str) -> None:
    """Raise BadInput for a name that no bucket can keep."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise BadInput("its name is not UTF-8; rename it") from error
    if any(ord(character) < 32 for character in path):
        raise BadInput("its name holds a control character; rename it")
