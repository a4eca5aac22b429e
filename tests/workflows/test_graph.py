"""Circles, unknown steps and results that may not be there are refused with their names; no database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from youtility_tasks.errors import Circle, UnknownStep, UnsureResult, WrongWorkflow
from youtility_tasks.workflows.graph import COMPLETION, FAILURE, SUCCESS, EdgeKind, Join, Node, check
from youtility_tasks.workflows.references import Kind, Reference, from_json


def nodes(*given: Node) -> dict[str, Node]:
    return {each.name: each for each in given}


def result(step: str, **more: object) -> Reference:
    return Reference(Kind.RESULT, step, **more)  # type: ignore[arg-type]


def test_each_step_comes_behind_all_that_it_waits_for() -> None:
    found = check(
        "w",
        nodes(Node("c", {"a": SUCCESS, "b": FAILURE}), Node("b", {"a": COMPLETION}), Node("a", {}), Node("alone", {})),
    )

    assert found.index("a") < found.index("b") < found.index("c")
    assert set(found) == {"a", "b", "c", "alone"}


def test_a_circle_is_named_step_by_step() -> None:
    with pytest.raises(Circle) as caught:
        check(
            "w",
            nodes(
                Node("start", {}),
                Node("a", {"start": SUCCESS, "c": SUCCESS}),
                Node("b", {"a": SUCCESS}),
                Node("c", {"b": FAILURE}),
            ),
        )

    assert set(caught.value.names) == {"a", "b", "c"}
    n = caught.value.names.index("a")
    assert [*caught.value.names[n:], *caught.value.names[:n]] == ["a", "b", "c"]
    assert "'a' -> 'b'" in str(caught.value)


def test_a_step_that_waits_for_itself_is_a_circle() -> None:
    with pytest.raises(Circle, match="'a' -> 'a'"):
        check("w", nodes(Node("a", {"a": SUCCESS})))


def test_an_edge_to_nowhere_is_named_with_what_was_meant() -> None:
    with pytest.raises(UnknownStep, match=r"step 'b' names 'mae', .* known: 'b', 'made'\. Did you mean 'made'\?"):
        check("w", nodes(Node("made", {}), Node("b", {"mae": SUCCESS})))


def test_a_workflow_without_steps_is_refused() -> None:
    with pytest.raises(WrongWorkflow, match="has no step"):
        check("w", {})


@pytest.mark.parametrize(
    ("before", "is_sure"),
    [
        ([Node("b", {"a": SUCCESS})], True),
        ([Node("b", {"a": COMPLETION})], False),
        ([Node("b", {"a": FAILURE})], False),
        # through another: it ran, so what it waited for had succeeded
        ([Node("x", {"a": SUCCESS}), Node("b", {"x": SUCCESS})], True),
        ([Node("x", {"a": SUCCESS}), Node("b", {"x": FAILURE})], True),
        # it may have been skipped, because `a` failed
        ([Node("x", {"a": SUCCESS}), Node("b", {"x": COMPLETION})], False),
        ([Node("o", {}), Node("b", {"a": SUCCESS, "o": SUCCESS}, Join.ANY)], False),
        (
            [Node("x", {"a": SUCCESS}), Node("y", {"a": SUCCESS}), Node("b", {"x": SUCCESS, "y": SUCCESS}, Join.ANY)],
            True,
        ),
    ],
)
def test_a_result_must_be_there_whenever_the_step_runs(before: list[Node], is_sure: bool) -> None:
    *others, last = before
    asks = Node(last.name, last.after, last.join, [result("a")])
    with_default = Node(last.name, last.after, last.join, [result("a").or_else(None)])
    if is_sure:
        check("w", nodes(Node("a", {}), *others, asks))
    else:
        with pytest.raises(UnsureResult, match="step 'b' takes the result of 'a'"):
            check("w", nodes(Node("a", {}), *others, asks))
        if last.join is Join.ALL:
            check("w", nodes(Node("a", {}), *others, with_default))


def test_a_result_of_a_step_that_may_still_run_is_refused_also_with_a_default() -> None:
    with pytest.raises(UnsureResult, match="no edge leads from there to here"):
        check("w", nodes(Node("a", {}), Node("b", {}, refers_to=[result("a").or_else(1)])))


def test_how_a_step_ended_needs_only_its_end() -> None:
    check(
        "w",
        nodes(
            Node("a", {}),
            Node("b", {"a": COMPLETION}, refers_to=[Reference(Kind.STATUS, "a"), Reference(Kind.ERROR, "a")]),
        ),
    )


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from(list(EdgeKind))), max_size=20))
def test_a_graph_is_ordered_or_has_the_circle_that_is_named(edges: list[tuple[int, int, EdgeKind]]) -> None:
    after: dict[str, dict[str, EdgeKind]] = {str(n): {} for n in range(8)}
    for parent, child, kind in edges:
        after[str(child)][str(parent)] = kind
    try:
        order = check("w", nodes(*(Node(name, parents) for name, parents in after.items())))
    except Circle as error:
        for parent, child in zip(error.names, [*error.names[1:], error.names[0]], strict=True):
            assert parent in after[child]
    else:
        for child, parents in after.items():
            assert all(order.index(parent) < order.index(child) for parent in parents)


def test_a_reference_is_stored_and_read_back() -> None:
    made = result("made")["report"][0].or_else({"a": [1]})

    assert from_json(made.as_json()) == made
    assert from_json(result("made").as_json()).has_default is False


@pytest.mark.parametrize(
    "stored",
    [{"$ref": "secret", "step": "a"}, {"$ref": "result"}, {"$ref": "context", "step": "a"}, {"$ref": "result", "step": "a", "path": [1.5]},
     {"$ref": "result", "step": "a", "more": 1}, {"$ref": "result", "step": "a", "path": "x"}],
)  # fmt: skip
def test_what_is_no_reference_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(WrongWorkflow, match="is no reference; right is"):
        from_json(stored)


def test_nobody_can_walk_through_what_is_not_known_yet() -> None:
    with pytest.raises(WrongWorkflow, match="fan_out"):
        list(result("made"))
    with pytest.raises(WrongWorkflow, match="parts by text or number"):
        result("made")[1.5]  # type: ignore[index]
