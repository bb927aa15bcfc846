"""Working off a batch of SQS messages: each for itself, so that one bad message harms no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Generic, NamedTuple, TypeVar

from hallmark.errors import HallmarkError, InvalidInputError, UnavailableError
from hallmark.runtime.observability import logger

Result = TypeVar("Result")

WORKERS = 4
"""Messages that are handled at a time: handling is mostly waiting for AWS."""


class Outcome(NamedTuple, Generic[Result]):
    """What came of a batch."""

    results: list[Result]
    refused: int
    failed: list[str]

    @property
    def response(self) -> dict[str, Any]:
        """Return what Lambda expects of a function that reports failures one by one."""
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in self.failed]}


def work_off(
    records: Sequence[Mapping[str, Any]],
    handle: Callable[[str], Result],
    refuse: Callable[[str, Exception], None],
    *,
    maximum_receives: int,
    seconds: float | None = None,
) -> Outcome[Result]:
    """Handle the body of each message.

    A message that can never succeed, and one that failed for the last time that the queue allows, goes to the dead
    letters with the reason; any other failure leaves it in the queue, to be delivered again.

    Args:
        records: The records of Lambda's event from SQS.
        handle: Handles one body.
        refuse: Keeps a body as a dead letter, with the error.
        maximum_receives: How often the queue delivers a message.
        seconds: How long to wait for the messages, so that a slow one does not take the others with it when the
            function's time is over; None waits for all.
    """
    outcome: Outcome[Result] = Outcome([], 0, [])
    refused = 0
    pool = ThreadPoolExecutor(WORKERS)
    try:
        pending = [(record, pool.submit(handle, record["body"])) for record in records]
        wait([future for _, future in pending], timeout=seconds)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    for record, future in pending:
        error = _error_of(future)
        if error is None:
            outcome.results.append(future.result())
            continue
        receives = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
        final = isinstance(error, InvalidInputError) or receives >= maximum_receives
        log = logger.warning if isinstance(error, HallmarkError) else logger.error
        log("message refused" if final else "message will come again", reason=str(error), error=type(error).__name__)
        if final and _is_kept(record["body"], error, refuse):
            refused += 1
        else:
            outcome.failed.append(record["messageId"])
    return outcome._replace(refused=refused)


def _error_of(future: Future[Any]) -> Exception | None:
    if not future.done() or future.cancelled():
        return UnavailableError("the function's time was over before this message was handled")
    error = future.exception()
    if error is None or isinstance(error, Exception):
        return error
    raise error


def _is_kept(body: str, error: Exception, refuse: Callable[[str, Exception], None]) -> bool:
    try:
        refuse(body, error)
    except HallmarkError as failure:
        logger.error("dead letter not kept: the message stays in its queue", reason=str(failure))
        return False
    return True
