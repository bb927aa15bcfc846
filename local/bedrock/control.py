"""Faults and counts of the models over HTTP: the paths ``/_local/bedrock/...``."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.bedrock.faults import Fault, Faults

_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404
_PATHS = "GET calls, DELETE calls, GET faults, PUT faults"


class _FaultOrder(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1)
    fault: Fault = Fault()


def answer_control(faults: Faults, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer a request: status, and a JSON object.

    ``GET calls`` tells what was asked of each model, ``DELETE calls`` begins counting anew. ``PUT faults`` with
    ``{"model": id, "fault": {"throttle_every": 3}}`` lets a model misbehave, without ``fault`` no longer;
    ``GET faults`` tells which do.

    Args:
        faults: Of the stand-in.
        method: HTTP method.
        path: What follows ``/_local/bedrock/``.
        body: The request's body.
    """
    match method, path:
        case "GET", "calls":
            return _OK, {"models": {model: calls.model_dump() for model, calls in faults.all_calls().items()}}
        case "DELETE", "calls":
            faults.forget_calls()
            return _OK, {}
        case "GET", "faults":
            return _OK, {"models": {model: _shown(fault) for model, fault in faults.all_faults().items()}}
        case "PUT", "faults":
            return _set_fault(faults, body)
    return _NOT_FOUND, {"message": f"{method} bedrock/{path} does not exist: {_PATHS}"}


def _set_fault(faults: Faults, body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        order = _FaultOrder.model_validate(json.loads(body))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return _BAD_REQUEST, {"message": f"the body is no {{'model': ..., 'fault': {{...}}}}: {problems}"}
    except ValueError as error:
        return _BAD_REQUEST, {"message": f"the body is no JSON: {error}"}
    faults.set(order.model, order.fault)
    return _OK, {"model": order.model, "fault": _shown(order.fault)}


def _shown(fault: Fault) -> dict[str, Any]:
    return fault.model_dump(exclude_defaults=True)
