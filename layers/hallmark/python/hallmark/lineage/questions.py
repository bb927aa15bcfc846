"""The questions that the lineage graph answers, and the shape of each answer.

Every answer that lists something has ``complete`` and ``resume``: an answer that was cut by its budget of nodes or of
time says so, and the token continues it. Every answer says as of when it holds and by when what it rests on was known:
facts are only added, so these two times name the graph that it saw. A node is named by its key, its ARN, an S3 URI or a
unique part of its name.

Here are those that nearly everybody asks, trace and show. The questions of ``surveyed`` (path, impact, diff, list) and
of ``reasoned`` (why, live, blast, bisect, who, approvals, reasons) are read only once one of them is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.lineage.model import EdgeType, Instant, NodeKind


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Direction(StrEnum):
    """Up: where it came from (ancestors). Down: what came of it (descendants)."""

    UP = "up"
    DOWN = "down"


class Question(_Frozen):
    """What may be asked, as of when (default: now), from what was known by when (default: now)."""

    ask: str
    as_of: Instant | None = None
    known_at: Instant | None = None


class TraceQuestion(Question):
    """All ancestors or descendants of a node. ``depth`` counts edges; None has no limit."""

    ask: Literal["trace"] = "trace"
    node: str
    direction: Direction = Direction.UP
    depth: int | None = Field(default=None, ge=0)
    history: bool = False
    """Also edges that no longer hold (an endpoint's former configs)."""
    node_budget: int = Field(default=10_000, ge=1, le=200_000)
    time_budget_seconds: float = Field(default=20.0, gt=0)
    resume: str | None = None


class ShowQuestion(Question):
    """One node: its attributes, its history, its neighbours."""

    ask: Literal["show"] = "show"
    node: str
    versions: bool = False
    """Also its semantic version: all versions of its group or place are read for it."""


class NodeSummary(_Frozen):
    """A node in one line. ``label`` is short and for people: ``churn-model v3``, ``train v2 (sha256:1a2b3c4d)``."""

    key: str
    kind: NodeKind
    label: str
    status: str | None = None
    at: Instant | None = None
    deleted: bool = False
    version: str | None = None
    """Its semantic version (``versions``), of models and data; None where it was not worked out."""


class TracedNode(NodeSummary):
    """A node of a trace and its distance, in edges, from the start."""

    depth: int


class TracedEdge(_Frozen):
    """An edge of an answer, with the time in which it held and the time at which we learned of it."""

    source: str
    target: str
    type: EdgeType
    role: str = ""
    valid_from: Instant
    valid_to: Instant | None = None
    recorded_at: Instant


class Answer(_Frozen):
    """What may be answered: as of when it holds, and by when what it rests on was known."""

    answer: str
    as_of: Instant | None = None
    known_at: Instant | None = None


class Listing(Answer):
    """An answer that may be cut."""

    complete: bool
    resume: str | None = None


class TraceAnswer(Listing):
    """Nodes in order of depth (the start first, at depth 0), and the edges among them that were followed."""

    answer: Literal["trace"] = "trace"
    start: NodeSummary
    direction: Direction
    nodes: tuple[TracedNode, ...]
    edges: tuple[TracedEdge, ...]


class HistoryEntry(_Frozen):
    """Something that changed on a node: ``field`` went from ``before`` to ``after`` at a time."""

    at: Instant
    recorded_at: Instant
    field: str
    before: Any = None
    after: Any = None


class VersionStep(_Frozen):
    """A semantic version, and what made it one (docs/questions.md).

    ``certain`` is False where something is not known that the rule looks at: ``reason`` says what.
    """

    node: str
    label: str
    version: str
    change: Literal["first", "major", "minor", "patch"]
    reason: str
    certain: bool = True


class ShowAnswer(Answer):
    """One node whole; an endpoint's ``history`` also tells which models and packages followed which.

    ``complete`` is False where not all neighbours are listed: trace the node, one edge deep, to get the rest.
    """

    answer: Literal["show"] = "show"
    node: NodeSummary
    attributes: dict[str, Any]
    history: tuple[HistoryEntry, ...]
    upstream: tuple[TracedEdge, ...]
    downstream: tuple[TracedEdge, ...]
    neighbours: tuple[NodeSummary, ...]
    incarnations: tuple[NodeSummary, ...] = ()
    versions: tuple[VersionStep, ...] = ()
    """Of a version of a model or of data its own; of a group or a place those of all its versions, the last ones."""
    complete: bool = True


class Candidates(Answer):
    """The node could not be told: nothing, or more than one, matches what was asked.

    ``complete`` is False where more nodes match than are listed.
    """

    answer: Literal["candidates"] = "candidates"
    asked: str
    reason: Literal["unknown", "ambiguous"]
    candidates: tuple[NodeSummary, ...]
    complete: bool = True


MAXIMUM_ANSWER_BYTES = 5_500_000
"""Lambda returns 6 MB at most (Lambda quotas)."""


def read_question(raw: object) -> Question:
    """Read a question.

    Raises:
        InvalidInputError: It is none; names the field, the value and the remedy.
    """
    asked = raw.get("ask") if isinstance(raw, Mapping) else raw
    model = _QUESTIONS.get(str(asked)) or _surveyed().QUESTIONS.get(str(asked)) or _reasoned().QUESTIONS.get(str(asked))
    if model is None:
        known = ", ".join((*_QUESTIONS, *_surveyed().QUESTIONS, *_reasoned().QUESTIONS))
        raise InvalidInputError("the question", asked, f"ask one of {known}")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in (asked, *fault["loc"]))
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None


def read_answer(raw: object) -> Answer:
    """Read an answer.

    Raises:
        InvalidInputError: It is none.
    """
    told = raw.get("answer") if isinstance(raw, Mapping) else raw
    model = _ANSWERS.get(str(told)) or _surveyed().ANSWERS.get(str(told)) or _reasoned().ANSWERS.get(str(told))
    if model is None:
        raise InvalidInputError("the answer", raw, "update the command line: it is of another version than the stack")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise InvalidInputError("the answer", raw, str(error.errors()[0]["msg"])) from None


def answer_json(answer: Answer, rewrite: Callable[[str], str] = str) -> dict[str, Any]:
    """Return an answer as JSON.

    Args:
        answer: Any.
        rewrite: What is done to the JSON before it is read again.

    Raises:
        InvalidInputError: It is larger than Lambda returns.
    """
    text = rewrite(answer.model_dump_json())
    size = len(text.encode())
    if size > MAXIMUM_ANSWER_BYTES:
        raise InvalidInputError("node_budget", f"an answer of {size:,} bytes", "ask for fewer nodes a page")
    found: dict[str, Any] = json.loads(text)
    return found


def _surveyed() -> Any:
    # Most questions are of this module: the others cost time to load, which a first answer should not wait for.
    from hallmark.lineage import surveyed  # noqa: PLC0415

    return surveyed


def _reasoned() -> Any:
    from hallmark.lineage import reasoned  # noqa: PLC0415

    return reasoned


_QUESTIONS: Mapping[str, type[Question]] = {
    "trace": TraceQuestion,
    "show": ShowQuestion,
}
_ANSWERS: Mapping[str, type[Answer]] = {
    "trace": TraceAnswer,
    "show": ShowAnswer,
    "candidates": Candidates,
}
