"""cleanup_reports_which_are_12hrs_old (T25): report files that nobody fetched are deleted."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from task_catalog.arguments import task
from task_catalog.ports import clock
from task_catalog.reporting import awaiting, files
from task_catalog.sweeps import Sweep, shortened
from youtility_tasks import BadInput, Retry, TaskContext, current_tenant, queues, tenant, tenants_in_scope
from youtility_tasks.models import Tenant

_LONGEST_AGE_H = 24 * 366


@task(
    name="cleanup_reports_which_are_12hrs_old",
    queue_name=queues.MAINTENANCE,
    priority=8,
    retry=Retry(3, base=300, factor=2, cap=1800),
    timeout_s=300,
    tenant="all",
    takes_context=True,
    schedule="15 * * * *",
    seed_class="low",
)
def cleanup_reports_which_are_12hrs_old(
    context: TaskContext, *, dir_path: str | None = None, hours_old: int = 12
) -> dict[str, Any]:
    """Delete files older than `hours_old` hours below a report folder, except those that still wait to be mailed.

    `dir_path` must be one of the configured report folders; without it, as the schedule calls it, all of them. A tenant's
    job cleans that tenant's part alone. Links are left alone, and followed nowhere.

    Second attempt: finds only what is still there.
    """
    if isinstance(hours_old, bool) or not isinstance(hours_old, int) or not 1 <= hours_old <= _LONGEST_AGE_H:
        raise BadInput(f"hours_old is {hours_old!r}; right is a whole number of hours, from 1.")
    sweep = Sweep(context)
    cleaning = _Cleaning(sweep, hours_old)
    client_id = current_tenant()
    for folder in _folders(dir_path):
        root = folder if client_id is None else files.of_tenant(folder, client_id)
        cleaning.clean(root, _spared(folder))
    sweep.raise_failures()
    if sweep.to_be_continued:
        cleanup_reports_which_are_12hrs_old.enqueue(dir_path=dir_path, hours_old=hours_old)
    return {
        "status": sweep.status(),
        "warnings": shortened(sweep.warnings),
        "scanned": cleaning.scanned,
        "deleted": cleaning.deleted,
        "bytes": cleaning.bytes,
        "failed": sweep.failed,
    }


class _Cleaning:
    """Goes through folders and counts."""

    def __init__(self, sweep: Sweep, hours_old: int) -> None:
        self._sweep = sweep
        age = timedelta(hours=hours_old)
        self._before = (clock.now() - age).timestamp()
        # What is being written has a hidden name and the machine's own time, whatever day is played.
        self._hidden_before = time.time() - age.total_seconds()
        self.scanned = self.deleted = self.bytes = 0

    def clean(self, root: Path, spared: set[Path]) -> None:
        """Delete what is old below a folder and not spared; then the folders that are empty, never the root itself."""
        for folder, _, names in os.walk(root, topdown=False, followlinks=False):
            if not spared.isdisjoint([Path(folder), *Path(folder).parents]):
                continue
            for name in names:
                if self._sweep.time_is_up():
                    self._sweep.stopped = True
                    return
                self._look_at(Path(folder, name), spared)
            if Path(folder) != root:
                with contextlib.suppress(OSError):  # it is not empty, or somebody was faster
                    os.rmdir(folder)

    def _look_at(self, path: Path, spared: set[Path]) -> None:
        try:
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                return
            self.scanned += 1
            is_hidden = path.name.startswith(".") or path.parent.name.startswith(".")
            if found.st_mtime < (self._hidden_before if is_hidden else self._before) and path not in spared:
                path.unlink()
                self.deleted += 1
                self.bytes += found.st_size
        except FileNotFoundError:
            return
        except OSError as error:
            self._sweep.note_failure(str(path), error)


def _folders(dir_path: Any) -> list[Path]:
    known = files.configured_folders()
    if dir_path is None:
        return known
    if isinstance(dir_path, str) and dir_path:
        for folder in known:
            if os.path.normpath(dir_path) == os.path.normpath(folder):
                return [folder]
    raise BadInput(
        f"dir_path is {dir_path!r:.200}; right is a configured report folder: {', '.join(map(str, known))}, or none."
    )


def _spared(folder: Path) -> set[Path]:
    """Files that wait to be mailed, and the folders of tenants that are not active: theirs wait as well."""
    spared = {files.of_tenant(folder, each.pk) for each in _inactive()}
    for client_id in tenants_in_scope():
        with tenant(client_id):
            spared |= awaiting.files_in(folder, client_id)
    return spared


def _inactive() -> list[Tenant]:
    return [] if current_tenant() is not None else list(Tenant.objects.filter(is_active=False))
