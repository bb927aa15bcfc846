"""A model's passport: all that somebody needs who asks whether, and why, this model may be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from hallmark.lineage.accountable import FINDING_WORDS, Approved
from hallmark.lineage.exports.holes import holes
from hallmark.lineage.exports.material import Material
from hallmark.lineage.exports.pages import Page, Section, Table
from hallmark.lineage.exports.wording import (
    counted,
    interval_of,
    listed,
    machines,
    metrics_of,
    moment,
    plain,
    share_answered,
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
from hallmark.pseudonyms import spoken_person

_MODELS = (NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL, NodeKind.FOUNDATION_MODEL, NodeKind.MODEL)


class Proofs(NamedTuple):
    """How the ledger stands: whose it is, how many entries it has, the root that its checkpoint signs, and the keys."""

    origin: str
    size: int
    root: str
    keys: tuple[str, ...]


def passport(material: Material, proofs: Proofs | None = None, approved: Sequence[Approved] = ()) -> Page:
    """Return the passport of a material.

    Args:
        material: What it tells of.
        proofs: How the ledger stands in which all of it is sealed; None where it was not asked.
        approved: Whose word approved its models.
    """
    start = material.start
    when = f" as of {moment(material.as_of)}" if material.as_of else ""
    return Page(
        what="Model passport",
        title=start.label,
        subtitle=f"{word_of(start.kind)}{when} · {start.key}",
        glance=tuple(_glance(material)),
        warning="; ".join(material.cut),
        sections=(
            _holes(material),
            _data(material),
            _models(material),
            _training(material),
            _evaluations(material),
            _decisions(material, approved),
            _incidents(material),
            _history(material),
            _people(material),
            _proofs(material, proofs),
        ),
        foot=_foot(material),
    )


def _proofs(material: Material, proofs: Proofs | None) -> Section:
    tables = []
    rows = tuple(
        (node.label, status_of(node), moment(node.at), node.key) for node in material.of_kind(NodeKind.ATTESTATION)
    )
    if rows:
        headings = ("signed statement", "status", "when (UTC)", "id")
        tables.append(Table(headings, rows, "Signed statements", status=1, code=frozenset({3})))
    if proofs is not None:
        told = (
            ("log", proofs.origin),
            ("entries", f"{proofs.size:,}"),
            ("root of the tree", proofs.root),
            *(("verifier key", key) for key in proofs.keys),
            ("to check all of it", "hallmark ledger verify --key KEY"),
        )
        caption = "The ledger in which every fact behind this page is sealed"
        tables.append(Table(("", "value"), told, caption, code=frozenset({1})))
    return Section("Proofs", tuple(tables), "No signed statement is known, and the ledger was not asked.")


# --- what is said first ---


def _glance(material: Material) -> Iterable[tuple[str, str]]:
    start = material.start
    yield "Status", "Deleted" if start.deleted else start.status or "not known"
    packages = material.of_kind(NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL)
    if start.kind not in _MODELS:
        yield "Model", ", ".join(with_status(node) for node in packages) or "no registered model is known"
    jobs = material.of_kind(NodeKind.TRAINING_JOB, NodeKind.CUSTOMIZATION_JOB)
    yield "Trained by", listed(node.label for node in jobs) or "not known"
    read = {node.key for job in jobs for node in material.read_by(job.key)}
    contents = [node.label for node in material.of_kind(NodeKind.DATASET_VERSION) if node.key in read]
    yield "Trained on", listed(contents) or "no content is known"
    programs = [node.label for node in material.of_kind(NodeKind.DATASET_VERSION) if material.is_program(node.key)]
    commits = listed(node.label for node in material.of_kind(NodeKind.CODE))
    yield "Code", commits or (f"no commit known; {listed(programs)}" if programs else "no commit known")
    for kind, name in ((NodeKind.VERDICT, "Gates"), (NodeKind.APPROVAL, "Approvals"), (NodeKind.ALERT, "Alerts")):
        yield name, listed(with_status(node) for node in material.of_kind(kind)) or "none known"


def _foot(material: Material) -> str:
    parts = [f"Made by Hallmark from {len(material.nodes)} nodes and {len(material.edges)} relations of its lineage"]
    if material.newest is not None:
        parts.append(f"the newest of what it tells is from {moment(material.newest)}")
    if material.known_at is not None:
        parts.append(f"as it was known on {moment(material.known_at)}")
    return "; ".join(parts) + "."


# --- sections ---


def _holes(material: Material) -> Section:
    rows = tuple((hole.what, hole.remedy) for hole in holes(material))
    tables = (Table(("not known", "what would help"), rows),) if rows else ()
    return Section("What is not known", tables, "Nothing that this page would tell is missing.")


def _data(material: Material) -> Section:
    contents = material.of_kind(NodeKind.DATASET_VERSION)
    data = [node for node in contents if not material.is_program(node.key)]
    tables = list(_contents(material, data, "data"))
    with_content = {node.key.rpartition("#")[0] for node in contents}
    places = [
        (node.label, uses_of(material, node))
        for node in material.of_kind(NodeKind.DATASET, NodeKind.FEATURE_GROUP)
        if node.key not in with_content
    ]
    if places:
        tables.append(Table(("place", "flowed into"), tuple(places), "Known by their address only"))
    return Section("Data", tuple(tables), "No data is known.")


def _contents(material: Material, nodes: Sequence[NodeSummary], what: str) -> Iterable[Table]:
    """Yield a table of contents: where each lies, its digest and size, and what it flowed into."""
    rows = []
    for node in nodes:
        attributes = material.attributes(node.key)
        place, _, digest = node.key.rpartition("#")
        counts = counted(attributes.get("objects")), size_of(attributes.get("bytes"))
        rows.append((node.label, place, digest, *counts, uses_of(material, node)))
    if rows:
        headings = (what, "where", "digest of the content", "objects", "size", "flowed into")
        yield Table(headings, tuple(rows), code=frozenset({1, 2}))


def _models(material: Material) -> Section:
    rows = [
        (
            node.label,
            word_of(node.kind),
            status_of(node),
            plain(attributes.get("approval_description") or attributes.get("stage")),
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
            word_of(node.kind),
            status_of(node),
            span(material.attributes(node.key)),
            source_of(material, node, NodeKind.IMAGE, "not known"),
            source_of(material, node, NodeKind.CODE, "no commit known"),
            machines(material.attributes(node.key)),
        )
        for node in runs
    ]
    if rows:
        headings = ("run", "kind", "status", "when (UTC)", "image", "code", "machines")
        tables.append(Table(headings, tuple(rows), status=2, code=frozenset({4, 5})))
    programs = [node for node in material.of_kind(NodeKind.DATASET_VERSION) if material.is_program(node.key)]
    tables += _contents(material, programs, "program")
    for node in runs:
        attributes = material.attributes(node.key)
        for name, caption in (("metrics", "Metrics"), ("hyperparameters", "Hyperparameters")):
            values = attributes.get(name)
            if isinstance(values, Mapping) and values:
                told = tuple((str(key), plain(value)) for key, value in sorted(values.items()))
                tables.append(Table(("name", "value"), told, f"{caption} of {node.label}"))
    return Section("How it was made", tuple(tables), "No run is known.")


def _evaluations(material: Material) -> Section:
    tables: list[Table] = []
    for node in material.of_kind(NodeKind.EVALUATION):
        attributes = material.attributes(node.key)
        rows = [
            (str(name), share_answered(model), plain(model.get("verdict")), metrics_of(model.get("metrics")))
            for name, model in sorted((attributes.get("models") or {}).items())
        ]
        caption = ", ".join(filter(None, [node.label, status_of(node), moment(node.at)]))
        tables.append(Table(("model", "answered", "verdict", "metrics"), tuple(rows), caption))
    reviews = _plain(material, NodeKind.REVIEW, ("mean", "low", "high", "judgement", "text", "by"))
    if reviews:
        tables.append(reviews)
    return Section("Evaluations and reviews", tuple(tables), "No evaluation is known.")


def _words(approved: Sequence[Approved]) -> Table:
    """Return whose word each approval was, and what shows that it was, or was not, its author's."""
    rows = tuple(
        (
            each.package.label,
            FINDING_WORDS[each.finding],
            "as policy asks" if each.accepted else "not as policy asks",
            each.name or spoken_person(each.by) or "?",
            listed(each.authors) or "?",
            moment(each.at),
            listed(each.evidence),
        )
        for each in approved
    )
    headings = ("model", "approved by", "", "who", "author", "when (UTC)", "shown by")
    return Table(headings, rows, "Whose word approved it", code=frozenset({6}))


def _decisions(material: Material, approved: Sequence[Approved]) -> Section:
    tables = [_words(approved)] if approved else []
    for node in material.of_kind(NodeKind.VERDICT):
        attributes = material.attributes(node.key)
        rows = [
            (
                str(name),
                plain(criterion.get("outcome")),
                plain(criterion.get("value")),
                interval_of(criterion),
                plain(criterion.get("threshold")),
                plain(criterion.get("cases")),
            )
            for name, criterion in sorted((attributes.get("criteria") or {}).items())
            if isinstance(criterion, Mapping)
        ]
        told = [f"{node.label}: {status_of(node)}", moment(node.at), plain(attributes.get("summary"))]
        headings = ("criterion", "outcome", "value", "interval", "threshold", "cases")
        tables.append(Table(headings, tuple(rows), " · ".join(filter(None, told)), status=1))
    rows = [
        (node.label, word_of(node.kind), status_of(node), plain(a.get("by")), plain(a.get("reason")), moment(node.at))
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
            status_of(node),
            moment(node.at),
            *(plain(material.attributes(node.key).get(name)) for name in told),
        )
        for node in nodes
    ]
    return Table((word_of(kind), "status", "when (UTC)", *told), tuple(rows), status=1)


def _history(material: Material) -> Section:
    shown = material.shown.get(material.start.key)
    rows = [
        (moment(entry.at), entry.field.replace("_", " "), plain(entry.before), plain(entry.after))
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
    rows = tuple((person, listed(sorted(deeds), 12)) for person, deeds in sorted(told.items()))
    tables = (Table(("who", "what they did"), rows, code=frozenset({0})),) if rows else ()
    return Section("People", tables, "No person is known.")
