"""What the workflow tells the functions that deal with a job of AWS."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from hallmark.evaluation.plans import JobKind


def _told(cause: object) -> object:
    """Return what a function's failure says, of the JSON that Step Functions passes on with its stack trace."""
    try:
        found = json.loads(str(cause))
    except ValueError:
        return cause
    return found.get("errorMessage", cause) if isinstance(found, dict) else cause


class JobOrder(BaseModel):
    """A job of a run's plan."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    suite: str
    run: str
    job: int = Field(ge=0)
    """Its number in the plan."""


class WaitingOrder(JobOrder):
    """A job that was started, and who waits for it."""

    kind: JobKind
    name: str
    arn: str
    token: str
    """Task token of the workflow (Step Functions developer guide, "Wait for a callback with the task token")."""


class CollectingOrder(JobOrder):
    """A job that has ended, or could not be started."""

    arn: str | None = None
    """None where it was never started."""
    failure: Annotated[str, BeforeValidator(_told)] = ""
    """Why it was not."""
