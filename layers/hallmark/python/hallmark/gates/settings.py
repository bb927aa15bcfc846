"""Section ``gates`` of ``hallmark.yaml``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class GatesPolicy(BaseModel):
    """What the team says of gates."""

    model_config = ConfigDict(frozen=True, extra="forbid")
