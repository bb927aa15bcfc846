"""What the policy says of coverage."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hallmark.durations import Duration

Need = Literal["data", "image", "commit", "model", "package", "artifact", "config", "who", "reason"]


class CoveragePolicy(BaseModel):
    """How complete lineage has to be, and how often that is measured."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    every: Duration = Field(default=timedelta(days=1), ge=timedelta(minutes=5))
    window: Duration = Field(default=timedelta(days=30), ge=timedelta(hours=1))
    """What was made within this time before the measurement is looked at."""
    required: tuple[Need, ...] = ("data", "image", "commit", "model", "package", "artifact", "config")
    """What the lineage of a resource must have to count as complete, as far as its kind has it; what else is missing is
    reported all the same."""
    alarm_below_percent: float = Field(default=95.0, ge=0, le=100)
    unmatched_inputs: int = Field(default=0, ge=0, le=100_000)
    """Inputs of runs that match nothing: with more than these, an alarm says so."""
