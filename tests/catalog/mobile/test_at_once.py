"""Several workers with messages of the same client at the same moment."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from task_catalog.facility.models import EscalationMatrix, Jobneed, Ticket, Tracking, Wom
from tests.catalog.closing.world import tour_of
from tests.catalog.mobile.test_reports_and_permits import permit
from youtility_tasks import tenant


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own, all begun together; what they returned or raised, in their order."""
    results: list[Any] = [None] * len(acts)
    ready = threading.Barrier(len(acts))

    def run(nth: int) -> None:
        try:
            ready.wait(10)
            results[nth] = acts[nth]()
        except Exception as error:
            results[nth] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(nth,)) for nth in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_d38_of_two_deliveries_at_once_one_is_applied(acme, device):
    payload = device.payload("insertRecord", records=[json.dumps(device.ticket())])

    results = at_once(*[lambda: device.deliver(payload)] * 4)

    assert sorted(result["status"] for result in results) == ["duplicate", "duplicate", "duplicate", "ok"]
    assert len({json.dumps(result["data"], sort_keys=True) for result in results}) == 1
    assert Ticket.objects.filter(client_id=acme.id).count() == 1


def test_permits_and_tickets_made_at_once_have_numbers_without_gap_or_double(acme, device):
    code = acme.person("verifier").peoplecode
    records = [permit(device, verifier=code) for _ in range(6)]

    results = at_once(
        *(lambda record=record: device.send("uploadReport", record) for record in records),
        *(lambda record=record: device.send("insertRecord", record) for record in [device.ticket() for _ in range(4)]),
    )

    assert [result for result in results if isinstance(result, Exception)] == []
    numbers = Wom.objects.filter(identifier="WP").values_list("other_data__wp_seqno", flat=True)
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
    assert sorted(Ticket.objects.filter(client_id=acme.id).values_list("ticketno", flat=True)) == [
        f"ACME-1#{n}" for n in (1, 2, 3, 4)
    ]


def test_d39_the_same_rows_from_two_messages_are_the_same_rows(acme, device):
    """Looking first and inserting then would make some of them twice, or fail."""
    tracks = [device.track() for _ in range(200)]

    results = at_once(
        *[lambda: device.batch("tracking", *tracks)] * 2, *[lambda: device.batch("tracking", *reversed(tracks))] * 2
    )

    assert [result for result in results if isinstance(result, Exception)] == []
    assert sum(result["inserted"] for result in results) == 200
    assert Tracking.objects.count() == 200


def test_messages_about_the_same_tour_do_not_wait_for_each_other_for_ever(acme, site, device):
    tour, stops = tour_of(acme, site, "ASSIGNED", ["ASSIGNED"] * 5)
    for stop in stops:
        device.asked(stop)
    records = [device.done(tour), *(device.done(stop) for stop in stops)]

    results = at_once(
        lambda: device.send("updateTaskTour", *records),
        lambda: device.send("updateTaskTour", *reversed([{**record, "remarks": "again"} for record in records])),
    )

    assert [result for result in results if isinstance(result, Exception)] == []
    assert set(Jobneed.objects.filter(parent=tour).values_list("jobstatus", flat=True)) == {"COMPLETED"}


def test_crises_of_one_site_make_one_row_of_the_matrix(acme, site, device):
    punches = [device.punch("FIRE", of_kind="SITECRISIS") for _ in range(4)]

    results = at_once(*(lambda punch=punch: device.send("insertRecord", punch) for punch in punches))

    assert [result for result in results if isinstance(result, Exception)] == []
    assert Ticket.objects.filter(client_id=acme.id).count() == 4
    assert EscalationMatrix.objects.filter(client_id=acme.id).count() == 1


def test_batches_with_the_same_rows_in_another_order_do_not_hold_each_other(acme, device):
    """Both wait for a row that a third one holds; let go, each has what the other wants, unless all take one order."""
    tracks = [device.track(uuid=f"00000000-0000-4000-8000-{n:012}") for n in range(3)]
    results: list[Any] = []
    others = [
        threading.Thread(target=lambda batch=batch: results.extend(at_once(lambda: device.batch("tracking", *batch))))
        for batch in (tracks, tracks[::-1])
    ]

    with tenant(acme.id), pytest.raises(ZeroDivisionError), transaction.atomic():
        device.batch("tracking", tracks[1])
        for other in others:
            other.start()
        limit = time.monotonic() + 20
        while waiting() < 2:
            assert time.monotonic() < limit
            time.sleep(0.02)
        raise ZeroDivisionError
    for other in others:
        other.join(30)

    assert [result for result in results if isinstance(result, Exception)] == []
    assert Tracking.objects.count() == 3


def waiting() -> int:
    """Who waits for somebody's row. Not `pg_stat_activity`, which shows one transaction the same picture for ever."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])
