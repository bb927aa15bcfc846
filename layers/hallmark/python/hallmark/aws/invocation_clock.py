"""Time in a Lambda invocation."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any


class InvocationClock:
    """Clock of one invocation, which ends when its context says so."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def remaining_seconds(self) -> float:
        """Return how long this invocation may still work."""
        return float(self._context.get_remaining_time_in_millis()) / 1000

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        if seconds > 0:
            time.sleep(seconds)
