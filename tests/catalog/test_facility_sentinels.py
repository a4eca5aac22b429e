"""The NONE rows: there, with id 1, once."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.db.models.deletion import RestrictedError

from task_catalog import entities
from task_catalog.facility.models import Asset, Bt, Job, Jobneed, Location, People, QuestionSetBelonging, Ticket, Wom
from task_catalog.facility.sentinels import ensure_sentinels
from tests.catalog.none_rows import put_none_rows
from youtility_tasks import errors


def test_every_none_row_is_there_once_however_often_it_is_asked_for(db):
    assert ensure_sentinels() == 14
    assert ensure_sentinels() == 0

    tables = (Asset, Bt, Job, Jobneed, Location, People, QuestionSetBelonging, Ticket, Wom)
    assert [list(table.objects.values_list("pk", flat=True)) for table in tables] == [[1]] * len(tables)
    assert Bt.objects.get().bucode == "NONE"
    assert (Jobneed.objects.get().jobdesc, Jobneed.objects.get().seqno) == ("NONE", -1)
    assert (QuestionSetBelonging.objects.get().answertype, QuestionSetBelonging.objects.get().seqno) == ("NONE", -1)


def test_the_next_row_of_a_table_does_not_ask_for_the_id_of_the_none_row(acme):
    assert acme.pk > 1


def test_a_none_row_that_was_lost_comes_back_and_the_ids_go_on(acme, now):
    QuestionSetBelonging.objects.all().delete()

    assert ensure_sentinels() == 1

    later = QuestionSetBelonging.objects.create(answertype="NUMERIC", cdtz=now, mdtz=now, client=acme)
    assert later.pk > 1


def test_a_stranger_with_id_1_is_reported_and_not_taken_for_the_none_row(db, now):
    Location.objects.create(pk=1, loccode="GATE", locname="Gate", cdtz=now, mdtz=now)

    with pytest.raises(errors.ConfigurationError, match="'location' is 'GATE'"):
        ensure_sentinels()


def test_null_and_the_none_row_both_mean_nothing(acme, now):
    hanging = Bt.objects.create(bucode="LOOSE", buname="Loose", parent=None, cdtz=now, mdtz=now)

    assert entities.is_none(None)
    assert entities.is_none(entities.none_id())
    assert not entities.is_none(acme.pk)
    roots = entities.BusinessUnit.objects.filter(entities.points_nowhere("parent"))
    assert set(roots.values_list("bucode", flat=True)) == {"NONE", "ACME", "LOOSE"}
    assert hanging in roots


def test_another_id_may_mean_nothing(acme, settings):
    settings.TASK_CATALOG = {"none_id": 900}

    assert entities.is_none(900)
    assert not entities.is_none(1)


def test_the_none_rows_cannot_be_deleted_while_something_points_at_them(acme):
    with pytest.raises(RestrictedError):
        Bt.objects.filter(pk=entities.none_id()).delete()

    with pytest.raises(IntegrityError), transaction.atomic():
        Bt.objects.filter(pk=entities.none_id())._raw_delete("default")
        transaction.get_connection().check_constraints()


def test_the_rows_of_other_tests_are_these(db):
    """They are put there as one statement, which is kept from when `ensure_sentinels` made them."""
    rows = []
    for _ in range(2):
        with transaction.atomic():
            put_none_rows()
            assert ensure_sentinels() == 0
            rows.append([list(table.objects.values()) for table in (Asset, Bt, Job, Jobneed, People, Ticket, Wom)])
            transaction.set_rollback(True)

    assert rows[0] == rows[1]
    assert all(len(found) == 1 for found in rows[0])
