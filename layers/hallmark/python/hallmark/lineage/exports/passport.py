"""A model's passport: all that somebody needs who asks whether, and why, this model may be trusted.

Sections are gathered once, as tables and pairs of plain texts; a page for people (``passport_html``) and a text for
tickets and repositories (``passport_markdown``) are two ways to write them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.resources import files
from typing import Any

from hallmark.lineage.exports.holes import holes
from hallmark.lineage.exports.material import Material
from hallmark.lineage.model import RUN_KINDS, NodeKind
from hallmark.lineage.questions import NodeSummary

_GOOD = frozenset({"Passed", "Approved", "Completed", "Succeeded", "InService", "Stable", "Resolved"})
_BAD = frozenset({"Failed", "Rejected", "Blocked", "Drifted", "Firing", "Overridden", "Deleted", "OutOfService"})
_MODELS = (NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL, NodeKind.FOUNDATION_MODEL, NodeKind.MODEL)
_STARTING_OTHERS = frozenset({NodeKind.TUNING_JOB, NodeKind.AUTOML_JOB, NodeKind.PIPELINE_EXECUTION})
_WORDS = {NodeKind.TUNING_JOB: "tuning job", NodeKind.BATCH_INFERENCE_JOB: "batch inference job"}
_LONGEST_VALUE = 400


@dataclass(frozen=True)
class Table:
    """Rows of plain texts under headings; ``marks`` tells which column has statuses, ``code`` which have ids."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    status: int | None = None
    code: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Section:
    """A heading, what stands under it, and what is said where nothing does."""

    title: str
    tables: tuple[Table, ...]
    nothing: str = ""


@dataclass(frozen=True)
class Passport:
    """A title, what is said first, and the sections; the first of them tells what is not known."""

    title: str
    subtitle: str
    glance: tuple[tuple[str, str], ...]
    warning: str
    sections: tuple[Section, ...]
    foot: str


def passport(material: Material) -> Passport:
    """Return the passport of a material."""
    start = material.start
    when = f" as of {_moment(material.as_of)}" if material.as_of else ""
    return Passport(
        title=start.label,
        subtitle=f"{_word(start.kind)}{when} · {start.key}",
        glance=tuple(_glance(material)),
        warning="; ".join(material.cut),
        sections=(
            _holes(material),
            _data(material),
            _models(material),
            _training(material),
            _evaluations(material),
            _decisions(material),
            _incidents(material),
            _history(material),
            _people(material),
        ),
        foot=_foot(material),
    )


# --- what is said first ---


def _glance(material: Material) -> Iterable[tuple[str, str]]:
    start = material.start
    yield "Status", "Deleted" if start.deleted else start.status or "not known"
    packages = material.of_kind(NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL)
    if start.kind not in _MODELS:
        yield "Model", ", ".join(_with_status(node) for node in packages) or "no registered model is known"
    jobs = material.of_kind(NodeKind.TRAINING_JOB, NodeKind.CUSTOMIZATION_JOB)
    yield "Trained by", _listed(node.label for node in jobs) or "not known"
    read = {edge.source for job in jobs for edge in material.into(job.key)}
    contents = [node.label for node in material.of_kind(NodeKind.DATASET_VERSION) if node.key in read]
    yield "Trained on", _listed(contents) or "no content is known"
    yield "Code", _listed(node.label for node in material.of_kind(NodeKind.CODE)) or "no commit known"
    for kind, name in ((NodeKind.VERDICT, "Gates"), (NodeKind.APPROVAL, "Approvals"), (NodeKind.ALERT, "Alerts")):
        yield name, _listed(_with_status(node) for node in material.of_kind(kind)) or "none known"


def _foot(material: Material) -> str:
    parts = [f"Made by Hallmark from {len(material.nodes)} nodes and {len(material.edges)} relations of its lineage"]
    if material.newest is not None:
        parts.append(f"the newest of what it tells is from {_moment(material.newest)}")
    if material.known_at is not None:
        parts.append(f"as it was known on {_moment(material.known_at)}")
    return "; ".join(parts) + "."


# --- sections ---


def _holes(material: Material) -> Section:
    rows = tuple((hole.what, hole.remedy) for hole in holes(material))
    tables = (Table(("not known", "what would help"), rows),) if rows else ()
    return Section("What is not known", tables, "Nothing that this page would tell is missing.")


def _data(material: Material) -> Section:
    rows = []
    for node in material.of_kind(NodeKind.DATASET_VERSION):
        attributes = material.attributes(node.key)
        place, _, digest = node.key.rpartition("#")
        rows.append(
            (
                node.label,
                place,
                digest,
                _count(attributes.get("objects")),
                _bytes(attributes.get("bytes")),
                _uses(material, node),
            )
        )
    headings = ("data", "where", "digest of the content", "objects", "size", "flowed into")
    tables = [Table(headings, tuple(rows), code=frozenset({1, 2}))] if rows else []
    with_content = {row[1] for row in rows}
    places = [
        (node.label, _uses(material, node))
        for node in material.of_kind(NodeKind.DATASET, NodeKind.FEATURE_GROUP)
        if node.key not in with_content
    ]
    if places:
        tables.append(Table(("place", "flowed into"), tuple(places), "Known by their address only"))
    return Section("Data", tuple(tables), "No data is known.")


def _models(material: Material) -> Section:
    rows = [
        (
            node.label,
            _word(node.kind),
            _status(node),
            _text(attributes.get("approval_description") or attributes.get("stage")),
            node.key,
        )
        for node in material.of_kind(NodeKind.ENDPOINT, NodeKind.ENDPOINT_CONFIG, *_MODELS)
        if (attributes := material.attributes(node.key)) is not None
    ]
    headings = ("name", "kind", "status", "remark", "id")
    tables = (Table(headings, tuple(rows), status=2, code=frozenset({4})),) if rows else ()
    return Section("Models and what serves them", tables, "No model is known.")


def _training(material: Material) -> Section:
    tables: list[Table] = []
    runs = material.of_kind(*sorted(RUN_KINDS - {NodeKind.EVALUATION}))
    rows = [
        (
            node.label,
            _word(node.kind),
            _status(node),
            _span(material.attributes(node.key)),
            _source(material, node, NodeKind.IMAGE, "not known"),
            _source(material, node, NodeKind.CODE, "no commit known"),
            _machines(material.attributes(node.key)),
        )
        for node in runs
    ]
    if rows:
        headings = ("run", "kind", "status", "when (UTC)", "image", "code", "machines")
        tables.append(Table(headings, tuple(rows), status=2, code=frozenset({4, 5})))
    for node in runs:
        attributes = material.attributes(node.key)
        for name, caption in (("metrics", "Metrics"), ("hyperparameters", "Hyperparameters")):
            values = attributes.get(name)
            if isinstance(values, Mapping) and values:
                told = tuple((str(key), _text(value)) for key, value in sorted(values.items()))
                tables.append(Table(("name", "value"), told, f"{caption} of {node.label}"))
    return Section("How it was made", tuple(tables), "No run is known.")


def _evaluations(material: Material) -> Section:
    tables: list[Table] = []
    for node in material.of_kind(NodeKind.EVALUATION):
        attributes = material.attributes(node.key)
        rows = [
            (str(name), _share(model), _text(model.get("verdict")), _metrics(model.get("metrics")))
            for name, model in sorted((attributes.get("models") or {}).items())
        ]
        caption = ", ".join(filter(None, [node.label, _status(node), _moment(node.at)]))
        tables.append(Table(("model", "answered", "verdict", "metrics"), tuple(rows), caption))
    reviews = _plain(material, NodeKind.REVIEW, ("mean", "low", "high", "judgement", "text", "by"))
    if reviews:
        tables.append(reviews)
    return Section("Evaluations and reviews", tuple(tables), "No evaluation is known.")


def _decisions(material: Material) -> Section:
    tables: list[Table] = []
    for node in material.of_kind(NodeKind.VERDICT):
        attributes = material.attributes(node.key)
        rows = [
            (
                str(name),
                _text(criterion.get("outcome")),
                _text(criterion.get("value")),
                _interval(criterion),
                _text(criterion.get("threshold")),
                _text(criterion.get("cases")),
            )
            for name, criterion in sorted((attributes.get("criteria") or {}).items())
            if isinstance(criterion, Mapping)
        ]
        told = [f"{node.label}: {_status(node)}", _moment(node.at), _text(attributes.get("summary"))]
        headings = ("criterion", "outcome", "value", "interval", "threshold", "cases")
        tables.append(Table(headings, tuple(rows), " · ".join(filter(None, told)), status=1))
    rows = [
        (node.label, _word(node.kind), _status(node), _text(a.get("by")), _text(a.get("reason")), _moment(node.at))
        for node in material.of_kind(NodeKind.APPROVAL, NodeKind.OVERRIDE, NodeKind.ACTION)
        if (a := material.attributes(node.key)) is not None
    ]
    if rows:
        tables.append(Table(("what", "kind", "status", "by", "reason", "when (UTC)"), tuple(rows), status=2))
    return Section("Gates and approvals", tuple(tables), "No verdict of a gate and no approval is known.")


def _incidents(material: Material) -> Section:
    names = ("monitor", "severity", "drifted", "records", "summary")
    tables = [_plain(material, kind, names) for kind in (NodeKind.DRIFT_REPORT, NodeKind.ALERT)]
    return Section("Drift and alerts", tuple(filter(None, tables)), "No drift report and no alert is known.")


def _plain(material: Material, kind: NodeKind, names: Sequence[str]) -> Table | None:
    """Return the nodes of a kind with some of their attributes: those that any of them has."""
    nodes = material.of_kind(kind)
    if not nodes:
        return None
    told = [name for name in names if any(material.attributes(node.key).get(name) for node in nodes)]
    rows = [
        (
            node.label,
            _status(node),
            _moment(node.at),
            *(_text(material.attributes(node.key).get(name)) for name in told),
        )
        for node in nodes
    ]
    return Table((_word(kind), "status", "when (UTC)", *told), tuple(rows), status=1)


def _history(material: Material) -> Section:
    shown = material.shown.get(material.start.key)
    rows = [
        (_moment(entry.at), entry.field.replace("_", " "), _text(entry.before), _text(entry.after))
        for entry in (shown.history if shown else ())
    ]
    tables = (Table(("when (UTC)", "what", "before", "after"), tuple(rows)),) if rows else ()
    return Section(f"History of {material.start.label}", tables, "No change is known.")


def _people(material: Material) -> Section:
    told: dict[str, set[str]] = {}
    for node in material.nodes:
        attributes = material.attributes(node.key)
        for name, word in (("created_by", "made"), ("by", "decided")):
            if isinstance(attributes.get(name), str):
                told.setdefault(attributes[name], set()).add(f"{word} {node.label}")
        if node.kind is NodeKind.USER:
            deeds = told.setdefault(node.key, set())
            deeds |= {
                f"made {material.by_key[edge.target].label}"
                for edge in material.out_of(node.key)
                if edge.target in material.by_key
            }
    rows = tuple((person, _listed(sorted(deeds), 12)) for person, deeds in sorted(told.items()))
    tables = (Table(("who", "what they did"), rows, code=frozenset({0})),) if rows else ()
    return Section("People", tables, "No person is known.")


# --- texts ---


def _word(kind: NodeKind) -> str:
    return _WORDS.get(kind, kind.value.replace("-", " "))


def _status(node: NodeSummary) -> str:
    return "Deleted" if node.deleted else node.status or ""


def _with_status(node: NodeSummary) -> str:
    return f"{node.label} ({_status(node)})" if _status(node) else node.label


def _listed(names: Iterable[str], most: int = 4) -> str:
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def _moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time is not None else ""


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "not known"


_KIBI = 1024


def _bytes(value: Any) -> str:
    if not isinstance(value, int):
        return "not known"
    size, units = float(value), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while size >= _KIBI and len(units) > 1:
        size, units = size / _KIBI, units[1:]
    return f"{value:,} bytes" if units[0] == "bytes" else f"{size:.1f} {units[0]}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text):,} characters)"


def _uses(material: Material, node: NodeSummary) -> str:
    uses = [
        f"{material.by_key[edge.target].label}{f' as {edge.role}' if edge.role else ''}"
        for edge in material.out_of(node.key)
        if edge.target in material.by_key
    ]
    return _listed(uses)


def _source(material: Material, node: NodeSummary, kind: NodeKind, nothing: str) -> str:
    """Return the ids of the images or commits that ran; a run that only starts others has none of its own."""
    keys = {edge.source for edge in material.into(node.key)}
    found = _listed(source.key for source in material.of_kind(kind) if source.key in keys)
    return found or ("" if node.kind in _STARTING_OTHERS else nothing)


def _machines(attributes: Mapping[str, Any]) -> str:
    resources = attributes.get("resources") or {}
    if not resources.get("instance_type"):
        return ""
    return f"{resources.get('instance_count', 1)} x {resources['instance_type']}"


def _span(attributes: Mapping[str, Any]) -> str:
    times = [attributes.get(name) for name in ("started_at", "ended_at")]
    told = [datetime.fromisoformat(time) for time in times if isinstance(time, str)]
    if len(told) == len(times) and told[0].date() == told[-1].date():
        return f"{_moment(told[0])} to {told[-1]:%H:%M}"
    return " to ".join(map(_moment, told))


def _share(model: Mapping[str, Any]) -> str:
    answered, planned = model.get("answered"), model.get("planned")
    return f"{answered} of {planned}" if answered is not None and planned is not None else _text(answered)


def _metrics(metrics: Any) -> str:
    if not isinstance(metrics, Mapping):
        return _text(metrics)
    told = []
    for name, value in sorted(metrics.items()):
        estimate = value
        if isinstance(value, Mapping):
            estimate = next((value[word] for word in ("estimate", "value", "mean") if word in value), value)
        interval = f" [{_interval(value)}]" if isinstance(value, Mapping) and _interval(value) else ""
        told.append(f"{name} {_text(estimate)}{interval}")
    return ", ".join(told)


def _interval(found: Mapping[str, Any]) -> str:
    low, high = found.get("low"), found.get("high")
    return f"{_text(low)} … {_text(high)}" if low is not None and high is not None else ""


# --- a page ---


def passport_html(material: Material, picture: str) -> str:
    """Return the passport as one page that loads nothing from anywhere.

    Args:
        material: What it tells of.
        picture: Its lineage as an SVG element, which is put in as it is.
    """
    made = passport(material)
    values = {
        "title": escape(made.title),
        "subtitle": escape(made.subtitle),
        "warning": f'<p class="warning">This page is not whole: {escape(made.warning)}.</p>' if made.warning else "",
        "glance": "".join(f"<div><dt>{escape(n)}</dt><dd>{_marked(t)}</dd></div>" for n, t in made.glance),
        "picture": picture,
        "holes": _section_html(made.sections[0]),
        "sections": "\n".join(_section_html(section) for section in made.sections[1:]),
        "foot": escape(made.foot),
    }
    page = files(__package__).joinpath("passport.html").read_text(encoding="utf-8")
    # In one go: a value that looks like a place for another one stays what it is.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], page)


def _section_html(section: Section) -> str:
    inner = "\n".join(_table_html(table) for table in section.tables) or f"<p>{escape(section.nothing)}</p>"
    return f"<section><h2>{escape(section.title)}</h2>\n{inner}\n</section>"


def _table_html(table: Table) -> str:
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    if not table.rows:
        return f'<p class="caption">{escape(table.caption)}</p>'
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.headings)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{_cell(table, number, text)}</td>" for number, text in enumerate(row)) + "</tr>"
        for row in table.rows
    )
    return f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _cell(table: Table, number: int, text: str) -> str:
    if number == table.status:
        return _marked(text)
    return f"<code>{escape(text)}</code>" if number in table.code and text else escape(text)


def _marked(text: str) -> str:
    word = text.capitalize()
    colour = "good" if word in _GOOD else "bad" if word in _BAD else ""
    return f'<span class="{colour}">{escape(text)}</span>' if colour else escape(text)


# --- a text ---


def passport_markdown(material: Material) -> str:
    """Return the passport as Markdown, without the picture."""
    made = passport(material)
    lines = [f"# {_plain_text(made.title)}", "", _plain_text(made.subtitle), ""]
    if made.warning:
        lines += [f"**This page is not whole: {_plain_text(made.warning)}.**", ""]
    lines += [f"- **{name}:** {_plain_text(text)}" for name, text in made.glance]
    for section in made.sections:
        lines += ["", f"## {_plain_text(section.title)}", ""]
        if not section.tables:
            lines += [section.nothing]
        for table in section.tables:
            lines += [*([f"*{_plain_text(table.caption)}*", ""] if table.caption else [])]
            if table.rows:
                lines += ["| " + " | ".join(table.headings) + " |", "|" + "---|" * len(table.headings)]
                lines += ["| " + " | ".join(map(_plain_text, row)) + " |" for row in table.rows]
            lines += [""]
    lines += ["", f"*{_plain_text(made.foot)}*"]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _plain_text(text: str) -> str:
    """Return a text that Markdown does not take for anything else, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
