"""Intervals as reports show them."""

from __future__ import annotations

import math

from hallmark.evaluation.comparison.report import Span
from hallmark.statistics.outcomes import Interval


def as_span(interval: Interval, low: float | None = None, high: float | None = None) -> Span:
    """Return an interval without its infinite ends, cut off where no value can lie.

    Args:
        interval: From a calculation.
        low: No value can be lower.
        high: No value can be higher.
    """
    ends = [
        max(interval.low, -math.inf if low is None else low),
        min(interval.high, math.inf if high is None else high),
    ]
    finite = [end if math.isfinite(end) else None for end in ends]
    return Span(low=finite[0], high=finite[1], confidence=interval.confidence, method=interval.method)


def as_interval(span: Span) -> Interval:
    """Return the interval of a span; its open ends are infinite."""
    return Interval(
        -math.inf if span.low is None else span.low,
        math.inf if span.high is None else span.high,
        span.confidence,
        span.method,
    )
