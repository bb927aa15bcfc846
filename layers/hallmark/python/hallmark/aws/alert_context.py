"""What lineage knows of an alert's subject: what depends on it, what changed upstream, whose it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hallmark.alerts.conditions import Context
from hallmark.alerts.notifications import NamedNode, UpstreamChange
from hallmark.aws.failures import calling
from hallmark.errors import UnavailableError
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import (
    Answer,
    Direction,
    NodeSummary,
    Question,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TracedNode,
    TraceQuestion,
    read_answer,
)
from hallmark.lineage.surveyed import DiffAnswer, DiffQuestion, ImpactAnswer, ImpactQuestion

RECENTLY = timedelta(days=7)
"""How far back a change upstream may be the cause where nobody saw the subject be good."""
WINDOW = timedelta(days=1)
"""Whoever looked last may have looked at what a whole day brought: what is new in it may be the cause, too."""
_LOOKED_BACK = 5
_AFFECTED = (NodeKind.ENDPOINT, NodeKind.MODEL_PACKAGE, NodeKind.MODEL, NodeKind.CUSTOM_MODEL)
_SHOWN = 5
_TRACED = 300
_OWNER_TAGS = ("owner", "owners", "team")
_PACKAGE_VERSION = re.compile(r"(?P<group>arn:aws[a-z-]*:sagemaker:.*:model-package/[^/]+)/(?P<version>\d+)")


class AskedLineage:
    """Lineage, by its query function."""

    def __init__(self, function: str, client: Any) -> None:
        self._function = function
        self._client = client

    def context_of(self, subject: str, since: datetime, good_at: datetime | None = None) -> Context:
        """Return what depends on a subject, what changed upstream since it was last good, and who made it."""
        shown = self._ask(ShowQuestion(node=subject))
        if not isinstance(shown, ShowAnswer):
            return Context()
        impact = self._ask(ImpactQuestion(node=shown.node.key, node_budget=_TRACED))
        affected = _affected(impact) if isinstance(impact, ImpactAnswer) else ()
        count = (
            sum(each.count for each in impact.affected if each.kind in _AFFECTED)
            if isinstance(impact, ImpactAnswer)
            else 0
        )
        trace = self._ask(TraceQuestion(node=shown.node.key, direction=Direction.UP, node_budget=_TRACED))
        traced = trace if isinstance(trace, TraceAnswer) else None
        return Context(
            affected=affected,
            affected_count=count,
            changes=(*self._versions_apart(subject), *self._changes_upstream(shown.node.key, traced, since, good_at))[
                :_SHOWN
            ],
            owners=_owners(shown, traced),
        )

    def _changes_upstream(
        self, key: str, now: TraceAnswer | None, since: datetime, good_at: datetime | None
    ) -> tuple[UpstreamChange, ...]:
        """Return what came in upstream, and what went out, since a node was last good: the newest first."""
        if now is None:
            return ()
        start = min(good_at, since - WINDOW) if good_at else since - RECENTLY
        then, at_last = self._upstream_at(key, start), None
        if then is not None:
            at_last = self._upstream_at(key, since)
        if then is None or at_last is None:
            return _made(now, start, since)
        return _compared(then, at_last)

    def _upstream_at(self, key: str, at: datetime) -> TraceAnswer | None:
        """Return what was upstream at a time; None where it was not there yet, or is too much to be compared."""
        trace = self._ask(TraceQuestion(node=key, direction=Direction.UP, node_budget=_TRACED, as_of=at))
        if not isinstance(trace, TraceAnswer) or not trace.complete or len(trace.nodes) <= 1:
            return None
        return trace

    def _versions_apart(self, subject: str) -> tuple[UpstreamChange, ...]:
        """Return what differs from the last good version before, for a version of a model package."""
        found = _PACKAGE_VERSION.fullmatch(subject)
        if found is None or int(found["version"]) <= 1:
            return ()
        before = self._last_good(found["group"], int(found["version"]))
        answer = self._ask(DiffQuestion(left=f"{found['group']}/{before}", right=subject))
        if not isinstance(answer, DiffAnswer):
            return ()
        told = [each for each in answer.differences if each.section != "metrics"]
        return tuple(
            UpstreamChange(
                what=f"since version {before}: "
                f"{each.section} {each.field}: {_short(each.left)} became {_short(each.right)}"
            )
            for each in told[:_SHOWN]
        )

    def _last_good(self, group: str, version: int) -> int:
        """Return the last version that was approved or passed a gate; where none was lately, the one before."""
        for earlier in range(version - 1, max(0, version - 1 - _LOOKED_BACK), -1):
            shown = self._ask(ShowQuestion(node=f"{group}/{earlier}"))
            if isinstance(shown, ShowAnswer) and _is_good(shown):
                return earlier
        return version - 1

    def _ask(self, question: Question) -> Answer:
        with calling("asking lineage"):
            answer = self._client.invoke(FunctionName=self._function, Payload=question.model_dump_json().encode())
        document = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise UnavailableError(f"asking lineage: {document.get('errorMessage', document)}")
        return read_answer(document)


def _affected(answer: ImpactAnswer) -> tuple[NamedNode, ...]:
    found = [node for kind in _AFFECTED for each in answer.affected if each.kind is kind for node in each.nodes]
    return tuple(
        NamedNode(node=node.key, kind=node.kind.value, label=node.label) for node in found if not node.deleted
    )[:_SHOWN]


def _is_good(shown: ShowAnswer) -> bool:
    passed = any(node.kind is NodeKind.VERDICT and node.status == "Passed" for node in shown.neighbours)
    return passed or shown.attributes.get("approval_status") == "Approved"


def _made(trace: TraceAnswer, start: datetime, since: datetime) -> tuple[UpstreamChange, ...]:
    """Return the nodes upstream that were made in a time."""
    news = [(node.at, node) for node in _upstream(trace) if node.at is not None and start <= node.at <= since]
    return tuple(
        UpstreamChange(what=_words(node), node=node.key, at=at)
        for at, node in sorted(news, key=lambda each: each[0], reverse=True)[:_SHOWN]
    )


def _compared(then: TraceAnswer, now: TraceAnswer) -> tuple[UpstreamChange, ...]:
    """Return the nodes that are upstream and were not, and those that were and are no more."""
    before, after = ({node.key for node in trace.nodes} for trace in (then, now))
    news = [
        (min(edge.valid_from for edge in now.edges if edge.source == node.key), node)
        for node in _upstream(now)
        if node.key not in before
    ]
    came = [
        UpstreamChange(what=f"new: {_words(node)}", node=node.key, at=at)
        for at, node in sorted(news, key=lambda each: each[0], reverse=True)
    ]
    left = [
        UpstreamChange(what=f"no more: {_words(node)}", node=node.key)
        for node in _upstream(then)
        if came and node.key not in after
    ]
    return (*came[: _SHOWN - min(len(left), 2)], *left)[:_SHOWN]


def _upstream(trace: TraceAnswer) -> list[TracedNode]:
    return [node for node in trace.nodes if node.depth and node.kind is not NodeKind.USER]


def _words(node: NodeSummary) -> str:
    return f"{node.kind.value.replace('-', ' ')} {node.label}"


def _owners(shown: ShowAnswer, trace: TraceAnswer | None) -> tuple[str, ...]:
    tags = shown.attributes.get("tags")
    named = [str(tags[tag]) for tag in _OWNER_TAGS if tag in tags] if isinstance(tags, Mapping) else []
    near = [node.label.rpartition("/")[2] for node in (trace.nodes if trace else ()) if node.kind is NodeKind.USER]
    return tuple(dict.fromkeys((*named, *near)))[:_SHOWN]


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"


_VALUE = 60
