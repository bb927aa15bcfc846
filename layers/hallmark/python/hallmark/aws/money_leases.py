"""Until when an invocation holds a run's money, and for which calls: what it held when it died is found by that.

The run's item counts what is held by the minute in which the holder is certainly over, one number for all holders of
that minute. A holder that lives gives everything back before; so what is left there belongs to the dead. For which
calls a holder took it stands in an item of its own, written with the announcement of those calls.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hallmark.evaluation.ports import AnswerKey

_ATTRIBUTE = "held_until_"
_GRACE_MINUTES = 1
"""By how much the clocks of two functions may differ, and Lambda may be late to end one."""


class Lease(NamedTuple):
    """Who holds money, and until when at most: its invocation's end."""

    holder: str
    until: datetime

    @property
    def minute(self) -> int:
        """Minute since 1970 from which on the holder is certainly over."""
        return math.ceil(self.until.timestamp() / 60) + _GRACE_MINUTES

    @property
    def attribute(self) -> str:
        """Of the run's item: what all holders of this minute hold."""
        return f"{_ATTRIBUTE}{self.minute}"


class Held(NamedTuple):
    """What is left of the money of holders that are over."""

    minute: int
    nanousd: int

    @property
    def attribute(self) -> str:
        """Of the run's item."""
        return f"{_ATTRIBUTE}{self.minute}"


def expired(item: Mapping[str, Any], now: datetime) -> tuple[Held, ...]:
    """Return what a run's item says of holders that are over."""
    minutes = {name: int(name.removeprefix(_ATTRIBUTE)) for name in item if name.startswith(_ATTRIBUTE)}
    return tuple(
        Held(minute, int(item[name]["N"])) for name, minute in minutes.items() if now.timestamp() >= minute * 60
    )


def lease_key(run: str, lease: Lease) -> dict[str, Any]:
    """Return the key of a holder's item."""
    return {"pk": {"S": leases_of(run)}, "sk": {"S": f"{beginning(lease.minute)}{lease.holder}"}}


def leases_of(run: str) -> str:
    """Return the partition of a run's holders."""
    return f"LEASE#{run}"


def beginning(minute: int) -> str:
    """Return how the sort keys of a minute's holders begin."""
    return f"{minute}#"


def calls_attribute(worst_nanousd: Mapping[AnswerKey, int]) -> dict[str, Any]:
    """Return calls with what each costs at most, as an attribute of a holder's item."""
    return {"S": json.dumps([[*key, nanousd] for key, nanousd in worst_nanousd.items()])}


def calls_of(item: Mapping[str, Any]) -> dict[AnswerKey, int]:
    """Return the calls of a holder's item with what each costs at most."""
    return {AnswerKey(*key): nanousd for *key, nanousd in json.loads(item["calls"]["S"])}
