"""Observations for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.alerts.conditions import Observation
from hallmark.alerts.settings import AlertsPolicy

NOON = datetime(2026, 11, 4, 12, tzinfo=UTC)  # a Wednesday
SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))


def seen(bad: bool, at: datetime = NOON, name: str = "DriftDetected", **fields: Any) -> Observation:
    labels = fields.pop("labels", {"subject": "live", "monitor": "traffic"})
    return Observation(
        id=fields.pop("id", f"{at.isoformat()}{bad}"),
        name=name,
        labels=labels,
        at=at,
        bad=bad,
        **{"severity": "error", "summary": "it drifted" if bad else "it is well", **fields},
    )


def policy_of(**route: Any) -> AlertsPolicy:
    return AlertsPolicy.model_validate(
        {
            "receivers": {
                "mail": {"email": {}},
                "chat": {"slack": {"webhook_secret": "hook"}},
                "duty": {"pagerduty": {"routing_key_secret": "key"}, "min_severity": "error"},
            },
            "route": {"receiver": "mail", "group_by": ["name"], **route},
            "time_intervals": {
                "office": {
                    "time_zone": "Europe/Berlin",
                    "hours": [{"weekdays": ["monday", "wednesday"], "from": "09:00", "to": "17:00"}],
                }
            },
        }
    )
