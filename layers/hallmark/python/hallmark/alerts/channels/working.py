"""Working off a channel's queue: each message comes again when its channel is likely to take it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from hallmark.alerts.channels.delivering import Delivery
from hallmark.alerts.channels.posting import TurnError, WaitError
from hallmark.alerts.notifications import Notification, read_notification
from hallmark.errors import HallmarkError, InvalidInputError, UnavailableError
from hallmark.events.alerts import DeliveryFailed

FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 900.0
TOLD_AT = 4
"""The bus hears of a channel that failed so often, while it is tried again: half a minute without an answer."""


class Queue(Protocol):
    """The channel's queue and its dead letters."""

    def postpone(self, receipt: str, seconds: float) -> None:
        """Let a message come again after so many seconds."""
        ...

    def refuse(self, body: str, error: Exception) -> None:
        """Keep a message as a dead letter, with the reason."""
        ...


def wait_seconds(attempt: int) -> float:
    """Return how long to wait after the ``attempt``-th failure: 5 s, doubled each time, at most 15 minutes."""
    return min(FIRST_WAIT_SECONDS * 2.0 ** min(attempt - 1, 20), LONGEST_WAIT_SECONDS)


@dataclass(frozen=True)
class Worker:
    """Delivers what lies in one channel's queue.

    Args:
        delivery: Delivers one.
        queue: The queue.
        tell: Says on the bus that a channel failed.
        note: Writes a line of the log: what, and with which fields.
        maximum_receives: How often the queue delivers a message.
        clock: The time.
    """

    delivery: Delivery
    queue: Queue
    tell: Callable[[DeliveryFailed], None]
    note: Callable[..., None]
    maximum_receives: int
    clock: Callable[[], datetime]

    def work_off(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Deliver each message, one after the other; return the ids of those that come again."""
        return [record["messageId"] for record in records if not self._work(record)]

    def _work(self, record: Mapping[str, Any]) -> bool:
        """Tell whether a message is done with."""
        attempt = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
        notification: Notification | None = None
        try:
            notification = read_notification(record["body"])
            outcome = self.delivery.deliver(notification).outcome
        except InvalidInputError as error:
            return self._give_up(record, notification, attempt, error)
        except UnavailableError as error:
            return self._again(record, notification, attempt, error)
        self.note(
            "notification delivered", outcome=outcome, notification=notification.id, receiver=notification.receiver
        )
        return True

    def _again(
        self, record: Mapping[str, Any], notification: Notification | None, attempt: int, error: UnavailableError
    ) -> bool:
        if attempt >= self.maximum_receives:
            return self._give_up(record, notification, attempt, error)
        asked = (error.seconds or 0.0) if isinstance(error, WaitError) else 0.0
        # Who waits for a turn waits longer each time, so that a channel that is down does not use up the tries of all.
        seconds = asked if asked and not isinstance(error, TurnError) else max(wait_seconds(attempt), asked)
        seconds = min(seconds, LONGEST_WAIT_SECONDS)
        self.note("notification comes again", reason=str(error), seconds=seconds, attempt=attempt)
        if attempt == TOLD_AT:
            self._tell(notification, attempt, error)
        self.queue.postpone(record["receiptHandle"], seconds)
        return False

    def _give_up(
        self, record: Mapping[str, Any], notification: Notification | None, attempt: int, error: HallmarkError
    ) -> bool:
        self.note("notification refused", reason=str(error), error=type(error).__name__, attempt=attempt)
        try:
            self.queue.refuse(record["body"], error)
        except UnavailableError:
            return False
        self._tell(notification, attempt, error)
        return True

    def _tell(self, notification: Notification | None, attempt: int, error: HallmarkError) -> None:
        if notification is None:
            return
        failed = DeliveryFailed(
            channel=f"{notification.channel}/{notification.receiver}",
            group=notification.group,
            attempts=attempt,
            reason=str(error),
            failed_at=self.clock(),
        )
        try:
            self.tell(failed)
        except HallmarkError as untold:
            # The dead letter's alarm tells of it by itself; a message in the queue is told of by the last attempt.
            self.note("failure not told", reason=str(untold))
