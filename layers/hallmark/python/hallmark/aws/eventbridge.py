"""Publishing on the hallmark bus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hallmark.aws.failures import calling
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.events.published import Published

_ENTRIES = 10
_BYTES = 240_000
"""PutEvents takes 10 entries and, in every Region, 256 KB a request (EventBridge quotas)."""
_ATTEMPTS = 3

Entry = Mapping[str, Any]


class Offer(NamedTuple):
    """What EventBridge did not take, by position: what it never will, and what it did not this time; with the reason.

    All else is published.
    """

    refused: dict[int, str]
    left: dict[int, str]


class EventPublisher:
    """Publishes entries; what EventBridge did not take is sent again, then said to be unavailable."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def publish(self, entries: Sequence[Entry]) -> None:
        """Publish all entries, in their order.

        Raises:
            UnavailableError: EventBridge did not take some of them now.
            InvalidInputError: EventBridge will never take one of them; the others are published.
        """
        offer = self.offer(dict(enumerate(entries)))
        if offer.left:
            raise UnavailableError(f"publishing events: {next(iter(offer.left.values()))}")
        for position, reason in offer.refused.items():
            raise InvalidInputError("the event", entries[position].get("Detail"), f"EventBridge refuses it: {reason}")

    def offer(self, entries: Mapping[int, Entry]) -> Offer:
        """Publish the entries that EventBridge takes, in the order of their positions; tell of the others."""
        offer = Offer({}, {})
        for chunk in _chunks(entries):
            if not offer.left:
                self._put(chunk, offer)
            else:
                offer.left.update(dict.fromkeys(chunk, "not tried: those before it were not taken"))
        return offer

    def _put(self, chunk: dict[int, Entry], offer: Offer) -> None:
        left = dict.fromkeys(chunk, "")
        for _ in range(_ATTEMPTS):
            try:
                with calling("publishing events"):
                    answer = self._client.put_events(Entries=[chunk[position] for position in left])
            except UnavailableError as error:
                left = dict.fromkeys(left, str(error))
                break
            faults = {
                position: result
                for position, result in zip(left, answer["Entries"], strict=True)
                if result.get("ErrorCode")
            }
            offer.refused.update({key: _reason(fault) for key, fault in faults.items() if not _is_passing(fault)})
            left = {key: _reason(fault) for key, fault in faults.items() if _is_passing(fault)}
            if not left:
                return
        offer.left.update(left)


class BusPublisher:
    """Publishes on one bus, an event at a time."""

    def __init__(self, bus_name: str, client: Any) -> None:
        self._bus_name = bus_name
        self._publisher = EventPublisher(client)

    def publish(self, detail_type: str, event: Published) -> None:
        """Publish an event.

        Raises:
            UnavailableError: EventBridge did not take it now.
            InvalidInputError: EventBridge will never take it.
        """
        self._publisher.publish([event.to_entry(self._bus_name, detail_type)])


def _is_passing(result: Mapping[str, Any]) -> bool:
    # InternalFailure and ThrottlingException (EventBridge API reference, PutEventsResultEntry).
    code = str(result["ErrorCode"])
    return "Throttl" in code or code.startswith(("Internal", "ServiceUnavailable"))


def _reason(result: Mapping[str, Any]) -> str:
    return f"{result['ErrorCode']}: {result.get('ErrorMessage', '')}"


def _chunks(entries: Mapping[int, Entry]) -> Iterator[dict[int, Entry]]:
    """Yield the entries of one request after the other."""
    chunk: dict[int, Entry] = {}
    size = 0
    for position, entry in sorted(entries.items(), key=lambda item: item[0]):
        weight = sum(len(str(value).encode()) for value in entry.values())
        if chunk and (len(chunk) == _ENTRIES or size + weight > _BYTES):
            yield chunk
            chunk, size = {}, 0
        chunk[position] = entry
        size += weight
    if chunk:
        yield chunk
