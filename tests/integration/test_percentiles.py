"""Percentiles from buckets are within 5 % of the exact ones, and buckets can be added up. The buckets are the database's."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.integration.desk import rows
from youtility_tasks.metrics import histogram
from youtility_tasks.metrics.histogram import HIGHEST, LOWEST, Histogram

pytestmark = pytest.mark.django_db

durations = (
    some.floats(min_value=0.0078125, max_value=1e11)
    | some.integers(0, 36).map(lambda n: 2.0**n)
    | some.sampled_from([1.0, 1.05, 60_000.0])
)
lists = some.lists(durations, min_size=1, max_size=200)
with_a_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def buckets(values: list[float]) -> Histogram:
    found = rows(
        "SELECT b, count(*) FROM (SELECT youtility_tasks_bucket_v1(x) AS b FROM unnest(%s::double precision[]) x) y GROUP BY b",
        values,
    )
    made = Histogram()
    made.add([b for b, _ in found], [n for _, n in found], math.fsum(values), min(values), max(values))
    return made


def exact(values: list[float], percent: float) -> float:
    return sorted(values)[math.ceil(percent * len(values) / 100) - 1]


def check(values: list[float]) -> None:
    made = buckets(values)
    assert made.count == len(values)
    for percent in (1, 50, 75, 90, 95, 99, 100):
        right = exact(values, percent)
        assert made.percentile_ms(percent) == pytest.approx(right, rel=0.05), percent


@given(lists)
@with_a_database
def test_each_percentile_is_within_five_percent(values: list[float]) -> None:
    check(values)


@pytest.mark.parametrize("off", [-1, 1])
def test_a_bucket_off_by_one_is_noticed(off: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [1.001] * 3 + [1.089] * 3 + [5.0]
    check(values)
    middle = histogram.middle_ms
    monkeypatch.setattr(histogram, "middle_ms", lambda bucket: middle(bucket + off))
    with pytest.raises(AssertionError):
        check([0.5, *values])


@given(lists, lists)
@with_a_database
def test_two_that_are_added_are_as_one_of_all(one: list[float], other: list[float]) -> None:
    added, together = buckets(one), buckets(one + other)
    more = buckets(other)
    added.add(list(more.counts), list(more.counts.values()), more.sum_ms, more.min_ms, more.max_ms)

    assert added.counts == together.counts
    assert (added.min_ms, added.max_ms) == (together.min_ms, together.max_ms)
    assert added.sum_ms == pytest.approx(together.sum_ms)


@given(lists, lists)
@with_a_database
def test_the_database_adds_as_we_do(one: list[float], other: list[float]) -> None:
    a, b = buckets(one), buckets(other)
    sums = rows(
        "SELECT s.buckets, s.counts FROM youtility_tasks_add_buckets_v1(%s::smallint[], %s::bigint[], %s::smallint[], %s::bigint[]) s",
        list(a.counts), list(a.counts.values()), list(b.counts), list(b.counts.values()),
    )  # fmt: skip

    assert dict(zip(*sums[0], strict=True)) == a.counts + b.counts
    assert sums[0][0] == sorted(sums[0][0])


def test_what_is_shorter_or_longer_than_any_bucket_is_in_the_outermost() -> None:
    values = [-5.0, 0.0, 0.001, 1e300]

    assert buckets(values).counts == {LOWEST: 3, HIGHEST: 1}
    assert buckets(values).percentile_ms(100) == 1e300
    assert abs((buckets([0.0, 0.001, 0.002]).percentile_ms(50) or 1) - 0.001) < 0.008


def test_powers_of_two_end_their_bucket_so_that_counts_up_to_them_are_exact() -> None:
    values = [1.0, 1.0001, 2.0, 2.0001, 1024.0, 1025.0, 524_288.0]

    assert buckets(values).running([n * 8 for n in range(20)]) == [sum(v <= 2**n for v in values) for n in range(20)]


def test_of_nothing_there_is_no_percentile() -> None:
    assert Histogram().percentile_ms(50) is None
