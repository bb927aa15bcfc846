"""Publishing on the hallmark bus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hallmark.aws.failures import calling
from hallmark.errors import UnavailableError

_ENTRIES = 10
_BYTES = 240_000
"""PutEvents takes 10 entries and, in every Region, 256 KB a request (EventBridge quotas)."""
_ATTEMPTS = 3


class EventPublisher:
    """Publishes entries; what EventBridge did not take is sent again, then said to be unavailable."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def publish(self, entries: Sequence[dict[str, Any]]) -> None:
        """Publish all entries, in their order.

        Raises:
            UnavailableError: EventBridge did not take some of them.
        """
        for chunk in _chunks(entries):
            left = chunk
            for _ in range(_ATTEMPTS):
                with calling("publishing events"):
                    answer = self._client.put_events(Entries=left)
                if not answer.get("FailedEntryCount"):
                    left = []
                    break
                results = zip(left, answer["Entries"], strict=True)
                refused = [(entry, result) for entry, result in results if result.get("ErrorCode")]
                left, last = [entry for entry, _ in refused], refused[-1][1]
            if left:
                raise UnavailableError(f"publishing events: {last['ErrorCode']}: {last.get('ErrorMessage', '')}")


def _chunks(entries: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    chunks: list[list[dict[str, Any]]] = []
    size = 0
    for entry in entries:
        weight = sum(len(str(value).encode()) for value in entry.values())
        if not chunks or len(chunks[-1]) == _ENTRIES or size + weight > _BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(entry)
        size += weight
    return chunks
