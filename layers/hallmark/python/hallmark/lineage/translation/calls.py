"""Calls of AWS's APIs: who did what to which resource, when, from where, why, and whether it was done.

One call is one action, ``hallmark:action/cloudtrail-<event id>``, with the edges caller -> action -> resource. A call
that failed is an attempt; it is never told as done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hallmark.events.calls import CALLS, COMMIT_MESSAGE_TAG, REASON_TAG, ApiCall, CallTarget, read_call
from hallmark.events.records import own_id
from hallmark.lineage.model import (
    ATTEMPTED_ROLE,
    CALLED_ROLE,
    DONE_ROLE,
    EdgeType,
    Fact,
    NodeKind,
    NodeRef,
    NodeState,
)
from hallmark.lineage.references import dataset_ref, kind_of, parse_arn, resource_ref
from hallmark.lineage.translation.draft import FactDraft
from hallmark.lineage.translation.reading import MAXIMUM_TEXT
from hallmark.people import HUMAN_ACTORS, Caller, caller_of

DONE, ATTEMPTED = "Done", "Attempted"
"""Statuses of a call's action."""

_REASON_LENGTH = 1024
"""Of an approval's description (SageMaker API reference); a tag's value has 256."""

# What of a request says what was done, beside the call's name: by CloudTrail's member, under the graph's own name.
_TOLD: Mapping[str, str] = {
    "modelApprovalStatus": "approval_status",
    "endpointConfigName": "config",
    "modelCardStatus": "card_status",
}
_TOLD_STAGE: Mapping[str, str] = {"stage": "stage", "stageStatus": "stage_status"}


class Reason(NamedTuple):
    """Why a call was made, and where that was said."""

    text: str = ""
    said_in: str = ""
    """``tag``, ``approval description``, ``stage description`` or ``commit message``."""


class HumanCall(NamedTuple):
    """A call that a person made, or may have made, and why."""

    name: str
    reason: str


def human_call(fact: Fact) -> HumanCall | None:
    """Return what a fact tells of a person's call; None where it tells of something else."""
    told = fact.states[0].attributes
    if fact.subject.kind is not NodeKind.ACTION or told.get("actor") not in HUMAN_ACTORS:
        return None
    return HumanCall(str(told.get("action", "")), str(told.get("reason", "")))


def action_id(call: ApiCall) -> str:
    """Return the id of a call's action."""
    return own_id(NodeKind.ACTION.value, f"cloudtrail-{call.id}")


def draft_call(detail: Mapping[str, Any]) -> FactDraft:
    """Draft the fact that one call makes.

    Raises:
        InvalidInputError: It is no event of CloudTrail's, or of a call that is not recorded.
    """
    call = read_call(detail)
    caller = caller_of(call.identity, call.user_agent, call.source_ip)
    where = target_of(call)
    reason = reason_of(call)
    draft = FactDraft(
        subject=NodeRef(kind=NodeKind.ACTION, id=action_id(call)),
        at=call.at,
        status=ATTEMPTED if call.error else DONE,
        since=call.at,
    )
    draft.note(
        name=call.name,
        action=call.name,
        service=call.service.partition(".")[0],
        target=where.id if where is not None else _named(call),
        **_about(caller),
        source_ip=call.source_ip[:MAXIMUM_TEXT],
        user_agent=call.user_agent[:MAXIMUM_TEXT],
        region=call.region,
        console=call.from_console or None,
        request_id=call.request_id,
        error=call.error,
        error_message=call.error_message[:MAXIMUM_TEXT],
        reason=reason.text,
        reason_from=reason.said_in,
        fields=sorted(call.request),
        **_told(call.request),
    )
    if caller.id:
        person = resource_ref(caller.id, NodeKind.USER)
        draft.others.append(NodeState(node=person, attributes=_of_person(caller)))
        draft.flows_in(person, EdgeType.ASSOCIATED_WITH, CALLED_ROLE)
    created_in_vain = bool(call.error) and CALLS[call.service][call.name].creates
    if where is not None and not created_in_vain:
        draft.flows_out(where, EdgeType.ASSOCIATED_WITH, ATTEMPTED_ROLE if call.error else DONE_ROLE)
    return draft


def target_of(call: ApiCall) -> NodeRef | None:
    """Return the resource that a call acts on; None where the graph has no such kind, or nothing names it."""
    target = CALLS[call.service][call.name]
    if target.word == NodeKind.DATASET:
        bucket = _text(call.request, target.request)
        return dataset_ref(f"s3://{bucket}") if bucket else None
    arn = _text(call.answer, target.response) or _arn_of(call, target)
    kind = kind_of(arn) if arn else None
    return resource_ref(arn, kind) if kind is not None else None


def reason_of(call: ApiCall) -> Reason:
    """Return why a call was made: what its tag says, else the approval's description, the stage's, the commit's."""
    tags = [call.request.get(member) for member in ("tags", "jobTags", "modelTags")]
    text = next((said for each in tags if (said := _tag(each, REASON_TAG))), "")
    if text:
        return Reason(text, "tag")
    for section, member, place in (
        (call.request, "approvalDescription", "approval description"),
        (_section(call.request, "modelLifeCycle"), "stageDescription", "stage description"),
    ):
        text = _text(section, member)
        if text:
            return Reason(text[:_REASON_LENGTH], place)
    text = next((said for each in tags if (said := _tag(each, COMMIT_MESSAGE_TAG))), "")
    return Reason(text, "commit message") if text else Reason()


def _arn_of(call: ApiCall, target: CallTarget) -> str:
    """Return the ARN of what a request names; empty where a name alone does not tell it."""
    named = _text(call.request, target.request)
    if not named or parse_arn(named) is not None:
        return named
    if call.service != "sagemaker.amazonaws.com" or not target.word or not call.account or not call.region:
        return ""
    category = _text(call.request, "jobCategory")
    if target.word == NodeKind.JOB and category:
        named = f"{category}/{named}"
    return f"arn:{call.partition}:sagemaker:{call.region}:{call.account}:{target.word}/{named}"


def _named(call: ApiCall) -> str:
    target = CALLS[call.service][call.name]
    return _text(call.request, target.request)


def _about(caller: Caller) -> dict[str, Any]:
    return {
        "actor": caller.actor.value,
        "by": caller.id,
        "by_name": caller.name,
        "principal": caller.principal,
        "role_arn": caller.role,
        "session": caller.session,
        "via": caller.via,
        "source_identity": caller.claimed,
        "multi_factor": caller.multi_factor or None,
    }


def _of_person(caller: Caller) -> dict[str, Any]:
    return {"actor": caller.actor.value, **({"name": caller.name} if caller.name else {})}


def _told(request: Mapping[str, Any]) -> dict[str, Any]:
    stage = _section(request, "modelLifeCycle")
    found = {ours: _text(request, theirs) for theirs, ours in _TOLD.items()}
    return found | {ours: _text(stage, theirs) for theirs, ours in _TOLD_STAGE.items()}


def _tag(tags: object, key: str) -> str:
    """Return the value of a tag; CloudTrail writes tags as a list, and of some calls as an object."""
    if isinstance(tags, Mapping):
        return _text(tags, key)
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, Mapping) and _text(tag, "key") == key:
            return _text(tag, "value")[:_REASON_LENGTH]
    return ""


def _text(section: Mapping[str, Any], name: str) -> str:
    value = section.get(name) if name else None
    return value.strip()[:MAXIMUM_TEXT] if isinstance(value, str) else ""


def _section(section: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = section.get(name)
    return value if isinstance(value, Mapping) else {}
