"""Windows: what a look covers follows from the time it was scheduled for, not from when it ran."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hallmark.drift.settings import Monitor

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Interval(NamedTuple):
    """From ``start`` (inclusive) to ``end`` (exclusive)."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """Return its name in keys, which sorts by time."""
        return f"{self.start:%Y%m%dT%H%MZ}"


def window_at(monitor: Monitor, at: datetime) -> Interval:
    """Return the latest window that was over, with what is delivered late, at a time.

    Windows end on whole multiples of ``every`` since 1970, so that a look which runs late sees the same window.
    """
    end = _floor(at - monitor.delay, monitor.every)
    return Interval(end - monitor.slices * monitor.every, end)


def slices_of(monitor: Monitor, interval: Interval) -> list[Interval]:
    """Return the parts of an interval that are profiled once each."""
    count = round((interval.end - interval.start) / monitor.every)
    starts = [interval.start + place * monitor.every for place in range(count)]
    return [Interval(start, start + monitor.every) for start in starts]


def baseline_after(monitor: Monitor, deployed_at: datetime, windows: int, skipped: int = 0) -> Interval:
    """Return the interval of a baseline that is captured after a deployment.

    Args:
        monitor: The monitor.
        deployed_at: Traffic before the next whole slice may have gone to the deployment before.
        windows: How many windows it has.
        skipped: Windows that had too few records to begin with.
    """
    window = monitor.slices * monitor.every
    start = _ceiling(deployed_at, monitor.every) + skipped * window
    return Interval(start, start + windows * window)


def baseline_before(window: Interval, windows: int) -> Interval:
    """Return the interval of a rolling baseline: the windows before one."""
    return Interval(window.start - windows * (window.end - window.start), window.start)


def _floor(at: datetime, step: timedelta) -> datetime:
    return at.astimezone(UTC) - (at - _EPOCH) % step


def _ceiling(at: datetime, step: timedelta) -> datetime:
    floor = _floor(at, step)
    return floor if floor == at else floor + step
