"""When things happen by themselves, as people write it in the policy."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator

_CRON = re.compile(r"cron\((\S+ ){5}\S+\)")
_RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)")


def _check_frequency(value: str) -> str:
    if not (_CRON.fullmatch(value) or _RATE.fullmatch(value)):
        raise ValueError("write rate(1 day), rate(6 hours) or cron(minute hour day month weekday year)")
    return value


def _check_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("write the name of a time zone: UTC, Europe/Paris, America/New_York")
    return value


Frequency = Annotated[str, AfterValidator(_check_frequency)]
"""``rate(6 hours)`` or ``cron(…)``, as EventBridge Scheduler takes it (user guide, schedule types)."""
TimeZone = Annotated[str, AfterValidator(_check_zone)]
"""A name of the IANA time zone database."""
