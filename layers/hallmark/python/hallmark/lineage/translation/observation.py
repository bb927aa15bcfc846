"""One observation of one resource: which resource, what must still be asked, and the draft of its fact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.events.calls import read_call
from hallmark.events.envelope import Event
from hallmark.events.resources import MODELS, Resource, read_resource
from hallmark.events.spelling import api_spelling
from hallmark.events.subscriptions import API_CALL, RECORD, REPORT
from hallmark.lineage.model import FINAL_STATUSES, RUN_KINDS, NodeKind, NodeState
from hallmark.lineage.references import REUSABLE_KINDS, parse_arn, resource_ref
from hallmark.lineage.translation import bedrock, calls, evaluations, jobs, pipelines, records, registry
from hallmark.lineage.translation.draft import FactDraft
from hallmark.lineage.translation.sections import describe_common, describe_rest


class _Rule(NamedTuple):
    """How one kind of resource is read. Field names are those of ``hallmark.events.resources``."""

    kind: NodeKind
    translate: Callable[[FactDraft, Any, str], None]
    arn: tuple[str, ...]
    name: tuple[str, ...]
    status: tuple[str, ...]
    created: tuple[str, ...] = ("creation_time",)
    changed: tuple[str, ...] = ("last_modified_time",)
    dated_by_event: bool = False
    """Whether the envelope's time dates a state that tells no time of its own. Otherwise the creation does: for what
    never changes, so that several events of one creation make one state."""
    described: str = "final"
    """When Describe adds something to the event.

    ``never``: the event says it all (feature groups) or there is nothing to ask (steps). ``final``: jobs, executions,
    whose events carry the request from the start; metrics, billing, artifacts and parents exist once they have ended.
    ``always``: the event says only that something happened (labelling, batch inference), leaves out what edges are made
    of (models, configs, cards: AWS publishes no full payload), or does not tell a deletion from a creation.
    """
    gone_is_deleted: bool = False
    """Whether a resource that can no longer be described has been deleted (a job has merely been cleaned up)."""
    tags_in_event: bool = True
    described_by_arn: bool = False
    """Whether Describe takes the ARN; otherwise the name, whose case the ARN does not keep."""


_RULES: Mapping[str, _Rule] = {
    "training-job": _Rule(
        NodeKind.TRAINING_JOB,
        jobs.training,
        ("training_job_arn",),
        ("training_job_name",),
        ("training_job_status",),
        changed=("last_modified_time", "training_end_time"),
    ),
    "processing-job": _Rule(
        NodeKind.PROCESSING_JOB,
        jobs.processing,
        ("processing_job_arn",),
        ("processing_job_name",),
        ("processing_job_status",),
        changed=("last_modified_time", "processing_end_time"),
    ),
    "hyper-parameter-tuning-job": _Rule(
        NodeKind.TUNING_JOB,
        jobs.tuning,
        ("hyper_parameter_tuning_job_arn",),
        ("hyper_parameter_tuning_job_name",),
        ("hyper_parameter_tuning_job_status",),
    ),
    "transform-job": _Rule(
        NodeKind.TRANSFORM_JOB,
        jobs.transform,
        ("transform_job_arn",),
        ("transform_job_name",),
        ("transform_job_status",),
        changed=("last_modified_time", "transform_end_time"),
        dated_by_event=True,
    ),
    "job": _Rule(NodeKind.JOB, jobs.generic, ("job_arn",), ("job_name",), ("job_status",), described_by_arn=True),
    "labeling-job": _Rule(
        NodeKind.LABELING_JOB,
        jobs.labeling,
        ("labeling_job_arn",),
        ("labeling_job_name",),
        ("labeling_job_status",),
        dated_by_event=True,
        described="always",
    ),
    "model": _Rule(
        NodeKind.MODEL,
        registry.model,
        ("model_arn",),
        ("model_name",),
        ("model_status",),
        described="always",
        gone_is_deleted=True,
    ),
    "model-package": _Rule(
        NodeKind.MODEL_PACKAGE,
        registry.model_package,
        ("model_package_arn",),
        ("model_package_name",),
        ("model_package_status",),
        described="always",
        described_by_arn=True,
        gone_is_deleted=True,
    ),
    "model-package-group": _Rule(
        NodeKind.MODEL_PACKAGE_GROUP,
        registry.model_package_group,
        ("model_package_group_arn",),
        ("model_package_group_name",),
        ("model_package_group_status",),
        described="always",
    ),
    "model-card": _Rule(
        NodeKind.MODEL_CARD,
        registry.model_card,
        ("model_card_arn",),
        ("model_card_name",),
        ("model_card_status",),
        described="always",
        gone_is_deleted=True,
    ),
    "endpoint-config": _Rule(
        NodeKind.ENDPOINT_CONFIG,
        registry.endpoint_config,
        ("endpoint_config_arn",),
        ("endpoint_config_name",),
        ("endpoint_config_status",),
        described="always",
        gone_is_deleted=True,
    ),
    "endpoint": _Rule(
        NodeKind.ENDPOINT,
        registry.endpoint,
        ("endpoint_arn",),
        ("endpoint_name",),
        ("endpoint_status",),
        described="always",
        gone_is_deleted=True,
    ),
    "feature-group": _Rule(
        NodeKind.FEATURE_GROUP,
        registry.feature_group,
        ("feature_group_arn",),
        ("feature_group_name",),
        ("feature_group_status",),
        dated_by_event=True,
        described="never",
    ),
    "pipeline-execution": _Rule(
        NodeKind.PIPELINE_EXECUTION,
        pipelines.execution,
        ("pipeline_execution_arn",),
        (),
        ("current_pipeline_execution_status",),
        described_by_arn=True,
        created=("execution_start_time",),
        changed=("execution_end_time", "last_modified_time"),
        dated_by_event=True,
    ),
    "pipeline-step": _Rule(
        NodeKind.PIPELINE_EXECUTION,
        pipelines.step,
        ("pipeline_execution_arn",),
        (),
        (),
        created=("step_start_time",),
        changed=("step_end_time", "step_start_time"),
        described="never",
    ),
    "model-customization-job": _Rule(
        NodeKind.CUSTOMIZATION_JOB,
        bedrock.customization,
        ("job_arn",),
        ("job_name",),
        ("job_status", "status"),
        described_by_arn=True,
        changed=("last_modified_time", "end_time"),
        dated_by_event=True,
        tags_in_event=False,
    ),
    "model-invocation-job": _Rule(
        NodeKind.BATCH_INFERENCE_JOB,
        bedrock.batch_inference,
        ("job_arn", "batch_job_arn"),
        ("job_name", "batch_job_name"),
        ("status",),
        described_by_arn=True,
        created=("submit_time", "creation_time"),
        changed=("last_modified_time", "end_time"),
        dated_by_event=True,
        described="always",
        tags_in_event=False,
    ),
    "evaluation": _Rule(
        NodeKind.EVALUATION,
        evaluations.evaluation,
        ("execution",),
        ("run",),
        ("status",),
        created=("started_at",),
        changed=("completed_at",),
        described="never",
    ),
}

_TOLD_WHOLE = frozenset({RECORD, REPORT})
"""Words of events that say all there is to say."""
_SAYS_ALL = frozenset({*_TOLD_WHOLE, API_CALL})
"""Words of events that are no resource's: nothing is asked besides."""
_NEVER_TAGGED = frozenset({"pipeline-step", "labeling-job", "evaluation", *_SAYS_ALL})

_ROUNDING = timedelta(seconds=1)
"""Events and answers may cut or round fractions of a second."""
_LATE = timedelta(seconds=10)
"""An event that is later than this after the last change that it tells of, tells of another one."""


_SECOND = timedelta(seconds=1)


class Subject(NamedTuple):
    """Which resource an event tells of."""

    resource: str
    kind: NodeKind
    arn: str
    status: str | None
    identifier: str
    """What Describe takes: the name where the ARN has the same one, else the ARN."""


def subject_of(event: Event) -> Subject:
    """Tell which resource an event is about: by its ARN, since AWS's own samples disagree on names.

    Raises:
        InvalidInputError: There is no ARN anywhere.
    """
    if event.resource in _TOLD_WHOLE:
        section = records.read_section(event.detail)
        node = section.node
        return Subject(event.resource, records.kind_of_node(node), node.id, section.status, node.id)
    if event.resource == API_CALL:
        action = calls.action_id(read_call(event.detail))
        return Subject(API_CALL, NodeKind.ACTION, action, None, action)
    found = read_resource(event.resource, event.detail)
    rule = _RULES[event.resource]
    wanted = "/execution/" if rule.kind is NodeKind.PIPELINE_EXECUTION else ""
    listed = [arn for arn in event.resources if wanted in arn]
    arn = _first(found, rule.arn) or (listed[0] if listed else None)
    if not arn or parse_arn(arn) is None:
        field = f"detail.{_pascal(rule.arn[0])}"
        raise InvalidInputError(field, arn, "send the ARN of the resource, there or in resources")
    name = _first(found, rule.name)
    by_name = name is not None and not rule.described_by_arn and name.lower() == arn.rpartition("/")[2].lower()
    return Subject(
        resource=event.resource,
        kind=rule.kind,
        arn=arn,
        status=_first(found, rule.status),
        identifier=name if name is not None and by_name else arn,
    )


def needs_description(subject: Subject) -> bool:
    """Tell whether Describe would add anything to what the event says already."""
    if subject.resource in _SAYS_ALL:
        return False
    rule = _RULES[subject.resource]
    if rule.described == "final":
        return subject.status in FINAL_STATUSES
    return rule.described == "always" and subject.status != "Deleted"


def is_of(event: Event, description: Mapping[str, Any]) -> bool:
    """Tell whether a description is of the resource that the event is about, not of a later one with the same name."""
    rule = _RULES[event.resource]
    if rule.kind not in REUSABLE_KINDS:
        return True
    told = _created(rule, event.resource, event.detail)
    found = _created(rule, event.resource, _in_event_spelling(event.resource, description))
    return told is None or found is None or abs(found - told) <= _ROUNDING


def needs_tags(event: Event, subject: Subject) -> bool:
    """Tell whether the resource's tags must be asked for: some events carry none, and none means not "no tags"."""
    if subject.resource in _NEVER_TAGGED or subject.status in {"Deleted", "Deleting"}:
        return False
    rule = _RULES[subject.resource]
    carried = rule.tags_in_event and any(name in event.detail for name in ("Tags", "tags"))
    return not carried and (subject.status in FINAL_STATUSES or subject.kind not in _RUNS_WITH_LATE_TAGS)


_RUNS_WITH_LATE_TAGS = frozenset(
    {NodeKind.PROCESSING_JOB, NodeKind.PIPELINE_EXECUTION, NodeKind.JOB, NodeKind.CUSTOMIZATION_JOB}
)
"""Runs whose tags are asked for once, when they have ended."""


def draft_fact(
    resource: str,
    arn: str,
    *,
    detail: Mapping[str, Any] | None = None,
    description: Mapping[str, Any] | None = None,
    asked: bool = False,
    tags: Mapping[str, str] | None = None,
    event_time: datetime | None = None,
) -> FactDraft:
    """Draft the fact that an event, a description, or both make.

    Args:
        resource: The word for the kind of resource (``training-job``, ``pipeline-step`` …).
        arn: ARN of the resource.
        detail: The event's detail; None where no event told.
        description: What Describe answered; None where it was not asked, or the resource does not exist any more.
        asked: Whether Describe was asked.
        tags: The resource's tags, where they were asked for.
        event_time: The envelope's time, for resources that say no time of their own.

    Raises:
        InvalidInputError: Nothing says when it was.
    """
    if resource == RECORD:
        return records.draft_record(detail or {})
    if resource == REPORT:
        return records.draft_report(detail or {})
    if resource == API_CALL:
        return calls.draft_call(detail or {})
    rule = _RULES[resource]
    told = _draft(rule, resource, arn, _tagged(resource, detail, tags), event_time) if detail is not None else None
    if description is None:
        if told is None:
            raise InvalidInputError(resource, arn, "there is neither an event nor a description of it")
        if asked:
            told.note(event_only=True)
            if rule.gone_is_deleted and _tells_of_deletion(told, event_time):
                return _deleted(told, event_time)
        return told
    answer = _in_event_spelling(resource, description)
    described = _draft(rule, resource, arn, _tagged(resource, {**(detail or {}), **answer}, tags), event_time)
    if told is not None and told.ended and not described.ended and rule.kind in RUN_KINDS:
        # Describe lags behind the event: what has ended does not run again.
        described = _draft(rule, resource, arn, _tagged(resource, {**answer, **(detail or {})}, tags), event_time)
    if told is not None:
        _keep_earlier(told, described)
    return described


def _draft(rule: _Rule, resource: str, arn: str, values: Mapping[str, Any], event_time: datetime | None) -> FactDraft:
    found = read_resource(resource, values)
    status = _first(found, rule.status)
    created = _time(found, rule.created)
    changed = _time(found, rule.changed)
    at = changed or (event_time if rule.dated_by_event or created is None else created) or created
    if status == "Deleted":
        at = max((time for time in (event_time, at) if time is not None), default=None)
    if at is None:
        raise InvalidInputError("time", None, "send the time of the change, in the detail or in the envelope")
    draft = FactDraft(
        subject=resource_ref(arn, rule.kind, created),
        at=at,
        status=status,
        since=created,
    )
    describe_common(draft, found, _first(found, rule.name), arn)
    rule.translate(draft, found, arn)
    describe_rest(draft, found)
    return draft


def _time(found: Resource, names: tuple[str, ...]) -> datetime | None:
    times = (getattr(found, name, None) for name in names)
    return next((time for time in times if isinstance(time, datetime)), None)


def _created(rule: _Rule, resource: str, values: Mapping[str, Any]) -> datetime | None:
    fields = MODELS[resource].model_fields
    names = {str(name) for field in rule.created for name in (field, fields[field].alias)}
    return _time(read_resource(resource, {name: values[name] for name in names & values.keys()}), rule.created)


def _keep_earlier(told: FactDraft, described: FactDraft) -> None:
    """Keep the state that the event told of, where Describe found the resource in a later one already."""
    watched = ("approval_status", "stage", "stage_status", "config", "pending_config")
    same = (told.status, *(told.attributes.get(name) for name in watched)) == (
        described.status,
        *(described.attributes.get(name) for name in watched),
    )
    # Some events write their times in whole seconds: within one, the event and Describe tell of the same moment.
    if same and (told.at >= described.at or described.at - told.at < _SECOND):
        return
    if not same or told.at != described.at:
        node = described.subject if told.subject.born is None else told.subject
        described.earlier.append(NodeState(node=node, at=told.at, status=told.status, attributes=dict(told.attributes)))
        known = {edge.canonical for edge in described.edges}
        described.edges += [edge for edge in told.edges if edge.canonical not in known]


def _tells_of_deletion(told: FactDraft, event_time: datetime | None) -> bool:
    """Tell whether the event about a resource that is gone was that of its deletion.

    It says so, as an endpoint's does. Or it cannot say so (a model has no status, a package and a card have those of
    their making), and is later than anything that it tells of: AWS's fixture of an endpoint config's event is from 56
    minutes after the creation that it tells of. Any other event has only been delivered late: the resource was alive at
    its time, and when it was deleted is for another event, or a sweep, to say.
    """
    if told.status in {"Deleting", "Deleted"} or told.subject.kind is NodeKind.ENDPOINT:
        return told.status == "Deleting"
    return event_time is not None and event_time - told.at > _LATE


def _deleted(told: FactDraft, event_time: datetime | None) -> FactDraft:
    """Return a draft that says the resource is gone, and keeps what the event told of it."""
    at = max(time for time in (event_time, told.at) if time is not None)
    earlier = NodeState(node=told.subject, at=told.at, status=told.status, attributes=dict(told.attributes))
    gone = FactDraft(
        subject=told.subject,
        at=at,
        status="Deleted",
        since=told.since,
        edges=told.edges,
        data=told.data,
        images=told.images,
    )
    gone.note(arn=told.attributes.get("arn"), name=told.attributes.get("name"), event_only=True)
    if told.at != at or told.status is not None:
        gone.earlier.append(earlier)
    return gone


def _tagged(resource: str, values: Mapping[str, Any] | None, tags: Mapping[str, str] | None) -> Mapping[str, Any]:
    if not tags:
        return values or {}
    return {**(values or {}), str(MODELS[resource].model_fields["tags"].alias): dict(tags)}


_EXECUTION_NAMES = {
    "PipelineExecutionStatus": "currentPipelineExecutionStatus",
    "CreationTime": "executionStartTime",
}


def _in_event_spelling(resource: str, description: Mapping[str, Any]) -> dict[str, Any]:
    """Give Describe's names the spelling that the event of the same resource has."""
    answer = {name: value for name, value in description.items() if name != "ResponseMetadata"}
    if resource == "model-customization-job" and "status" in answer:
        answer["jobStatus"] = answer.pop("status")
    if resource != "pipeline-execution":
        return answer
    renamed = {_EXECUTION_NAMES.get(name, name[:1].lower() + name[1:]): value for name, value in answer.items()}
    if api_spelling(str(answer.get("PipelineExecutionStatus") or "")) in FINAL_STATUSES:
        renamed["executionEndTime"] = answer.get("LastModifiedTime")
    return renamed


def _first(found: Resource, names: tuple[str, ...]) -> str | None:
    for name in names:
        value = getattr(found, name, None)
        if value:
            return str(value)
    return None


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
