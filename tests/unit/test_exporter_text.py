"""The exporter writes what the library would, and names no library's options."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from youtility_tasks.exporter import text

NUMBERS = (0, 1, -3, 0.1, 1e-9, 12_345_678.25, 184_467_440_737_095.0, 2**63, float("nan"), float("inf"))


class Some(Collector):
    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("youtility_up", "1: the database has answered.", value=1)
        gauge = GaugeMetricFamily("youtility_queue_jobs", "Jobs; scheduled: not due yet.", labels=["status", "queue"])
        for n, value in enumerate(NUMBERS):
            gauge.add_metric([f"s{n}", 'a "night" \\ shift\nof ünits'], value)
        yield gauge
        counter = CounterMetricFamily("youtility_rescued", "Jobs taken.", labels=["reason"])
        counter.add_metric(["worker_silent"], 7)
        yield counter
        yield CounterMetricFamily("youtility_stale_writes_rejected", "None at all.", labels=[])
        histogram = HistogramMetricFamily("youtility_task_run_seconds", "Runs.", labels=["task", "queue"])
        histogram.add_metric(
            ["add", "email"], buckets=[("0.001", 1.0), ("524.288", 3.0), ("+Inf", 4.0)], sum_value=1_234.5
        )
        yield histogram


@pytest.mark.parametrize(
    "accept",
    ["", "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "application/openmetrics-text;version=1.0.0;q=0.8", "application/openmetrics-text"],
)  # fmt: skip
def test_a_scrape_is_written_as_the_library_writes_it(accept: str) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Some())
    encode, content_type = choose_encoder(accept)

    mine = text.written(registry.collect(), is_openmetrics=content_type.startswith("application/openmetrics-text"))

    assert mine.decode() == encode(registry).decode()
    assert mine.endswith(b"# EOF\n") == ("openmetrics" in accept)
