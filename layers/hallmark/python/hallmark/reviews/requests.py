"""What asks for a review: the schedule, a person, or a drift report that says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.drift import DRIFT_DETECTED, MonitorReported
from hallmark.reviews.ports import OutputReader
from hallmark.reviews.reviewing import Reviewing
from hallmark.reviews.tasks import Review


class Wish(NamedTuple):
    """A review of a program that somebody or something wants."""

    program: str
    key: str
    window: tuple[datetime, datetime] | None = None
    cause: str = ""


def wishes_of(message: Any, reviewing: Reviewing) -> list[Wish]:
    """Return the reviews that a message asks for: ``{"program", "key"}``, or EventBridge's event of a drift report.

    Raises:
        InvalidInputError: It is neither, or the policy has no such program.
    """
    if not isinstance(message, Mapping):
        raise InvalidInputError("the message", message, 'send {"program": "…", "key": "…"} or a drift report')
    if message.get("detail-type") == DRIFT_DETECTED:
        return _of_drift(message.get("detail"), reviewing)
    program, key = message.get("program"), message.get("key")
    if not isinstance(program, str) or not program:
        raise InvalidInputError("program", program, "name a program of reviews of hallmark.yaml")
    if not isinstance(key, str) or not key:
        raise InvalidInputError("key", key, "send a text that is the same for each repeat of this request")
    reviewing.program(program)
    return [Wish(program, key)]


def _of_drift(detail: Any, reviewing: Reviewing) -> list[Wish]:
    try:
        report = MonitorReported.model_validate(detail)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("detail", *map(str, fault["loc"])))
        raise InvalidInputError(field, fault["input"], f"{fault['msg']}; see docs/events.md") from None
    if "review" not in report.actions:
        return []
    window = (report.window.start, report.window.end)
    return [Wish(name, report.report, window, report.report) for name in reviewing.programs_of(report.subject)]


def grant(wish: Wish, reviewing: Reviewing, reader: OutputReader) -> Review:
    """Make the review that is wished for, unless it is made already."""
    return reviewing.request(wish.program, wish.key, reader, window=wish.window, cause=wish.cause)
