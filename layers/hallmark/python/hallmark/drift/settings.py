"""Section ``drift`` of ``hallmark.yaml``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class DriftPolicy(BaseModel):
    """What the team says of drift."""

    model_config = ConfigDict(frozen=True, extra="forbid")
