"""What is published of people who were forgotten."""

from __future__ import annotations

from datetime import datetime

from hallmark.events.records import RecordedEvent

PERSON_FORGOTTEN = "PersonForgotten"


class PersonForgotten(RecordedEvent):
    """What is kept of a person was destroyed. It does not say of whom. ``forgetting`` tells a repeat."""

    forgetting: str
    by: str
    reason: str
    forgotten_at: datetime
