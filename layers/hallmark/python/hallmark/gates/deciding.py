"""What people ask of gates: to approve, to reject, to override, and what waits for them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.gates.approvals import Decision


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class DecideRequest(_Request):
    """Approve or reject."""

    ask: Literal["decide"] = "decide"
    approval: str = Field(min_length=1, max_length=100)
    decision: Decision
    reason: str


class OverrideRequest(_Request):
    """Let a model pass against the verdict."""

    ask: Literal["override"] = "override"
    verdict: str = Field(min_length=1, max_length=2000)
    reason: str


class ListRequest(_Request):
    """The latest questions to people."""

    ask: Literal["approvals"] = "approvals"
    limit: int = Field(default=50, ge=1, le=500)


Request = Annotated[DecideRequest | OverrideRequest | ListRequest, Field(discriminator="ask")]
_REQUESTS: TypeAdapter[Request] = TypeAdapter(Request, config=ConfigDict(defer_build=True))


def read_request(raw: object) -> Request:
    """Read a request.

    Raises:
        InvalidInputError: It is none; names the field, the value and the remedy.
    """
    try:
        return _REQUESTS.validate_python(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in fault["loc"]) or "the message"
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None
