"""Durations as people write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def _to_duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+)\s*(second|minute|hour|day)s?\s*", value)
    if match is None:
        # ISO 8601, as pydantic writes it.
        if value.startswith("P"):
            return value
        raise ValueError("write a number and a unit: 30 seconds, 15 minutes, 1 hour, 2 days")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


Duration = Annotated[timedelta, BeforeValidator(_to_duration)]
"""``15 minutes``, ``1 hour`` …"""
