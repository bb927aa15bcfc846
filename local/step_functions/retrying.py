"""Retriers of a state.

Source: "Retrying after an error", developer guide.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from local.step_functions.documents import Document
from local.step_functions.failures import StateFailure, is_named

_MAX_ATTEMPTS = 3
_INTERVAL_SECONDS = 1
_BACKOFF_RATE = 2.0


class Retries:
    """Counts how often each retrier of a state was used."""

    def __init__(self, retriers: Sequence[Document]) -> None:
        self._retriers = retriers
        self._used = [0] * len(retriers)

    @property
    def count(self) -> int:
        """How often the state was retried, ``State.RetryCount`` of the context object."""
        return sum(self._used)

    def delay_seconds(self, failure: StateFailure) -> float | None:
        """Count a failure; return how long to wait before the next attempt, or ``None`` where there is none.

        The first retrier that names the error decides.
        """
        for index, retrier in enumerate(self._retriers):
            if not is_named(failure.error, retrier["ErrorEquals"]):
                continue
            used = self._used[index]
            if used >= retrier.get("MaxAttempts", _MAX_ATTEMPTS):
                return None
            self._used[index] = used + 1
            delay = (
                retrier.get("IntervalSeconds", _INTERVAL_SECONDS) * retrier.get("BackoffRate", _BACKOFF_RATE) ** used
            )
            delay = min(delay, retrier.get("MaxDelaySeconds", delay))
            if retrier.get("JitterStrategy") == "FULL":
                return random.uniform(0, delay)  # noqa: S311 - no secret
            return float(delay)
        return None


def catcher_of(state: Document, failure: StateFailure) -> Document | None:
    """Return the first catcher of a state that names a failure's error."""
    catchers: Sequence[Document] = state.get("Catch", [])
    return next((catcher for catcher in catchers if is_named(failure.error, catcher["ErrorEquals"])), None)
