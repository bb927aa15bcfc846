"""Which suites an event concerns, and what they are to evaluate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.evaluation.runs import MODEL_ID_PROPERTY, Trigger
from hallmark.evaluation.suites import EvaluationPolicy, ModelVariant, Suite

DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
"""Status of a stack that has been deployed (CloudFormation user guide, stack status codes)."""


class Start(NamedTuple):
    """A run to start."""

    name: str
    """The same for every repeat of an event, so that it starts one run."""
    suite: str
    trigger: Trigger
    models: tuple[str, ...] = ()
    candidates: Mapping[str, ModelVariant] = {}

    def to_input(self) -> dict[str, Any]:
        """Return the workflow's input."""
        return {
            "suite": self.suite,
            "trigger": self.trigger.model_dump(),
            "models": list(self.models),
            "candidates": {name: variant.model_dump(mode="json") for name, variant in self.candidates.items()},
        }


def starts_of(event: Mapping[str, Any], policy: EvaluationPolicy) -> tuple[Start, ...]:
    """Return the runs that an event of EventBridge starts; none where no suite asks for it.

    Raises:
        InvalidInputError: The event is not one of those that the rules let through, or lacks what names it.
    """
    detail, kind = event.get("detail"), event.get("detail-type")
    if not isinstance(detail, Mapping):
        raise InvalidInputError("detail", detail, "send the event as EventBridge delivers it")
    match kind:
        case "SageMaker Model Package State Change":
            return tuple(_of_package(detail, policy))
        case "Model Customization Job State Change":
            return tuple(_of_custom_model(detail, policy))
        case "Object Created":
            return tuple(_of_object(detail, policy))
        case "CloudFormation Stack Status Change":
            return tuple(_of_deployment(detail, policy))
        case "EvaluationRequested":
            return (_requested(detail, policy, str(event.get("id", ""))),)
    raise InvalidInputError("detail-type", kind, "no suite can be started by it: see docs/events.md")


def _of_package(detail: Mapping[str, Any], policy: EvaluationPolicy) -> Iterator[Start]:
    arn, group = _text(detail, "ModelPackageArn"), str(detail.get("ModelPackageGroupName", ""))
    # A later change of a package (an approval, a stage) is not a new package.
    if detail.get("UpdatedModelPackageFields") or str(detail.get("ModelPackageStatus", "")).upper() != "COMPLETED":
        return
    properties = detail.get("CustomerMetadataProperties") or {}
    model_id = properties.get(MODEL_ID_PROPERTY) if isinstance(properties, Mapping) else None
    for name, suite in policy.suites.items():
        if group in suite.triggers.model_package_groups:
            candidates = {"candidate": _variant(model_id, suite, policy)} if model_id else {}
            yield _start(name, arn, Trigger(kind="model_package", source=arn), candidates)


def _of_custom_model(detail: Mapping[str, Any], policy: EvaluationPolicy) -> Iterator[Start]:
    job, model_id = _text(detail, "jobArn"), detail.get("outputModelArn")
    if str(detail.get("jobStatus", "")).upper() != "COMPLETED":
        return
    if not isinstance(model_id, str) or not model_id:
        raise InvalidInputError("detail.outputModelArn", model_id, "a completed customization names its model")
    for name, suite in policy.suites.items():
        if suite.triggers.custom_models:
            candidates = {"candidate": _variant(model_id, suite, policy)}
            yield _start(name, job, Trigger(kind="custom_model", source=model_id), candidates)


def _of_object(detail: Mapping[str, Any], policy: EvaluationPolicy) -> Iterator[Start]:
    bucket, found = detail.get("bucket"), detail.get("object")
    if not isinstance(bucket, Mapping) or not isinstance(found, Mapping):
        raise InvalidInputError("detail.object", found, "send S3's event as EventBridge delivers it")
    uri = f"s3://{bucket.get('name')}/{found.get('key')}"
    version = found.get("version-id") or found.get("etag") or found.get("sequencer")
    for name, suite in policy.suites.items():
        sources = [policy.datasets[dataset] for dataset in suite.datasets]
        places = [place for source in sources for place in (source.location, source.examples) if place is not None]
        if suite.triggers.dataset_changes and any(_lies_in(uri, place) for place in places):
            yield _start(name, f"{uri}#{version}", Trigger(kind="dataset_changed", source=uri), {})


def _of_deployment(detail: Mapping[str, Any], policy: EvaluationPolicy) -> Iterator[Start]:
    """The deployed policy may say other words to models; those that were asked with before start nothing."""
    stack, told = _text(detail, "stack-id"), detail.get("status-details")
    if not isinstance(told, Mapping):
        raise InvalidInputError("detail.status-details", told, "send CloudFormation's event as EventBridge delivers it")
    if told.get("status") not in DEPLOYED:
        return
    for name, suite in policy.suites.items():
        if suite.triggers.prompt_changes:
            yield _start(name, _words_of(suite, policy), Trigger(kind="prompt_changed", source=stack), {})


def _words_of(suite: Suite, policy: EvaluationPolicy) -> str:
    """Return all that the policy adds to what the cases ask, as text that is the same for the same words."""
    models = {name: policy.models[name].system for name in suite.model_variants}
    sources = {name: policy.datasets[name] for name in suite.datasets}
    around = {name: [source.template, source.shots, source.examples] for name, source in sources.items()}
    return json.dumps([models, around], sort_keys=True)


def _requested(detail: Mapping[str, Any], policy: EvaluationPolicy, event_id: str) -> Start:
    suite = _text(detail, "suite")
    if suite not in policy.suites:
        raise InvalidInputError("detail.suite", suite, f"name one of {', '.join(sorted(policy.suites)) or 'none yet'}")
    source = str(detail.get("source", ""))
    identity = str(detail.get("requestId") or event_id)
    models = detail.get("models") or ()
    if not isinstance(models, list | tuple):
        raise InvalidInputError("detail.models", models, "give a list of names of variants")
    model_id = detail.get("modelId")
    if model_id is not None and (not isinstance(model_id, str) or not model_id):
        raise InvalidInputError("detail.modelId", model_id, "give what Converse takes for the model, or leave it out")
    variants = {policy.models[name].model_id for name in policy.suites[suite].model_variants}
    # One that the suite asks anyway needs no second name.
    is_new = model_id is not None and model_id not in variants
    candidates = {"candidate": _variant(str(model_id), policy.suites[suite], policy)} if is_new else {}
    start = _start(suite, identity, Trigger(kind="gate", source=source), candidates)
    return start._replace(models=tuple(map(str, models)))


def _lies_in(uri: str, place: str) -> bool:
    return uri.startswith(place) if place.endswith("/") else uri == place


def _variant(model_id: str, suite: Suite, policy: EvaluationPolicy) -> ModelVariant:
    """Return the champion, or the first variant, with another model behind it: everything else stays the same."""
    like = policy.models[suite.champion or suite.model_variants[0]]
    return like.model_copy(update={"model_id": model_id})


def _start(suite: str, identity: str, trigger: Trigger, candidates: Mapping[str, ModelVariant]) -> Start:
    digest = sha256(f"{trigger.kind}\n{identity}".encode()).hexdigest()[:16]
    return Start(f"{suite}-{digest}", suite, trigger, (), candidates)


def _text(detail: Mapping[str, Any], field: str) -> str:
    value = detail.get(field)
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"detail.{field}", value, "the event must name it")
    return value
