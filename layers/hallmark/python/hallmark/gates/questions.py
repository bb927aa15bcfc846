"""What ``query_gates`` is asked: which gates there are, a verdict now, how a request stands, what was said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.gates.ports import Listing
from hallmark.gates.requests import GateRequest, covers, gate_at, known_gate
from hallmark.gates.settings import GatesPolicy


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class GatesQuestion(_Frozen):
    """All gates of the policy."""

    ask: Literal["gates"] = "gates"


class CheckQuestion(_Frozen):
    """Ask a gate for a verdict."""

    ask: Literal["check"] = "check"
    model: str = Field(min_length=1, max_length=2000)
    """ARN, or a foundation model's id."""
    gate: str | None = None
    stage: str | None = None
    """In place of the gate: the one gate at this stage that is for the model."""
    request_id: str = Field(min_length=1, max_length=2000)
    trigger: Literal["ci", "manual"] = "manual"
    by: str = ""


class RequestQuestion(_Frozen):
    """How a request stands."""

    ask: Literal["request"] = "request"
    request: str = Field(min_length=1)


class VerdictsQuestion(_Frozen):
    """The latest verdicts."""

    ask: Literal["verdicts"] = "verdicts"
    model: str | None = None
    limit: int = Field(default=20, ge=1, le=200)


class VerdictQuestion(_Frozen):
    """One verdict, in full."""

    ask: Literal["verdict"] = "verdict"
    verdict: str = Field(min_length=1)


GateQuestion = Annotated[
    GatesQuestion | CheckQuestion | RequestQuestion | VerdictsQuestion | VerdictQuestion, Field(discriminator="ask")
]
_QUESTIONS: TypeAdapter[GateQuestion] = TypeAdapter(GateQuestion, config=ConfigDict(defer_build=True))


def read_question(raw: object) -> GateQuestion:
    """Read a question.

    Raises:
        InvalidInputError: It is none; names the field, the value and the remedy.
    """
    try:
        return _QUESTIONS.validate_python(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the question"
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None


class Starter(Protocol):
    """Who starts the workflow."""

    def __call__(self, request: GateRequest) -> bool:
        """Start it, unless it was; tell whether it was started."""
        ...


class GateDesk:
    """Answers questions about gates."""

    def __init__(self, policy: GatesPolicy, listing: Listing, start: Callable[[GateRequest], bool]) -> None:
        self._policy, self._listing, self._start = policy, listing, start

    def answer(self, question: GateQuestion) -> dict[str, Any]:
        """Answer a question.

        Raises:
            InvalidInputError: It names a gate that is not there, or none is for the model.
            NotFoundError: There is no such verdict.
        """
        match question:
            case GatesQuestion():
                return {"gates": [self._gate(name) for name in sorted(self._policy.gates)]}
            case CheckQuestion():
                return self._check(question)
            case RequestQuestion():
                return self._request(question.request)
            case VerdictsQuestion():
                found = self._listing.latest(question.limit, question.model)
                return {"verdicts": [verdict.model_dump(mode="json") for verdict in found]}
            case VerdictQuestion():
                return {"verdict": self._listing.verdict(question.verdict).model_dump(mode="json")}

    def _check(self, question: CheckQuestion) -> dict[str, Any]:
        if question.gate is None and question.stage is None:
            raise InvalidInputError("gate", None, "name a gate, or a stage")
        gate = (
            known_gate(self._policy, question.gate, "gate")
            if question.gate is not None
            else gate_at(self._policy, str(question.stage), question.model)
        )
        if not covers(self._policy.gates[gate], question.model):
            raise InvalidInputError("model", question.model, f"the gate {gate} is not for it: see its models")
        request = GateRequest(
            gate=gate,
            model=question.model,
            request_id=f"{question.trigger}:{question.request_id}",
            trigger=question.trigger,
            requested_by=question.by,
        )
        started = self._start(request)
        return {"request": request.digest, "gate": gate, "started": started}

    def _request(self, request: str) -> dict[str, Any]:
        state = self._listing.state(request)
        if state is None:
            return {"status": "accepted"}
        answer: dict[str, Any] = {"status": state.status, "reason": state.reason}
        if state.verdict:
            answer["verdict"] = self._listing.verdict(state.verdict).model_dump(mode="json")
        return answer

    def _gate(self, name: str) -> dict[str, Any]:
        gate = self._policy.gates[name]
        return {
            "name": name,
            "stage": gate.stage,
            "next_stage": gate.next_stage,
            "action_on_failure": gate.action_on_failure,
            "approval": gate.approval.required,
            "models": gate.models.model_dump(mode="json"),
            "suites": list(gate.suites),
            "criteria": {label: each.model_dump(mode="json", exclude_none=True) for label, each in gate.asked.items()},
            "owners": list(gate.owners),
        }
