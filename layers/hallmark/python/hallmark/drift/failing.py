"""A look that broke off: what its monitor is told to say of it."""

from __future__ import annotations

import json
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from hallmark.drift.planning import WindowPlan
from hallmark.drift.settings import Monitor
from hallmark.drift.windows import window_at

_REASON_LENGTH = 800


class BrokenLook(BaseModel):
    """What Step Functions says of a step that failed for good."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    monitor: str
    at: datetime
    error: str
    cause: str = ""


def plan_of(broken: BrokenLook, monitor: Monitor) -> WindowPlan:
    """Return the plan of a look that can only say why there is none."""
    window = window_at(monitor, broken.at)
    return WindowPlan(
        monitor=broken.monitor,
        at=broken.at,
        start=window.start,
        end=window.end,
        status="failed",
        reason=reason_of(broken),
        subject=monitor.subject_name,
    )


def reason_of(broken: BrokenLook) -> str:
    """Return the reason in the words of whoever failed: of a function, its error's message."""
    try:
        told = json.loads(broken.cause)
    except ValueError:
        told = None
    message = told.get("errorMessage") if isinstance(told, dict) else None
    return f"{broken.error}: {message or broken.cause or 'no reason is given'}"[:_REASON_LENGTH]
