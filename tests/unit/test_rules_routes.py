"""The way of a tour: shortest between its ends, mirrored on the way back, the same at every attempt."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from task_catalog.rules import routes
from task_catalog.rules.routes import NO_WAY, Leg, Route

P = datetime(2025, 3, 3, 0, 25, tzinfo=UTC)
SHUFFLED = "BCEADF"
"""ABCDEF for plan 17 at P; written down, because a retry may run on another machine and another Python."""
MUMBAI, LONDON = (19.076, 72.8777), (51.5072, -0.1276)

points = st.tuples(st.floats(-60, 60), st.floats(-180, 180))
tables = st.integers(1, 7).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, 1000), min_size=size, max_size=size), min_size=size, max_size=size)
)
legs = st.builds(Leg, st.floats(0, 100), st.integers(0, 7200))
ways = st.lists(legs, min_size=1, max_size=6).flatmap(
    lambda found: st.permutations(range(len(found))).map(lambda order: Route(tuple(order), (NO_WAY, *found[1:])))
)


def length(order, distances) -> float:
    return sum(distances[before][stop] for before, stop in itertools.pairwise(order))


@given(tables)
def test_the_order_is_the_shortest_there_is_between_fixed_ends(distances):
    size = len(distances)

    order = routes.shortest_order(distances)

    assert sorted(order) == list(range(size))
    assert (order[0], order[-1]) == (0, size - 1)
    every = ([0, *middle, size - 1] for middle in itertools.permutations(range(1, size - 1)))
    best = min((length(each, distances) for each in every), default=0) if size > 1 else 0
    assert length(order, distances) == pytest.approx(best)


@given(st.lists(points, min_size=11, max_size=20))
def test_a_long_tour_keeps_its_ends_and_is_never_longer_than_always_going_to_the_nearest(stops):
    distances = [[routes.great_circle_km(here, there) for there in stops] for here in stops]

    order = routes.shortest_order(distances)

    assert sorted(order) == list(range(len(stops)))
    assert (order[0], order[-1]) == (0, len(stops) - 1)
    nearest, left = [0], set(range(1, len(stops) - 1))
    while left:
        nearest.append(min(left, key=lambda stop: (distances[nearest[-1]][stop], stop)))
        left.remove(nearest[-1])
    assert length(order, distances) <= length([*nearest, len(stops) - 1], distances) + 1e-6
    assert routes.shortest_order(distances) == order


def test_stops_in_a_row_are_visited_in_a_row_however_they_are_listed():
    in_a_row = [(0.0, 0.1 * place) for place in range(14)]
    listed = [in_a_row[0], *reversed(in_a_row[1:-1]), in_a_row[-1]]

    way = routes.drive(listed, routes.great_circle_km, speed_kmh=30)

    assert [listed[stop] for stop in way.order] == in_a_row


def test_the_distance_is_that_of_the_globe():
    assert routes.great_circle_km(MUMBAI, LONDON) == pytest.approx(7190, abs=20)
    assert routes.great_circle_km(MUMBAI, MUMBAI) == 0
    assert routes.great_circle_km((0, 0), (0, 180)) == pytest.approx(20015, abs=1)


@given(points, points)
def test_a_distance_is_the_same_in_both_directions_and_at_most_half_round_the_globe(here, there):
    distance = routes.great_circle_km(here, there)

    assert distance == pytest.approx(routes.great_circle_km(there, here))
    assert 0 <= distance <= 20_016


def test_legs_have_two_decimals_whole_seconds_and_begun_minutes_do_not_count():
    way = routes.drive([(0.0, 0.0), (0.0, 0.01)], routes.great_circle_km, speed_kmh=30)

    assert way.legs == (Leg(0.0, 0), Leg(1.11, 133))
    assert [leg.minutes for leg in way.legs] == [0, 2]


@given(ways)
def test_the_way_back_goes_the_same_legs_from_the_other_end(way):
    back = way.back()

    assert back.order == way.order[::-1]
    assert back.legs[0] == NO_WAY
    assert list(back.legs[1:]) == list(reversed(way.legs[1:]))
    assert back.back() == way


@given(ways, st.integers(1, 5), st.integers(0, 60))
def test_every_repeat_of_a_tour_goes_back_and_begins_with_a_break(way, frequency, break_min):
    visits = routes.rounds(way, frequency=frequency, break_min=break_min)

    size = len(way.order)
    assert len(visits) == size * frequency
    for number in range(frequency):
        of_round = visits[number * size : (number + 1) * size]
        direction = way.back() if number else way
        assert tuple(visit.stop for visit in of_round) == direction.order
        assert [visit.travel_min for visit in of_round] == [leg.minutes for leg in direction.legs]
        assert of_round[0].travel_min == 0
        assert [visit.break_min for visit in of_round] == [break_min if number else 0, *[0] * (size - 1)]


def test_a_break_is_taken_once_a_repeat_and_not_once_a_tour():
    way = Route((0, 1), (NO_WAY, Leg(1.0, 240)))

    visits = routes.rounds(way, frequency=3, break_min=15)

    assert [visit.break_min for visit in visits] == [0, 0, 15, 0, 15, 0]


@given(st.lists(st.integers(), max_size=12), st.integers(1, 10**9), st.integers(0, 10**6))
def test_a_shuffle_is_the_same_for_one_plan_and_plan_time(stops, job_id, minutes):
    planned_at = P + timedelta(minutes=minutes)

    mixed = routes.shuffled(stops, job_id=job_id, planned_at=planned_at)

    assert mixed == routes.shuffled(list(stops), job_id=job_id, planned_at=planned_at)
    assert sorted(mixed) == sorted(stops)


def test_a_shuffle_is_the_same_on_every_machine_and_python():
    assert routes.shuffled("ABCDEF", job_id=17, planned_at=P) == list(SHUFFLED)


def test_other_plans_and_other_times_have_other_orders():
    stops = range(12)

    orders = {tuple(routes.shuffled(stops, job_id=17, planned_at=P + timedelta(days=day))) for day in range(5)}
    orders |= {tuple(routes.shuffled(stops, job_id=job_id, planned_at=P)) for job_id in range(5)}

    assert len(orders) == 10


def test_a_route_that_forgets_a_stop_is_refused():
    with pytest.raises(ValueError, match="visited once"):
        Route((0, 0), (NO_WAY, NO_WAY))
