"""Each guard taken away: the test that names it must then fail, or it would prove nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from task_catalog.mobile import dynamic_tours, permits, storing, visits
from task_catalog.mobile.mine import Mine
from task_catalog.rules import progress, uploads
from tests.catalog.mobile import test_mutations, test_records, test_reports_and_permits, test_uploads
from youtility_tasks import effects

FAILED = (AssertionError, pytest.fail.Exception)
Patch = Callable[[pytest.MonkeyPatch], None]


def without_owners(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(storing, "_owned", lambda table, mine, columns: ("true", []))


def without_references(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Mine, "foreign", lambda self, entity, ids: set())


def without_the_ledger(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(effects, "once", lambda key, **more: True)


def without_progress(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(progress, "is_step_back", lambda stored, reported: False)


def without_changeable(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(storing, "_may_change", lambda table, name: True)


def without_keys_of_tours(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(dynamic_tours.effects, "once_many", lambda keys, **more: set(keys))


def without_the_servers_own(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(visits, "_SERVERS_OWN", frozenset())


def without_state(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(permits, "_OPEN", "true")


def without_own_folders(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(uploads, "folder_of", lambda client_id, path: f"{path}")
    patch.setattr(uploads, "name_of", lambda key, filename: str(filename))


@pytest.mark.parametrize(
    ("take_away", "guarded"),
    [
        (without_owners, test_records.test_a_uuid_of_another_client_is_neither_changed_nor_told_apart),
        (without_changeable, test_records.test_the_plan_of_a_visit_is_not_the_devices_to_change),
        (without_progress, test_mutations.test_what_overtook_its_own_beginning_stays_done),
        (without_the_ledger, test_mutations.test_a_job_that_died_after_its_commit_answers_as_the_first_time),
        (without_the_servers_own, test_mutations.test_a_route_that_was_not_kept_is_told_of_beside_the_readings),
        (without_keys_of_tours, test_reports_and_permits.test_a_tour_goes_on_once_however_often_it_is_reported),
        (without_state, test_reports_and_permits.test_a_permit_about_which_somebody_has_decided_is_not_changed),
        (without_own_folders, test_uploads.test_two_clients_with_the_same_path_and_name_have_two_files),
    ],
)
def test_without_its_guard_a_promise_is_broken(
    take_away: Patch, guarded: Callable[..., None], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    names = guarded.__code__.co_varnames[: guarded.__code__.co_argcount]
    fixtures = {name: request.getfixturevalue(name) for name in names}
    take_away(monkeypatch)

    with pytest.raises(FAILED):
        guarded(**fixtures)


@pytest.mark.parametrize("name", ["bu", "assignedtopeople", "asset", "ticketcategory"])
def test_without_looking_at_references_another_clients_row_gets_in(monkeypatch, acme, device, other_device, name):
    without_references(monkeypatch)

    with pytest.raises(FAILED):
        test_mutations.test_nothing_of_another_client_gets_into_a_record(acme, device, other_device, name)
