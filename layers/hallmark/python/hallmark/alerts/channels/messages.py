"""What is said, whichever channel says it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hallmark.events.alerts import Severity

Status = Literal["firing", "resolved"]

SYMBOLS: dict[Severity, str] = {"info": "🔵", "warning": "🟡", "error": "🟠", "critical": "🔴"}
RESOLVED_SYMBOL = "🟢"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Fact(_Part):
    """A thing and what it is: ``accuracy`` and ``0.71, at least 0.80``."""

    name: str
    value: str


class Link(_Part):
    """Where to read on."""

    text: str
    url: str


class Item(_Part):
    """One alert."""

    title: str
    status: Status
    severity: Severity
    since: datetime
    until: datetime | None = None
    summary: str = ""
    facts: tuple[Fact, ...] = ()
    """What broke: value against threshold, with interval and change."""
    affected: tuple[str, ...] = ()
    """Model versions and endpoints that have it from here."""
    upstream: tuple[str, ...] = ()
    """What changed lately in what it was made of."""
    remedies: tuple[str, ...] = ()
    commands: tuple[Fact, ...] = ()
    """What to type in a terminal to see more."""
    links: tuple[Link, ...] = ()


class Change(_Part):
    """Something that people changed or had changed: nobody is called because of it."""

    summary: str
    source: str
    at: datetime
    facts: tuple[Fact, ...] = ()


class Actions(_Part):
    """What a person may do about it, by links that are theirs alone; empty where the links are not to be had."""

    acknowledge: str = ""
    silence: str = ""
    acknowledge_token: str = ""
    silence_token: str = ""
    """For buttons that act without a page."""
    silence_for: str = "2 h"
    open: str = ""


class Message(_Part):
    """What one channel is told of one group of alerts."""

    id: str
    group: str
    """The same for all that is said of the group: PagerDuty's incident and the thread of a chat."""
    status: Status
    severity: Severity
    title: str
    note: str = ""
    """Why it is said now: it is new, it was escalated, it still fires."""
    labels: tuple[Fact, ...] = ()
    items: tuple[Item, ...]
    firing: int = 0
    resolved: int = 0
    """Of all alerts of the group, the ones that are not among ``items`` too."""
    said_at: datetime
    is_acknowledged: bool = False
    """It says that somebody has it, and nothing else."""
    actions: Actions = Field(default_factory=Actions)
    owners: tuple[str, ...] = ()

    @property
    def symbol(self) -> str:
        """A sign for the eye."""
        return RESOLVED_SYMBOL if self.status == "resolved" else SYMBOLS[self.severity]

    @property
    def heading(self) -> str:
        """Status, severity and title on one line."""
        word = "RESOLVED" if self.status == "resolved" else self.severity.upper()
        return f"{word}: {self.title}"

    @property
    def counts(self) -> str:
        """How many alerts fire and how many are over, e.g. ``2 firing, 1 resolved``."""
        told = {"firing": self.firing, "resolved": self.resolved}
        return ", ".join(f"{count} {word}" for word, count in told.items() if count) or "no alert"

    def left_out(self, shown: int) -> int:
        """Return how many alerts are not told of where the first ``shown`` items are."""
        return max(self.firing + self.resolved, len(self.items)) - min(shown, len(self.items))


def span_of(item: Item) -> str:
    """Return since when an alert fires, or from when until when it did."""
    if item.status == "firing":
        return f"firing since {time_of(item.since)}"
    until = f" until {time_of(item.until)}" if item.until else ""
    return f"fired from {time_of(item.since)}{until}"


def time_of(moment: datetime) -> str:
    """Return a time as people read it, with its offset."""
    text = moment.strftime("%Y-%m-%d %H:%M %z")
    return text.replace("+0000", "UTC")
