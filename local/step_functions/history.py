"""The history of an execution, in the order and with the links that ``GetExecutionHistory`` answers."""

from __future__ import annotations

import threading
from typing import Any

from local.step_functions.documents import timestamp

MAXIMUM_EVENTS = 25_000  # "Quotas", developer guide


class History:
    """Events of one execution, appended by all its threads.

    Args:
        events: Where they are kept; the first one is there already.
    """

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = events
        self._lock = threading.Lock()

    def add(self, event_type: str, previous: int, details: dict[str, Any] | None = None, key: str | None = None) -> int:
        """Append an event and return its id.

        Args:
            event_type: E.g. ``TaskScheduled``.
            previous: Id of the event that led to it.
            details: Its members, without those that are ``None``.
            key: Member of the event that holds them, where it is not the type's own, e.g.
                ``stateEnteredEventDetails``.
        """
        name = key or f"{event_type[0].lower()}{event_type[1:]}EventDetails"
        members = {} if details is None else {name: {k: v for k, v in details.items() if v is not None}}
        with self._lock:
            identifier = len(self._events) + 1
            self._events.append(
                {
                    "id": identifier,
                    "previousEventId": previous,
                    "timestamp": timestamp(),
                    "type": event_type,
                    **members,
                }
            )
        return identifier

    @property
    def is_full(self) -> bool:
        """Whether the quota of events is used up."""
        return len(self._events) >= MAXIMUM_EVENTS
