"""Who asks for a verdict: a package that was registered, an endpoint in service, a run, drift, a pipeline, a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from hallmark.errors import InvalidInputError
from hallmark.gates.settings import Gate, GatesPolicy

Trigger = Literal["registry", "evaluation", "endpoint", "drift", "pipeline", "ci", "manual"]
_TRIGGERS = ("registry", "evaluation", "endpoint", "drift", "pipeline", "ci", "manual")
_PENDING = "PendingManualApproval"
_WAITING = frozenset({"PendingApproval", "PendingManualApproval", "InProgress"})
"""Statuses of a stage that wait for a gate (SageMaker developer guide, model-registry-staging-construct)."""
MODEL_LENGTH = 2000


class GateRequest(BaseModel):
    """Somebody or something asks for a verdict; the same request gives one verdict, however often it comes."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    gate: str = Field(min_length=1, max_length=63)
    model: str = Field(min_length=1, max_length=MODEL_LENGTH)
    """ARN of a model package, custom model or endpoint, or a foundation model's id."""
    request_id: str = Field(min_length=1, max_length=2000)
    trigger: Trigger
    source: str = ""
    requested_by: str = ""
    callback_token: str = ""
    """Of the pipeline's step that waits for the verdict."""

    @property
    def digest(self) -> str:
        """What the request is known by."""
        text = "\n".join((self.gate, self.model, self.request_id))
        return sha256(text.encode()).hexdigest()[:24]

    @property
    def execution(self) -> str:
        """Name of the workflow's execution: a repeat starts none."""
        return f"{self.gate[:50]}-{self.digest}"


class StoppedStep(NamedTuple):
    """A pipeline that is being stopped waits until its step is answered once more."""

    token: str


def requests_of(message: Mapping[str, Any], policy: GatesPolicy) -> tuple[GateRequest | StoppedStep, ...]:
    """Return what a message asks for; nothing where no gate is concerned.

    Args:
        message: An event as EventBridge delivers it, or the message of a pipeline's callback step.
        policy: The gates.

    Raises:
        InvalidInputError: It is neither, lacks what names it, or names a gate that is not there.
    """
    if "token" in message and "pipelineExecutionArn" in message:
        return (_of_pipeline(message, policy),)
    detail, kind = message.get("detail"), message.get("detail-type")
    if not isinstance(detail, Mapping):
        raise InvalidInputError("detail", detail, "send the event as EventBridge delivers it")
    read = _READERS.get(str(kind))
    if read is None:
        raise InvalidInputError("detail-type", kind, "no gate can be asked by it: see docs/gates.md")
    return tuple(dict.fromkeys(read(detail, policy, str(message.get("id", "")))))


def _of_package(detail: Mapping[str, Any], policy: GatesPolicy, event_id: str) -> Iterator[GateRequest]:
    arn, group = _text(detail, "ModelPackageArn"), str(detail.get("ModelPackageGroupName") or "")
    if str(detail.get("ModelPackageStatus", "")).upper() != "COMPLETED":
        return
    # Any later change of a package tells of its approval and its stage again: only what was updated counts.
    updated = detail.get("UpdatedModelPackageFields") or []
    status = str(detail.get("ModelApprovalStatus") or "")
    stage = detail.get("ModelLifeCycle") or {}
    if not isinstance(stage, Mapping) or not isinstance(updated, list):
        raise InvalidInputError("detail.ModelLifeCycle", stage, "send SageMaker's event as EventBridge delivers it")
    when = str(detail.get("LastModifiedTime") or event_id)
    for name, gate in _gates(policy, lambda gate: gate.models.has_group(group)):
        if not updated:
            if status == _PENDING and _is_first(gate, group, policy):
                yield _request(name, arn, f"registered:{arn}", "registry", arn)
            continue
        came = (
            "ModelLifeCycle" in updated
            and str(stage.get("Stage", "")) == gate.registry_stage
            and str(stage.get("StageStatus", "")) in _WAITING
        )
        reset = "ModelApprovalStatus" in updated and status == _PENDING and _is_first(gate, group, policy)
        if gate.reacts_to("lifecycle") and (came or reset):
            yield _request(name, arn, f"changed:{arn}:{when}", "registry", arn)


def _is_first(gate: Gate, group: str, policy: GatesPolicy) -> bool:
    """Tell whether a new package comes to this gate: it does not where an earlier gate leads here."""
    if gate.triggers.registered is not None:
        return gate.triggers.registered
    others = policy.gates.values()
    leads_here = any(other.next_stage == gate.stage and other.models.has_group(group) for other in others)
    return gate.reacts_to("registered") and not leads_here


def _of_endpoint(detail: Mapping[str, Any], policy: GatesPolicy, event_id: str) -> Iterator[GateRequest]:
    arn, name = _text(detail, "EndpointArn"), str(detail.get("EndpointName") or "")
    if str(detail.get("EndpointStatus", "")).replace("_", "").upper() != "INSERVICE":
        return
    config, when = detail.get("EndpointConfigName"), detail.get("LastModifiedTime") or event_id
    for gate_name, gate in _gates(policy, lambda gate: gate.models.has_endpoint(name or arn.rpartition("/")[2])):
        if gate.reacts_to("endpoint"):
            yield _request(gate_name, arn, f"in-service:{arn}:{config}:{when}", "endpoint", arn)


def _of_evaluation(detail: Mapping[str, Any], policy: GatesPolicy, _event_id: str) -> Iterator[GateRequest]:
    suite, run = _text(detail, "suite"), _text(detail, "run")
    trigger, source = str(detail.get("trigger") or ""), str(detail.get("source") or "")
    # A run that a gate asked for is waited for by the request that asked.
    if trigger == "gate":
        return
    told = detail.get("models") or []
    models = [str(each.get("modelId")) for each in told if isinstance(each, Mapping) and each.get("modelId")]
    group = source.rpartition(":model-package/")[2].partition("/")[0] if ":model-package/" in source else ""
    for name, gate in _gates(policy, lambda gate: suite in gate.suites and gate.reacts_to("evaluation")):
        # So is a run that the registration of its package started.
        if group and gate.models.has_group(group) and not _is_first(gate, group, policy):
            yield _request(name, source, f"evaluated:{run}", "evaluation", str(detail.get("execution") or run))
        for model in models:
            if gate.models.has_custom_model(model) or gate.models.has_foundation_model(model):
                yield _request(name, model, f"evaluated:{run}", "evaluation", str(detail.get("execution") or run))


def _of_drift(detail: Mapping[str, Any], policy: GatesPolicy, _event_id: str) -> Iterator[GateRequest]:
    subject, report = _text(detail, "subject"), _text(detail, "report")
    for name, _ in _gates(policy, lambda gate: gate.reacts_to("drift") and covers(gate, subject)):
        yield _request(name, subject, f"drift:{report}", "drift", report)


def _of_request(detail: Mapping[str, Any], policy: GatesPolicy, _event_id: str) -> Iterator[GateRequest]:
    trigger = str(detail.get("trigger") or "manual")
    if trigger not in _TRIGGERS:
        raise InvalidInputError("detail.trigger", trigger, f"take one of {', '.join(_TRIGGERS)}")
    request = _request(
        known_gate(policy, _text(detail, "gate"), "detail.gate"),
        _model(detail, "detail.model"),
        _text(detail, "requestId"),
        trigger,  # type: ignore[arg-type]  # it is one of them
        str(detail.get("source") or ""),
    )
    yield request.model_copy(update={"requested_by": str(detail.get("requestedBy") or "")})


def _of_pipeline(message: Mapping[str, Any], policy: GatesPolicy) -> GateRequest | StoppedStep:
    token, execution = message["token"], message["pipelineExecutionArn"]
    if not isinstance(token, str) or not token:
        raise InvalidInputError("token", token, "a callback step's message carries it")
    if message.get("status") == "Stopping":
        return StoppedStep(token)
    arguments = message.get("arguments")
    if not isinstance(arguments, Mapping):
        raise InvalidInputError("arguments", arguments, "give the callback step the arguments gate and model")
    gate = known_gate(policy, str(arguments.get("gate") or ""), "arguments.gate")
    model = _model(arguments, "arguments.model")
    request = _request(gate, model, f"pipeline:{execution}:{token}", "pipeline", str(execution))
    return request.model_copy(update={"callback_token": token})


_READERS: Mapping[str, Callable[[Mapping[str, Any], GatesPolicy, str], Iterator[GateRequest]]] = {
    "SageMaker Model Package State Change": _of_package,
    "SageMaker Endpoint State Change": _of_endpoint,
    "EvaluationCompleted": _of_evaluation,
    "DriftDetected": _of_drift,
    "QualityGateRequested": _of_request,
}


def known_gate(policy: GatesPolicy, name: str, field: str) -> str:
    """Return a gate's name.

    Raises:
        InvalidInputError: There is no such gate.
    """
    if name not in policy.gates:
        raise InvalidInputError(field, name, f"name one of {', '.join(sorted(policy.gates)) or 'none yet: add one'}")
    return name


def covers(gate: Gate, model: str) -> bool:
    """Tell whether a gate is for a model: an ARN, or a foundation model's id."""
    resource = model.rpartition(":")[2] if model.startswith("arn:") else ""
    kind, _, name = resource.partition("/")
    if kind == "model-package":
        return gate.models.has_group(name.partition("/")[0])
    if kind == "endpoint":
        return gate.models.has_endpoint(name)
    if ":bedrock:" in model and "custom-model" in model:
        return gate.models.has_custom_model(model)
    return gate.models.has_foundation_model(model) or gate.models.has_foundation_model(model.rpartition("/")[2])


def gate_at(policy: GatesPolicy, stage: str, model: str) -> str:
    """Return the one gate that is for a model at a stage.

    Raises:
        InvalidInputError: None is, or more than one.
    """
    found = [name for name, gate in policy.gates.items() if gate.stage == stage and covers(gate, model)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInputError("stage", stage, f"{len(found)} gates are for {model}: name one: {', '.join(found)}")
    there = ", ".join(f"{name} ({gate.stage})" for name, gate in policy.gates.items() if covers(gate, model))
    raise InvalidInputError("stage", stage, f"no gate there is for {model}; for it there are: {there or 'none'}")


def _gates(policy: GatesPolicy, wanted: Callable[[Gate], bool]) -> Iterator[tuple[str, Gate]]:
    return ((name, gate) for name, gate in policy.gates.items() if wanted(gate))


def _request(gate: str, model: str, request_id: str, trigger: Trigger, source: str) -> GateRequest:
    return GateRequest(gate=gate, model=model, request_id=request_id, trigger=trigger, source=source)


def _text(detail: Mapping[str, Any], field: str) -> str:
    value = detail.get(field)
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"detail.{field}", value, "the event must name it")
    return value


def _model(holder: Mapping[str, Any], field: str) -> str:
    value = holder.get("model")
    if not isinstance(value, str) or not 0 < len(value) <= MODEL_LENGTH:
        raise InvalidInputError(field, value, "name the model by its ARN, or a foundation model by its id")
    return value
