"""Whether a receiver needs to be told: what fires and what was resolved now, against what it was told last."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

Reason = Literal["first", "new_alerts", "resolved", "repeat"]


class Told(BaseModel):
    """What a receiver was told last of a group."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    at: AwareDatetime
    firing: dict[str, AwareDatetime] = {}
    """Fingerprint -> when it was told first in this round."""
    resolved: frozenset[str] = frozenset()
    acknowledged: bool = False
    """It was told that somebody has all of it."""


def need_of_telling(
    told: Told | None,
    firing: AbstractSet[str],
    resolved: AbstractSet[str],
    *,
    send_resolved: bool,
    repeat_interval: timedelta,
    now: datetime,
) -> Reason | None:
    """Return why a receiver is to be told; None where it knows.

    In this order: something fires that it was not told of; nothing fires any more of what it was told; something was
    resolved that it was not told of; it was told long ago. The end of all is a reason also where ends are not sent:
    what was told is forgotten then.
    """
    if told is None or not told.firing:
        return "first" if firing else None
    if not firing <= told.firing.keys():
        return "new_alerts"
    if not firing:
        return "resolved"
    if send_resolved and not resolved <= told.resolved:
        return "resolved"
    return "repeat" if told.at + repeat_interval <= now else None
