"""Silences: somebody wants to hear nothing of some alerts for a while, and says why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hallmark.alerts.matching import Labels, Matchers, fits
from hallmark.errors import InvalidInputError

LONGEST = timedelta(days=90)


class Silence(BaseModel):
    """It mutes; it deletes nothing: what still fires at its end is told then."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str
    match: Matchers
    author: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    starts_at: AwareDatetime
    ends_at: AwareDatetime

    def is_active(self, now: datetime) -> bool:
        """Tell whether it holds at a time."""
        return self.starts_at <= now < self.ends_at


def make_silence(
    match: Mapping[str, tuple[str, ...]], author: str, reason: str, now: datetime, length: timedelta
) -> Silence:
    """Return a silence that begins now; the same request makes the same one.

    Raises:
        InvalidInputError: It matches everything, says no reason, or does not end in time.
    """
    if not match:
        raise InvalidInputError("match", match, "name at least one label: a silence of everything hides a fire")
    if not reason.strip():
        raise InvalidInputError("reason", reason, "say why, for those who wonder why nobody was told")
    if not author.strip():
        raise InvalidInputError("author", author, "say who asks for it")
    if not timedelta(0) < length <= LONGEST:
        raise InvalidInputError("for", str(length), f"a silence lasts up to {LONGEST.days} days; renew it then")
    content = repr((sorted(match.items()), author, reason, now, length))
    name = hashlib.sha256(content.encode()).hexdigest()[:12]
    return Silence(id=name, match=dict(match), author=author, reason=reason, starts_at=now, ends_at=now + length)


def silencing(labels: Labels, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """Return a silence that mutes an alert; None where nothing does."""
    return next((silence for silence in silences if silence.is_active(now) and fits(silence.match, labels)), None)
