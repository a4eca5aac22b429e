"""Workflows in a browser: the list, the graph and its keys, and what is done to a run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.browser.sight import Screen
from youtility_tasks import Run, Task, Workflow, tenant
from youtility_tasks.models import WorkflowSignal
from youtility_tasks.testing import run_jobs
from youtility_tasks.workflows import templates
from youtility_tasks.workflows.graph import COMPLETION, FAILURE

HOSTILE = "</script><img src=x onerror=alert(1)> \u05e9\u05dc\u05d5\u05dd \U0001f525"


def month_end(add: Task, fail: Task) -> Workflow:
    """Something of everything."""
    flow = Workflow("month's end", deadline=timedelta(hours=6))
    made = flow.step(add, name="collect")
    rounds = flow.fan_out(add, range(60), item="number", name="rounds", after=made)
    report = flow.step(add, name="report", after=rounds)
    flow.step(add, name=HOSTILE, after=report)
    asked = flow.signal("approve", after=report, timeout=timedelta(days=2))
    flow.step(add, name="mail it", after=asked)
    bad = flow.step(fail, name="upload", after=report)
    flow.step(add, name="take it back", after={bad: FAILURE})
    inner = Workflow("archive")
    inner.chain(add, add)
    flow.sub(inner, name="archive", after={bad: COMPLETION})
    return flow


@pytest.fixture
def run(acme: int, add_task: Task, fail_task: Task) -> Run:
    flow = month_end(add_task, fail_task)
    with tenant(acme):
        templates.save(flow)
        started = flow.start({"month": "2026-11"}, key=HOSTILE)
        run_jobs()
        flow.start()
    return started


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_workflows_look_well(screen: Callable[..., Screen], shots: Path, run: Run, width: int, dark: bool) -> None:
    operator = screen("operator", "workflows/", width=width, dark=dark)
    paths = {"workflows": "workflows/", "workflow": f"workflows/{run.id}/", "templates": "workflows/templates/"}
    for name, path in paths.items():
        operator.go(path)
        if name == "workflow":
            operator.page.locator("#graph .node").first.wait_for()
        operator.check_accessible()
        operator.check_fits()
        operator.shoot(shots, f"{name}-{width}{'-dark' if dark else ''}")
    operator.page.get_by_role("link", name="month's end").first.click()
    operator.page.locator("#graph .node").first.wait_for()
    operator.check_fits()
    operator.shoot(shots, f"template-{width}{'-dark' if dark else ''}")


def check_path(operator: Screen) -> None:
    """The critical path, to the signal that is waited for, stands out of the graph; alone by a key; and is told in words."""
    graph, page = operator.page.locator("#graph"), operator.page
    on_it = graph.locator(".node.is-critical > text:not(.says)")
    assert on_it.all_text_contents() == ["collect", "rounds", "report", "approve"]
    assert graph.locator(".edge.is-critical").count() == 3
    thick, thin = (
        graph.locator(f".edge{which} > path").first.evaluate("(line) => parseFloat(getComputedStyle(line).strokeWidth)")
        for which in (".is-critical", ":not(.is-critical)")
    )
    assert thick > 2 * thin
    told = page.get_by_role("region", name="Critical path").get_by_role("rowheader")
    assert told.all_text_contents() == ["collect", "rounds", "report", "approve"]
    graph.focus()
    operator.press("c")
    faint = graph.locator(".node:not(.is-critical)").first
    assert faint.evaluate("(node) => getComputedStyle(node).opacity") == "0.25"
    assert page.get_by_role("button", name="Critical path").get_attribute("aria-pressed") == "true"
    operator.press("c")
    assert faint.evaluate("(node) => getComputedStyle(node).opacity") == "1"


def check_map(operator: Screen) -> None:
    """The map is there while not all of the graph is seen, shows which part is, and moves it by keys and by a click."""
    graph, small = operator.page.locator("#graph"), operator.page.locator(".minimap")
    seen = small.locator(".seen")

    def at() -> tuple[float, ...]:
        box = [float(str(seen.get_attribute(each))) for each in ("x", "y", "width", "height")]
        view = str(graph.locator("svg").first.get_attribute("viewBox")).split()
        assert box == pytest.approx([float(each) for each in view], abs=0.1)
        return tuple(box)

    graph.focus()
    operator.press("0")
    assert small.is_hidden()
    for _ in range(6):
        operator.press("+")
    assert small.is_visible()
    assert small.locator("rect:not(.seen)").count() == graph.locator(".node").count()
    assert small.locator("rect.is-failed").count() == 1
    before = at()
    operator.press("m", "ArrowRight")
    assert at()[0] == pytest.approx(before[0] + before[2] / 2, abs=1)
    box = small.bounding_box()
    assert box is not None
    small.click(position={"x": 3, "y": box["height"] / 2})
    assert at()[0] < before[0]
    operator.check_accessible()
    graph.focus()
    operator.press("0")
    assert small.is_hidden()


def test_the_graph_moves_by_keys_and_keeps_up_with_the_run(screen: Callable[..., Screen], run: Run, acme: int) -> None:
    operator = screen("operator", f"workflows/{run.id}/")
    graph = operator.page.locator("#graph")
    graph.locator(".node.is-waiting", has_text="approve").wait_for()
    assert graph.locator(".node", has_text="rounds").text_content() is not None
    assert graph.locator(".node", has_text="60 succeeded").count() == 1
    assert graph.locator(".edge.is-failure").count() == 1

    def view() -> str:
        return str(graph.locator("svg").first.get_attribute("viewBox"))

    seen = [view()]
    graph.focus()
    for key in ("ArrowRight", "+", "f", "0"):
        operator.press(key)
        assert view() != seen[-1]
        seen.append(view())
    assert operator.page.get_by_role("button", name="Follow what runs").get_attribute("aria-pressed") == "true"

    check_path(operator)
    check_map(operator)
    operator.page.locator(".waits").get_by_role("link", name="Send the signal").click()
    operator.page.get_by_label("Payload").fill('{"by": "phone"}')
    operator.page.get_by_label("Reason").fill("she said so")
    operator.page.get_by_role("button", name="Send the signal").click()
    operator.page.get_by_text("The signal 'approve' was sent").wait_for()
    assert WorkflowSignal.objects.get(workflow_id=run.id).payload == {"by": "phone"}
    with tenant(acme):
        run_jobs()
    operator.page.evaluate("htmx.trigger('#graph', 'live')")
    graph.locator(".node.is-succeeded", has_text="mail it").wait_for()
    operator.page.get_by_role("link", name="Run again").click()
    operator.page.get_by_text("Only what failed:").wait_for()
    operator.page.get_by_label("Everything").check()
    operator.page.get_by_role("button", name="Run again").click()
    operator.page.get_by_text("run again.").first.wait_for()
    operator.page.get_by_role("link", name="Cancel").click()
    operator.page.get_by_label("Reason").fill("the wrong month")
    operator.page.get_by_role("button", name="Cancel the workflow").click()
    operator.page.get_by_text("is cancelled:").first.wait_for()
    assert run.status == "cancelled"
