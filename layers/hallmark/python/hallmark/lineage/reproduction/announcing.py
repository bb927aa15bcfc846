"""From the end of a run that was started to reproduce another one to the event that says what it came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hallmark.errors import InvalidInputError
from hallmark.events.records import LineageFlow, LineageNode, LineageSection, own_id
from hallmark.events.reproductions import ReproductionJudged
from hallmark.lineage.folding import FoldedNode, fold, is_of_this_life
from hallmark.lineage.model import FINAL_STATUSES, NodeKind
from hallmark.lineage.ports import NodeReader
from hallmark.lineage.references import kind_of
from hallmark.lineage.reproduction.judging import Judgement, Manifests, Outcome, Tolerance, judge, tolerance_of
from hallmark.lineage.reproduction.requests import OPERATIONS
from hallmark.lineage.reproduction.writing import REPRODUCES_TAG, TOLERANCE_TAG

_SAID_LENGTH = 300


def reproduction_id(run: str) -> str:
    """Return the id of what a second run came to, by the run's key."""
    return own_id(NodeKind.REPRODUCTION.value, run.rpartition(":")[2])


def judge_recorded(detail: Mapping[str, Any], reader: NodeReader) -> ReproductionJudged | None:
    """Judge the run of a ``LineageRecorded`` event; None where it reproduces nothing, or has not ended.

    All of it follows from lineage: a repeat of the event says the same.

    Raises:
        InvalidInputError: The event names no node.
    """
    key = detail.get("node")
    if not isinstance(key, str) or not key:
        raise InvalidInputError("detail.node", key, "send LineageRecorded as Hallmark publishes it")
    if kind_of(key) not in OPERATIONS:
        return None
    second = _read(key, reader)
    original = (second.attributes.get("tags") or {}).get(REPRODUCES_TAG) if second is not None else None
    if second is None or second.at is None or original is None or second.status not in FINAL_STATUSES:
        return None
    first = _read(str(original), reader)
    return _tell(key, str(original), second.at, _judge(first, second, reader, key, str(original)))


def _judge(first: FoldedNode | None, second: FoldedNode, reader: NodeReader, key: str, original: str) -> Judgement:
    asked = (second.attributes.get("tags") or {}).get(TOLERANCE_TAG)
    if first is None or kind_of(original) is not kind_of(key):
        why = f"lineage knows no {original}" if first is None else f"{original} is a job of another kind"
        return _nothing(why, tolerance_of({}, None))
    try:
        return judge(first, second, _manifests(first, second, reader), asked)
    except InvalidInputError as error:
        return _nothing(str(error), tolerance_of(first.attributes, None))


def _nothing(why: str, tolerance: Tolerance) -> Judgement:
    return Judgement(Outcome.INCONCLUSIVE, f"there is nothing to compare: {why}", tolerance, (), (), (), ())


def _read(key: str, reader: NodeReader) -> FoldedNode | None:
    identifier, mark, text = key.partition("@")
    born = None
    if mark:
        try:
            born = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None
    lived = [recorded for recorded in reader.states(identifier) if is_of_this_life(recorded.state, born)]
    return fold(lived) if lived else None


def _manifests(first: FoldedNode, second: FoldedNode, reader: NodeReader) -> Manifests:
    """Read the contents of data that differ, where they are kept with their node."""
    versions: dict[str, None] = {}
    for name in ("inputs", "outputs"):
        others = {use["role"]: use for use in second.attributes.get(name) or ()}
        for use in first.attributes.get(name) or ():
            other = others.get(use["role"], {})
            if use.get("digest") != other.get("digest"):
                versions.update({str(each["version"]): None for each in (use, other) if each.get("version")})
    found = {}
    for version in versions:
        rows = fold(reader.states(version)).attributes.get("manifest")
        if rows:
            found[version] = {str(row[0]): (str(row[2]), int(row[3])) for row in rows}
    return found


def _tell(key: str, original: str, ended: datetime, found: Judgement) -> ReproductionJudged:
    node = reproduction_id(key)
    name = f"{original.partition('@')[0].rpartition('/')[2]}: {found.outcome.value}"
    return ReproductionJudged(
        reproduction=node,
        original=original,
        run=key,
        outcome=found.outcome.value,
        summary=found.summary,
        tolerance=found.tolerance.relative,
        tolerance_rule=found.tolerance.rule,
        lineage=LineageSection(
            node=LineageNode(kind=NodeKind.REPRODUCTION.value, id=node),
            at=ended,
            status=found.outcome.value,
            attributes={
                "name": name,
                "original": original,
                "run": key,
                "summary": found.summary,
                "tolerance": found.tolerance.relative,
                "tolerance_rule": found.tolerance.rule,
                "metrics": {
                    each.name: {"first": each.first, "second": each.second, "is_near": each.is_near}
                    for each in found.metrics
                },
                "read": {each.role: _said(each.is_same, each.text) for each in found.inputs},
                "wrote": {each.role: _said(each.is_same, each.text) for each in found.outputs},
                "conditions": list(found.conditions),
            },
            flows=list(_flows(original, key)),
        ),
    )


def _said(is_same: bool | None, text: str) -> dict[str, Any]:
    return {"is_same": is_same, "text": text[:_SAID_LENGTH]}


def _flows(original: str, key: str) -> Iterator[LineageFlow]:
    for other, role in ((original, "original"), (key, "reproduction")):
        kind = kind_of(other)
        if kind is not None:
            yield LineageFlow(node=LineageNode(kind=kind.value, id=other.partition("@")[0]), role=role)
