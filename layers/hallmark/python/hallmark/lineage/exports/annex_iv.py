"""The technical documentation of Annex IV of the EU AI Act, as far as lineage can write it.

Regulation (EU) 2024/1689, Annex IV, names nine points. What is recorded answers some of them: every such sentence names
its evidence. What only people can say comes from a file of statements. What neither says becomes a task, with an owner
and a date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hallmark.errors import InvalidInputError
from hallmark.lineage.exports.holes import Hole, Topic, holes
from hallmark.lineage.exports.material import Material
from hallmark.lineage.exports.pages import Page, Section, Table
from hallmark.lineage.exports.wording import (
    counted,
    listed,
    machines,
    metrics_of,
    moment,
    plain,
    size_of,
    source_of,
    span,
    status_of,
    uses_of,
    with_status,
    word_of,
)
from hallmark.lineage.model import RUN_KINDS, NodeKind
from hallmark.lineage.questions import NodeSummary

NOBODY = "nobody is named"
NO_DATE = "no date is set"
_REGISTERED = (NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL, NodeKind.MODEL_VERSION)
_TRAINING = (NodeKind.TRAINING_JOB, NodeKind.CUSTOMIZATION_JOB, NodeKind.AUTOML_JOB)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class PointStatement(_Frozen):
    """What people say of one point: a text with its evidence, or why the point does not apply, or who will say it."""

    text: str = ""
    evidence: tuple[str, ...] = ()
    not_applicable: str = ""
    owner: str = ""
    due: date | None = None


class Statements(_Frozen):
    """What only people know of a system. ``owner`` and ``due`` hold where a point names none of its own."""

    system: str = ""
    provider: str = ""
    owner: str = ""
    due: date | None = None
    points: dict[str, PointStatement] = Field(default_factory=dict)

    @field_validator("points", mode="before")
    @classmethod
    def _read_numbers(cls, points: object) -> object:
        # YAML reads the name of point 4 as a number.
        return {str(name): said for name, said in points.items()} if isinstance(points, Mapping) else points


class Sentence(NamedTuple):
    """Something that is recorded, and the keys of the nodes that show it."""

    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """One point of the annex.

    Attributes:
        id: ``2d``: the number of the point and the letter of its part.
        title: What it asks for, in short.
        to_write: What is missing where a person has to write it; nothing where the record alone can answer.
        recorded: What lineage says of it.
        topics: Holes in lineage that leave it open.
    """

    id: str
    title: str
    to_write: str = ""
    recorded: Callable[[Material], Iterable[Sentence]] | None = None
    topics: frozenset[Topic] = frozenset()


class Task(NamedTuple):
    """What is missing, and who is to write it by when."""

    point: str
    what: str
    owner: str
    due: str


class Answered(NamedTuple):
    """A point, what is said of it, and what is still missing."""

    point: Point
    sentences: tuple[Sentence, ...]
    statement: PointStatement
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Documentation:
    """The nine points of one system."""

    material: Material
    statements: Statements
    answered: tuple[Answered, ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Return all that is missing, in the order of the points."""
        return tuple(task for answered in self.answered for task in answered.tasks)

    @cached_property
    def evidence(self) -> dict[str, str]:
        """Return the short name (``E1``) of each node that a sentence names, by key, in the order of the sentences."""
        keys = dict.fromkeys(key for a in self.answered for sentence in a.sentences for key in sentence.evidence)
        return {key: f"E{number}" for number, key in enumerate(keys, 1)}


def read_statements(raw: object) -> Statements:
    """Read what people say.

    Raises:
        InvalidInputError: It is wrong, or names a point that the annex does not have.
    """
    try:
        found = Statements.model_validate(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the statements"
        raise InvalidInputError(field, fault["input"], f"{fault['msg']}; see docs/exports.md") from None
    known = [point.id for point in POINTS]
    for name in found.points:
        if name not in known:
            raise InvalidInputError("points", name, f"take one of {', '.join(known)}")
    return found


def annex_iv(material: Material, statements: Statements) -> Documentation:
    """Return the documentation of a material, with what people say of it."""
    found = holes(material)
    owner = statements.owner or _owner(material) or NOBODY
    return Documentation(
        material, statements, tuple(_answer(point, material, statements, found, owner) for point in POINTS)
    )


def _answer(point: Point, material: Material, statements: Statements, found: Iterable[Hole], owner: str) -> Answered:
    said = statements.points.get(point.id, PointStatement())
    sentences = tuple(point.recorded(material)) if point.recorded else ()
    missing = []
    if not said.not_applicable:
        if point.to_write and not said.text:
            missing.append(point.to_write)
        if not point.to_write and not sentences and not said.text:
            missing.append("Nothing of this is recorded: record it, or state it.")
        missing += [f"{hole.what} {hole.remedy}" for hole in found if hole.topic in point.topics]
    due = said.due or statements.due
    tasks = tuple(Task(point.id, what, said.owner or owner, str(due) if due else NO_DATE) for what in missing)
    return Answered(point, sentences, said, tasks)


def _owner(material: Material) -> str:
    """Return who a tag ``owner`` says the system belongs to, the nearest first."""
    for node in material.nodes:
        tags = material.attributes(node.key).get("tags")
        if isinstance(tags, Mapping):
            for name in ("owner", "hallmark:owner", "Owner"):
                if isinstance(tags.get(name), str):
                    return str(tags[name])
    return ""


# --- what lineage says ---


def _version(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(*_REGISTERED):
        attributes = material.attributes(node.key)
        text = f"The model is {with_status(node)}"
        if attributes.get("group") and attributes.get("version") is not None:
            text += f", version {attributes['version']} of {attributes['group']}"
        made = attributes.get("created_at")
        yield Sentence(f"{text}{f', registered at {made}' if made else ''}.", (node.key,))
    start = material.start
    shown = material.shown.get(start.key)
    for entry in shown.history if shown else ():
        if entry.before is not None and entry.field in {"model", "models", "model_package", "package", "config"}:
            text = f"On {moment(entry.at)} UTC {plain(entry.after)} followed {plain(entry.before)} on {start.label}."
            yield Sentence(text, (start.key,))


def _software(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(NodeKind.IMAGE):
        uses = uses_of(material, node)
        yield Sentence(f"The software is the image {node.key}{f', used by {uses}' if uses else ''}.", (node.key,))
    for node in material.of_kind(NodeKind.CODE):
        uses = uses_of(material, node)
        yield Sentence(f"The code is the commit {node.key}{f', used by {uses}' if uses else ''}.", (node.key,))


def _forms(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(NodeKind.ENDPOINT):
        yield Sentence(f"It is put into service as the API of the endpoint {with_status(node)}.", (node.key,))
    for node in material.of_kind(NodeKind.BATCH_INFERENCE_JOB, NodeKind.TRANSFORM_JOB):
        yield Sentence(f"It answers in bulk by {word_of(node.kind)} {node.label}.", (node.key,))


def _hardware(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(NodeKind.ENDPOINT_CONFIG):
        for variant in material.attributes(node.key).get("variants") or ():
            kind = variant.get("instance_type")
            if kind:
                many = variant.get("instance_count", 1)
                yield Sentence(f"{variant.get('name', 'A variant')} runs on {many} x {kind}.", (node.key,))


def _steps(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(NodeKind.FOUNDATION_MODEL):
        yield Sentence(f"It builds on the pre-trained model {node.label}.", (node.key,))
    for node in material.of_kind(*sorted(RUN_KINDS - {NodeKind.EVALUATION})):
        attributes = material.attributes(node.key)
        when = span(attributes)
        parts = [
            f"The {word_of(node.kind)} {node.label} {status_of(node).lower() or 'ran'}{f' ({when})' if when else ''}"
        ]
        for kind, words in ((NodeKind.CODE, "code"), (NodeKind.IMAGE, "image")):
            source = source_of(material, node, kind, "")
            if source:
                parts.append(f"{words} {source}")
        values = attributes.get("hyperparameters")
        if isinstance(values, Mapping) and values:
            told = ", ".join(f"{name} = {plain(value)}" for name, value in sorted(values.items()))
            parts.append(f"hyperparameters {plain(told)}")
        yield Sentence("; ".join(parts) + ".", (node.key,))


def _resources(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(*sorted(RUN_KINDS - {NodeKind.EVALUATION})):
        attributes = material.attributes(node.key)
        used = machines(attributes)
        if used:
            seconds = attributes.get("billable_seconds") or attributes.get("duration_seconds")
            long = f" for {seconds:,.0f} s" if isinstance(seconds, int | float) else ""
            yield Sentence(f"{node.label} used {used}{long}.", (node.key,))


def _data(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(NodeKind.DATASET_VERSION):
        if material.is_program(node.key):
            continue
        attributes = material.attributes(node.key)
        place, _, digest = node.key.rpartition("#")
        text = (
            f"{node.label} at {place} ({counted(attributes.get('objects'))} objects, "
            f"{size_of(attributes.get('bytes'))}, content {digest})"
        )
        made = [material.by_key[edge.source].label for edge in material.into(node.key) if edge.role != "version"]
        text += f" was made by {listed(made)}" if made else " is where what is recorded begins"
        uses = uses_of(material, node)
        yield Sentence(f"{text}{f' and flowed into {uses}' if uses else ''}.", (node.key,))
    for node in material.of_kind(NodeKind.FEATURE_GROUP, NodeKind.LABELING_JOB):
        yield Sentence(
            f"The {word_of(node.kind)} {node.label} was used by {uses_of(material, node) or 'it'}.", (node.key,)
        )


def _oversight(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(NodeKind.APPROVAL, NodeKind.OVERRIDE):
        attributes = material.attributes(node.key)
        who = plain(attributes.get("by")) or "nobody who is known"
        reason = plain(attributes.get("reason"))
        text = f"{word_of(node.kind).capitalize()} {node.label} ({status_of(node)}, {moment(node.at)} UTC) by {who}"
        yield Sentence(f"{text}{f': {reason}' if reason else ''}.", (node.key,))
    for node in material.of_kind(NodeKind.REVIEW):
        attributes = material.attributes(node.key)
        if attributes.get("mean") is not None:
            score = metrics_of(_score(attributes))
            text = f"People reviewed {plain(attributes.get('rated'))} answers ({node.label}): {score}."
            yield Sentence(text, (node.key,))


def _score(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"score": {"mean": attributes["mean"], "low": attributes.get("low"), "high": attributes.get("high")}}


def _tests(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(*_TRAINING):
        metrics = material.attributes(node.key).get("metrics")
        if isinstance(metrics, Mapping) and metrics:
            yield Sentence(f"{node.label} ended with {metrics_of(metrics)}.", (node.key,))
    for node in material.of_kind(NodeKind.EVALUATION):
        for name, model in sorted((material.attributes(node.key).get("models") or {}).items()):
            verdict = f" ({plain(model.get('verdict'))})" if model.get("verdict") else ""
            text = f"In {node.label}, {moment(node.at)} UTC, {name} had {metrics_of(model.get('metrics'))}{verdict}."
            yield Sentence(text, (node.key,))
    for node in material.of_kind(NodeKind.VERDICT):
        criteria = material.attributes(node.key).get("criteria") or {}
        told = [
            f"{name}: {plain(criterion.get('outcome'))}"
            + (f", {plain(criterion['value'])}" if criterion.get("value") is not None else "")
            + (f" against {plain(criterion['threshold'])}" if criterion.get("threshold") is not None else "")
            for name, criterion in sorted(criteria.items())
            if isinstance(criterion, Mapping)
        ]
        why = f" ({'; '.join(told)})" if told else ""
        yield Sentence(f"Quality gate {node.label}, {moment(node.at)} UTC: {status_of(node)}{why}.", (node.key,))
    for node in material.of_kind(NodeKind.ATTESTATION):
        yield Sentence(f"Signed: {node.label}, {moment(node.at)} UTC.", (node.key,))


def _watching(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(NodeKind.BASELINE):
        attributes = material.attributes(node.key)
        records = f" on {counted(attributes['records'])} records" if attributes.get("records") is not None else ""
        yield Sentence(f"Production is compared with the baseline {node.label}{records}.", (node.key,))
    for node in material.of_kind(NodeKind.DRIFT_REPORT, NodeKind.ALERT):
        summary = plain(material.attributes(node.key).get("summary"))
        text = f"{word_of(node.kind).capitalize()} {node.label}, {moment(node.at)} UTC: {status_of(node)}"
        yield Sentence(f"{text}{f', {summary}' if summary else ''}.", (node.key,))


def _metrics_in_use(material: Material) -> Iterator[Sentence]:
    for node in material.of_kind(NodeKind.VERDICT, NodeKind.EVALUATION):
        attributes = material.attributes(node.key)
        names = sorted(attributes.get("criteria") or {})
        for model in (attributes.get("models") or {}).values():
            names += sorted(model.get("metrics") or {})
        if names:
            yield Sentence(f"{node.label} measured {listed(names, 20)}.", (node.key,))


def _changes(material: Material) -> Iterator[Sentence]:
    shown = material.shown.get(material.start.key)
    for entry in shown.history if shown else ():
        before = f" instead of {plain(entry.before)}" if entry.before is not None else ""
        field = entry.field.replace("_", " ")
        text = f"{moment(entry.at)} UTC: {field} of {material.start.label} became {plain(entry.after)}{before}."
        yield Sentence(text, (material.start.key,))


def _feedback(material: Material) -> Iterator[Sentence]:
    yield from _watching(material)
    for node in material.of_kind(NodeKind.FEEDBACK):
        cases = counted(material.attributes(node.key).get("cases"))
        yield Sentence(f"Feedback of production became {cases} cases: {node.label}.", (node.key,))


_D, _M, _T, _A = (frozenset({topic}) for topic in (Topic.DATA, Topic.MAKING, Topic.TESTS, Topic.APPROVAL))
POINTS = (
    Point("1a", "Purpose, provider, version", "State the intended purpose and the provider.", _version),
    Point("1b", "Interaction with other hardware and software", "State what it interacts with."),
    Point("1c", "Versions of software", "", _software),
    Point("1d", "Forms in which it is put into service", "", _forms),
    Point("1e", "Hardware on which it runs", "", _hardware),
    Point("1f", "Pictures of the product that it is part of", "Add pictures, or state that it is part of no product."),
    Point("1g", "User interface of the deployer", "Describe the user interface."),
    Point("1h", "Instructions for use", "Add the instructions for use."),
    Point("2a", "Methods and steps of development", "", _steps, _M),
    Point(
        "2b", "Design: logic, choices, assumptions", "State the design, its main choices and why, and its trade-offs."
    ),
    Point(
        "2c", "Architecture and computing resources", "Describe how the components build on one another.", _resources
    ),
    Point(
        "2d",
        "Data: provenance, scope, labelling, cleaning",
        "State how data were chosen, labelled and cleaned.",
        _data,
        _D,
    ),
    Point("2e", "Human oversight", "Assess the measures of human oversight (Article 14).", _oversight, _A),
    Point(
        "2f", "Changes that are determined beforehand", "State which changes are foreseen, and how they stay compliant."
    ),
    Point("2g", "Validation and testing", "", _tests, _T),
    Point("2h", "Cybersecurity", "State the measures of cybersecurity."),
    Point("3", "Monitoring, functioning and control", "State limits, foreseeable risks, and input data.", _watching),
    Point("4", "Why the metrics are appropriate", "State why these metrics fit the purpose.", _metrics_in_use),
    Point("5", "Risk management system", "Describe the risk management system (Article 9)."),
    Point("6", "Changes through the lifecycle", "", _changes),
    Point("7", "Harmonised standards", "List the harmonised standards that are applied, or what is done instead."),
    Point("8", "EU declaration of conformity", "Add a copy of the declaration (Article 47)."),
    Point("9", "Watching it on the market", "Add the plan of post-market monitoring (Article 72).", _feedback),
)
"""Regulation (EU) 2024/1689, Annex IV, points 1 to 9, in our own words."""

_HEADINGS = {
    "1": "General description",
    "2": "Elements and development",
    "3": "Monitoring, functioning and control",
    "4": "Performance metrics",
    "5": "Risk management",
    "6": "Changes through the lifecycle",
    "7": "Standards",
    "8": "Declaration of conformity",
    "9": "Post-market monitoring",
}


# --- as a page, and as JSON ---


def annex_iv_page(made: Documentation) -> Page:
    """Return the documentation as a page: first what is still to be written, last the evidence."""
    material, said = made.material, made.statements
    tasks = tuple((f"({task.point})", task.what, task.owner, task.due) for task in made.tasks)
    headings = ("point", "what is missing", "owner", "due")
    open_points = len({task.point for task in made.tasks})
    sections = [Section("What is still to be written", (Table(headings, tasks),) if tasks else (), "Nothing.")]
    for number, heading in _HEADINGS.items():
        told = [row for answered in made.answered if answered.point.id[0] == number for row in _rows(made, answered)]
        tables = (Table(("part", "what is said", "evidence"), tuple(told)),)
        sections.append(Section(f"{number}. {heading}", tables))
    rows = tuple((name, *_evidence_row(material, key)) for key, name in made.evidence.items())
    sections.append(
        Section(
            "Evidence",
            (Table(("", "what", "status", "when (UTC)", "id in the lineage"), rows, status=2, code=frozenset({4})),)
            if rows
            else (),
            "Nothing is recorded.",
        )
    )
    start = material.start
    return Page(
        what="Technical documentation, Annex IV of Regulation (EU) 2024/1689",
        title=said.system or start.label,
        subtitle=f"{word_of(start.kind)} · {start.key}",
        glance=(
            ("Provider", said.provider or "not stated"),
            ("Model", listed(with_status(node) for node in material.of_kind(*_REGISTERED)) or "none is known"),
            ("Answered", f"{len(POINTS) - open_points} of {len(POINTS)} parts"),
            ("To be written", f"{len(made.tasks)} tasks"),
        ),
        warning="; ".join(material.cut),
        sections=tuple(sections),
        foot="Sentences with evidence were made by Hallmark from its lineage; the others are the provider's. "
        "The documentation is kept for ten years after the system was put into service (Article 18).",
    )


def _rows(made: Documentation, answered: Answered) -> Iterator[tuple[str, str, str]]:
    said = answered.statement
    rows = [(text.text, ", ".join(made.evidence[key] for key in text.evidence)) for text in answered.sentences]
    if said.text:
        rows.insert(0, (said.text, ", ".join(("the provider", *said.evidence))))
    if said.not_applicable:
        rows.append((f"Does not apply: {said.not_applicable}", "the provider"))
    rows += [(f"Still to be written: {task.what}", f"{task.owner}, {task.due}") for task in answered.tasks]
    name = f"({answered.point.id}) {answered.point.title}"
    for number, row in enumerate(rows):
        yield ("" if number else name, *row)


def _evidence_row(material: Material, key: str) -> tuple[str, str, str, str]:
    node: NodeSummary | None = material.by_key.get(key)
    if node is None:
        return "", "", "", key
    return f"{word_of(node.kind)} {node.label}", status_of(node), moment(node.at), key


def annex_iv_json(made: Documentation) -> dict[str, Any]:
    """Return the documentation as JSON: every point with its sentences, statement and tasks."""
    return {
        "regulation": "Regulation (EU) 2024/1689, Annex IV",
        "subject": made.material.start.key,
        "system": made.statements.system or made.material.start.label,
        "provider": made.statements.provider or None,
        "complete": made.material.complete and not made.tasks,
        "points": [
            {
                "point": a.point.id,
                "title": a.point.title,
                "sentences": [{"text": text, "evidence": list(evidence)} for text, evidence in a.sentences],
                "statement": a.statement.model_dump(mode="json", exclude_defaults=True) or None,
                "tasks": [{"what": task.what, "owner": task.owner, "due": task.due} for task in a.tasks],
            }
            for a in made.answered
        ],
    }
