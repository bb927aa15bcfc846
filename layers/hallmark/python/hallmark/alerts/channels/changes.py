"""What changed in production, told to PagerDuty beside its incidents: models that move, endpoints that are put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from hallmark.alerts.channels.messages import Change, Fact
from hallmark.errors import InvalidInputError
from hallmark.events.gates import ENDPOINT_ROLLED_BACK, MODEL_PROMOTED, EndpointRolledBack, ModelMoved

CHANGES = (MODEL_PROMOTED, ENDPOINT_ROLLED_BACK)


def change_of(event: Mapping[str, Any]) -> Change:
    """Return what an event of the hallmark bus says of production.

    Raises:
        InvalidInputError: It says nothing of it.
    """
    detail_type, detail = event.get("detail-type"), event.get("detail")
    try:
        if detail_type == MODEL_PROMOTED:
            return _promotion(ModelMoved.model_validate(detail))
        if detail_type == ENDPOINT_ROLLED_BACK:
            return _rollback(EndpointRolledBack.model_validate(detail))
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("detail", *map(str, fault["loc"])))
        raise InvalidInputError(field, fault["input"], f"{fault['msg']}; see hallmark/events/gates.py") from None
    raise InvalidInputError("detail-type", detail_type, f"send one of {', '.join(CHANGES)}")


def _promotion(moved: ModelMoved) -> Change:
    facts = {
        "model": moved.model,
        "from stage": moved.from_stage,
        "to stage": moved.to_stage,
        "approval": moved.approval_status,
        "by": moved.by,
        "reason": moved.reason,
        "verdict": moved.verdict,
    }
    stage = f" to {moved.to_stage}" if moved.to_stage else ""
    return Change(
        summary=f"{moved.model_name} was promoted{stage}",
        source=moved.model_name,
        at=moved.moved_at,
        facts=_said(facts),
    )


def _rollback(rolled: EndpointRolledBack) -> Change:
    facts = {
        "endpoint": rolled.endpoint,
        "from configuration": rolled.from_config,
        "to configuration": rolled.to_config,
        "reason": rolled.reason,
        "verdict": rolled.verdict,
    }
    return Change(
        summary=f"{rolled.endpoint_name} was put back to {rolled.to_config}",
        source=rolled.endpoint_name,
        at=rolled.rolled_back_at,
        facts=_said(facts),
    )


def _said(facts: Mapping[str, str]) -> tuple[Fact, ...]:
    return tuple(Fact(name=name, value=value) for name, value in facts.items() if value)
