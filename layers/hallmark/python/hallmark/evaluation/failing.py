"""Why a run failed, in words for the team."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict


class RunFailure(BaseModel):
    """What the workflow caught."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    run: str
    suite: str
    execution: str = ""
    error: str = ""
    cause: str = ""


def reason_of(failure: RunFailure) -> str:
    """Return the error and its message; the cause of a function's error is Lambda's JSON document about it."""
    try:
        document = json.loads(failure.cause)
    except ValueError:
        document = None
    message = document.get("errorMessage") if isinstance(document, dict) else None
    return f"{failure.error}: {message or failure.cause}".strip(": ") or "the workflow gave no reason"
