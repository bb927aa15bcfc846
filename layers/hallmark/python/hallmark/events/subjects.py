"""What is published of the people whose data a snapshot holds."""

from __future__ import annotations

from hallmark.events.records import RecordedEvent

SUBJECTS_RECORDED = "SubjectsRecorded"


class SubjectsRecorded(RecordedEvent):
    """The tokens of all people in a snapshot are recorded. It names nobody."""

    snapshot: str
    tokens: int
