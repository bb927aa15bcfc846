"""Section ``reviews`` of ``hallmark.yaml``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ReviewsPolicy(BaseModel):
    """What the team says of reviews."""

    model_config = ConfigDict(frozen=True, extra="forbid")
