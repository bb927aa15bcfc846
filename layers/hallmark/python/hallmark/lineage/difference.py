"""What differs between two models and what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from hallmark.lineage.folding import FoldedNode
from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Difference

Section = Literal["data", "code", "environment", "hyperparameters", "metrics", "registry"]
Sections = dict[Section, dict[str, Any]]

_REGISTRY_FIELDS = (
    "approval_status",
    "approval_description",
    "stage",
    "stage_status",
    "generated_by",
    "customer_metadata",
)
_CHANGED_KEYS_SHOWN = 20
_SHORT_DIGEST = 12
_PLUMBING = ("sagemaker_submit_directory", "sagemaker_program")
"""Hyperparameters of script mode that say where the code is: the code itself is compared."""


def compare(
    graph: LineageGraph,
    folded: Callable[[int], FoldedNode],
    left: Mapping[NodeKind, list[int]],
    right: Mapping[NodeKind, list[int]],
) -> tuple[list[Difference], dict[str, int]]:
    """Compare two sets of ancestors, each by kind with the nearest first.

    Returns:
        The differences, ordered by section and field, and how many fields are equal in each section.
    """
    sides = [_described(folded, side) for side in (left, right)]
    differences: list[Difference] = []
    equal: dict[str, int] = {}
    for section in sides[0]:
        one, other = sides[0][section], sides[1][section]
        for field in sorted(one.keys() | other.keys()):
            if one.get(field) == other.get(field):
                equal[section] = equal.get(section, 0) + 1
            else:
                differences.append(
                    Difference(section=section, field=field, left=one.get(field), right=other.get(field))
                )
    differences += _changed_objects(graph, folded, left, right)
    return differences, equal


def _described(folded: Callable[[int], FoldedNode], origin: Mapping[NodeKind, list[int]]) -> Sections:
    found: Sections = {
        "data": {},
        "code": {},
        "environment": {},
        "hyperparameters": {},
        "metrics": {},
        "registry": {},
    }
    for row in origin.get(NodeKind.MODEL_PACKAGE, [])[:1]:
        attributes = folded(row).attributes
        found["registry"] |= {name: attributes[name] for name in _REGISTRY_FIELDS if attributes.get(name)}
    for row in origin.get(NodeKind.TRAINING_JOB, [])[:1]:
        attributes = folded(row).attributes
        chosen = attributes.get("hyperparameters") or {}
        found["hyperparameters"] |= {name: value for name, value in chosen.items() if name not in _PLUMBING}
        found["metrics"] |= attributes.get("metrics") or {}
    for kind in (NodeKind.TRAINING_JOB, NodeKind.PROCESSING_JOB):
        for row in origin.get(kind, []):
            _add_run(found, kind.value, folded(row).attributes)
    return found


def _add_run(found: Sections, label: str, attributes: Mapping[str, Any]) -> None:
    """Add a run; of several that have the same field, the later ones are numbered."""
    for use in attributes.get("inputs") or ():
        _add(found, "code" if use["role"] == "code" else "data", f"{label} {use['role']}", _content(use))
    for name in ("repository", "commit", "branch", "entry_point"):
        _add(found, "code", f"{label} {name}", (attributes.get("code") or {}).get(name))
    image = attributes.get("image") or {}
    for name in ("uri", "digest"):
        _add(found, "environment", f"{label} image {name}", image.get(name))
    for name, value in (attributes.get("resources") or {}).items():
        _add(found, "environment", f"{label} {name}", value)
    for name, value in (attributes.get("environment") or {}).items():
        _add(found, "environment", f"{label} variable {name}", value)


def _add(found: Sections, section: Section, field: str, value: Any) -> None:
    if value is None or value == "":
        return
    name, number = field, 1
    while name in found[section]:
        number += 1
        name = f"{field} {number}"
    found[section][name] = value


def _content(use: Mapping[str, Any]) -> str:
    """Return what data was, wherever it lay: digest, number of objects, bytes; its place, where no more is known."""
    if use.get("digest"):
        digest = str(use["digest"]).removeprefix("sha256:")[:_SHORT_DIGEST]
        return f"{digest} ({use['objects']} objects, {use['bytes']:,} bytes)"
    return f"{use.get('refused') or 'content not known'}: {use['uri']}"


def _changed_objects(
    graph: LineageGraph,
    folded: Callable[[int], FoldedNode],
    left: Mapping[NodeKind, list[int]],
    right: Mapping[NodeKind, list[int]],
) -> list[Difference]:
    """Tell which objects of the same place were added, removed or changed between the two sides."""
    sides = [_places(graph, side) for side in (left, right)]
    found = []
    for place in sorted(sides[0].keys() & sides[1].keys()):
        one, other = sides[0][place], sides[1][place]
        if one == other:
            continue
        before, after = _manifest(folded(one)), _manifest(folded(other))
        if before is None or after is None:
            continue
        kinds = {
            "added": sorted(after.keys() - before.keys()),
            "removed": sorted(before.keys() - after.keys()),
            "changed": sorted(key for key in before.keys() & after.keys() if before[key] != after[key]),
        }
        for change, keys in kinds.items():
            if keys:
                shown = ", ".join(key or place.rpartition("/")[2] for key in keys[:_CHANGED_KEYS_SHOWN])
                found.append(Difference(section="data", field=f"{place}: {change}", left=None, right=shown))
    return found


def _places(graph: LineageGraph, origin: Mapping[NodeKind, list[int]]) -> dict[str, int]:
    """Return the nearest version of each place among the ancestors; parts are told by their whole."""
    found: dict[str, int] = {}
    for row in origin.get(NodeKind.DATASET_VERSION, []):
        found.setdefault(graph.ids[row].rpartition("#")[0], row)
    return {
        place: row
        for place, row in found.items()
        if not any(place.startswith(f"{other}/") for other in found if other != place)
    }


def _manifest(node: FoldedNode) -> dict[str, tuple[str, int]] | None:
    rows = node.attributes.get("manifest")
    return {row[0]: (row[2], row[3]) for row in rows} if rows else None
