"""Section ``alerts`` of ``hallmark.yaml``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class AlertsPolicy(BaseModel):
    """What the team says of alerts."""

    model_config = ConfigDict(frozen=True, extra="forbid")
