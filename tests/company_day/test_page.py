"""The day's page tells what was counted, and needs nothing from anywhere."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

from task_catalog.company_day import page
from task_catalog.company_day.expected import totals
from task_catalog.company_day.reconcile import Check
from task_catalog.company_day.screen import Moment

MIDNIGHT = datetime(2025, 3, 3, tzinfo=UTC)
MOMENTS = [Moment(MIDNIGHT + timedelta(hours=n), n * 10, n) for n in range(24)]


def checks(**other):
    return [Check(name, value, other.get(name, value)) for name, value in totals(date(2025, 3, 3), 1).items()]


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_day_that_agrees_says_so_with_its_jobs_and_messages():
    text = page.write(checks(), "Company day 2025-03-03", MOMENTS)

    assert "All 152 totals agree" in text
    assert "4621 jobs, of which 12 failed; 625 messages" in text
    assert "process_graphql_mutation_async: 1338 succeeded" in text


def test_a_total_that_differs_is_marked():
    text = page.write(checks(tickets=5), "Company day", MOMENTS)

    assert f"1 of {len(checks())} totals differ" in text
    assert text.count(">DIFFERS<") == 1


def test_the_page_is_whole_and_asks_nobody_for_anything():
    text = page.write(checks(), "A & B <day>", MOMENTS)

    tags = Tags(text)
    assert tags.open == []
    assert {tag for tag, _ in tags.seen}.isdisjoint({"script", "link", "img", "iframe"})
    assert not re.search(r"(?:src|href|url\()", text)
    assert "A &amp; B &lt;day&gt;" in text


def test_a_day_without_a_single_count_still_makes_a_page():
    empty = [Check(name, value, None) for name, value in totals(date(2025, 3, 3), 1).items()]

    text = page.write(empty, "Company day", [])

    assert "The day was not counted to its end." in text
    assert Tags(text).open == []
