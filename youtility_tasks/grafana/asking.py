"""PromQL in the few shapes that boards and rules use. Several exporters give the same numbers, so their copies are merged, never added."""

from __future__ import annotations

_COPIES = "instance, pod"


def each(expression: str) -> str:
    """One series for what several exporters say alike."""
    return f"max without ({_COPIES}) ({expression})"


def total(metric: str, *by: str) -> str:
    """A gauge, added up by these labels."""
    return _sum(each(metric), by)


def rate(metric: str, window: str, *by: str) -> str:
    """A counter's rise each second over a window, added up by these labels."""
    return _sum(each(f"rate({metric}[{window}])"), by)


def rise(metric: str, window: str, *by: str) -> str:
    """A counter's rise over a window."""
    return _sum(each(f"increase({metric}[{window}])"), by)


def most(metric: str, *by: str) -> str:
    """A gauge of which each copy, or each series of the same labels, says the whole."""
    return f"max by ({', '.join(by)}) ({metric})" if by else f"max({metric})"


def quantile(share: float, histogram: str, *by: str) -> str:
    """A percentile of a histogram, over five minutes; nothing (not NaN, which no comparison lets through) of what has not run in them."""
    return f"histogram_quantile({share}, {rate(histogram, '5m', 'le', *by)}) >= 0"


def _sum(expression: str, by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)}) ({expression})" if by else f"sum({expression})"
