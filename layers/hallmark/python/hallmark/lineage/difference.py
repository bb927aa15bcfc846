"""What differs between two models and what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from hallmark.lineage.folding import FoldedNode
from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import CODE_ROLES, NodeKind
from hallmark.lineage.numbering import interface_of
from hallmark.lineage.surveyed import Difference, Section
from hallmark.lineage.view import Moment

Sections = dict[Section, dict[str, Any]]

_REGISTRY_FIELDS = (
    "approval_status",
    "approval_description",
    "stage",
    "stage_status",
    "generated_by",
    "customer_metadata",
)
_Listing = Sequence[Sequence[Any]]
_CHANGED_KEYS_SHOWN = 20
_COMPARED_RUNS = 40
"""Runs of each kind that are read on each side: the nearest to what was asked for."""
_COMPARED_PLACES = 40
_SHORT_DIGEST = 12
_RUN_KINDS = (NodeKind.TRAINING_JOB, NodeKind.PROCESSING_JOB)
_CRITERION_FIELDS = ("outcome", "value", "low", "high", "threshold", "cases")
_PLUMBING = ("sagemaker_submit_directory", "sagemaker_program")
"""Hyperparameters of script mode that say where the code is: the code itself is compared."""


class Comparison(NamedTuple):
    """The differences, ordered by section and field, and how many fields are equal in each section.

    ``complete`` is False where not all that lies behind the two sides was compared.
    """

    differences: list[Difference]
    equal: dict[str, int]
    complete: bool


def compare(moment: Moment, left: Mapping[NodeKind, list[int]], right: Mapping[NodeKind, list[int]]) -> Comparison:
    """Compare two sets of ancestors, each by kind with the nearest first."""
    graph, folded = moment.graph, moment.node
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
    changed = _changed_places(graph, left, right)
    for place, earlier, later in changed[:_COMPARED_PLACES]:
        differences += _changed_objects(place, moment.listing(earlier), moment.listing(later))
    runs = max(len(side.get(kind, ())) for side in (left, right) for kind in _RUN_KINDS)
    complete = runs <= _COMPARED_RUNS and len(changed) <= _COMPARED_PLACES
    return Comparison(differences, equal, complete)


def _described(folded: Callable[[int], FoldedNode], origin: Mapping[NodeKind, list[int]]) -> Sections:
    found: Sections = {section: {} for section in get_args(Section)}
    for row in origin.get(NodeKind.MODEL_PACKAGE, [])[:1]:
        attributes = folded(row).attributes
        found["registry"] |= {name: attributes[name] for name in _REGISTRY_FIELDS if attributes.get(name)}
        found["interface"] |= interface_of(attributes)
        _add(found, "people", "registered by", attributes.get("created_by"))
    for row in origin.get(NodeKind.TRAINING_JOB, [])[:1]:
        attributes = folded(row).attributes
        chosen = attributes.get("hyperparameters") or {}
        found["hyperparameters"] |= {name: value for name, value in chosen.items() if name not in _PLUMBING}
        found["metrics"] |= attributes.get("metrics") or {}
        _add(found, "people", "trained by", attributes.get("created_by"))
    _add_features(folded, origin, found)
    _add_gates(folded, origin, found)
    for row in origin.get(NodeKind.TUNING_JOB, [])[:1]:
        attributes = folded(row).attributes
        for name in ("objective", "ranges"):
            _add(found, "hyperparameters", f"tuning {name}", attributes.get(name))
    for kind in _RUN_KINDS:
        for row in origin.get(kind, [])[:_COMPARED_RUNS]:
            _add_run(found, kind.value, folded(row).attributes)
    return found


def _add_features(folded: Callable[[int], FoldedNode], origin: Mapping[NodeKind, list[int]], found: Sections) -> None:
    """Add what feature groups are like, and which packages images have, where anything tells."""
    for row in origin.get(NodeKind.FEATURE_GROUP, []):
        attributes = folded(row).attributes
        for name, kind in (attributes.get("features") or {}).items():
            _add(found, "interface", f"{attributes.get('name') or 'feature group'} feature {name}", kind)
    for row in origin.get(NodeKind.IMAGE, []):
        for name, version in (folded(row).attributes.get("packages") or {}).items():
            _add(found, "environment", f"package {name}", version)


def _add_gates(folded: Callable[[int], FoldedNode], origin: Mapping[NodeKind, list[int]], found: Sections) -> None:
    """Add the newest verdict of each gate, criterion by criterion, and what people decided."""
    met = set()
    for row in sorted(origin.get(NodeKind.VERDICT, []), key=lambda row: _newest_first(folded(row))):
        verdict = folded(row)
        told = verdict.attributes
        gate = " ".join(str(told[name]) for name in ("gate", "stage") if told.get(name))
        if gate in met:
            continue
        met.add(gate)
        _add(found, "gates", f"{gate} verdict", verdict.status)
        for name, criterion in sorted((told.get("criteria") or {}).items()):
            if isinstance(criterion, Mapping):
                for field in _CRITERION_FIELDS:
                    _add(found, "gates", f"{gate} {name} {field}", criterion.get(field))
    for kind in (NodeKind.APPROVAL, NodeKind.OVERRIDE):
        for row in sorted(origin.get(kind, []), key=lambda row: _newest_first(folded(row)))[:1]:
            told = folded(row).attributes
            for field in ("name", "reason"):
                _add(found, "gates", f"{kind.value} {field}", told.get(field))
            _add(found, "people", f"{kind.value} by", told.get("by"))


def _newest_first(node: FoldedNode) -> tuple[float, str]:
    return (-node.at.timestamp() if node.at else 0.0, str(node.attributes.get("name")))


def _add_run(found: Sections, label: str, attributes: Mapping[str, Any]) -> None:
    """Add a run; of several that have the same field, the later ones are numbered."""
    for use in attributes.get("inputs") or ():
        _add(found, "code" if use["role"] in CODE_ROLES else "data", f"{label} {use['role']}", _content(use))
    for name in ("repository", "commit", "branch", "entry_point"):
        _add(found, "code", f"{label} {name}", (attributes.get("code") or {}).get(name))
    image = attributes.get("image") or {}
    for name in ("uri", "digest"):
        _add(found, "environment", f"{label} image {name}", image.get(name))
    for name, value in (attributes.get("resources") or {}).items():
        _add(found, "environment", f"{label} {name}", value)
    for name, value in (attributes.get("environment") or {}).items():
        _add(found, "environment", f"{label} variable {name}", value)
    for name, value in (attributes.get("packages") or {}).items():
        _add(found, "environment", f"{label} package {name}", value)


def _add(found: Sections, section: Section, field: str, value: Any) -> None:
    if value is None or value == "":
        return
    name, number = field, 1
    while name in found[section]:
        number += 1
        name = f"{field} {number}"
    found[section][name] = value


def _content(use: Mapping[str, Any]) -> str:
    """Return what data was, wherever it lay: digest, objects, bytes; the place, where nothing else is known."""
    if use.get("digest"):
        digest = str(use["digest"]).removeprefix("sha256:")[:_SHORT_DIGEST]
        whole = "" if use.get("complete", True) else "the first "
        objects = "1 object" if use["objects"] == 1 else f"{use['objects']} objects"
        return f"{digest} ({whole}{objects}, {use['bytes']:,} bytes)"
    return f"{use.get('refused') or 'content not known'}: {use['uri']}"


def _changed_places(
    graph: LineageGraph, left: Mapping[NodeKind, list[int]], right: Mapping[NodeKind, list[int]]
) -> list[tuple[str, int, int]]:
    """Return the places that both sides used with different content, and the versions of the two sides."""
    one, other = _places(graph, left), _places(graph, right)
    return [(place, one[place], other[place]) for place in sorted(one.keys() & other) if one[place] != other[place]]


def _changed_objects(place: str, one: _Listing | None, other: _Listing | None) -> list[Difference]:
    """Tell which objects of one place were added, removed or changed; nothing, where a listing is not known."""
    before, after = _manifest(one), _manifest(other)
    if before is None or after is None:
        return []
    kinds = {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(key for key in before.keys() & after.keys() if before[key] != after[key]),
    }
    return [
        Difference(section="data", field=f"{place}: {change}", left=None, right=_listed(keys, place))
        for change, keys in kinds.items()
        if keys
    ]


def _listed(keys: list[str], place: str) -> str:
    shown = ", ".join(key or place.rpartition("/")[2] for key in keys[:_CHANGED_KEYS_SHOWN])
    return shown if len(keys) <= _CHANGED_KEYS_SHOWN else f"{shown} and {len(keys) - _CHANGED_KEYS_SHOWN} more"


def _places(graph: LineageGraph, origin: Mapping[NodeKind, list[int]]) -> dict[str, int]:
    """Return the nearest version of each place among the ancestors; parts are told by their whole."""
    found: dict[str, int] = {}
    for row in origin.get(NodeKind.DATASET_VERSION, []):
        found.setdefault(graph.key(row).rpartition("#")[0], row)
    return {
        place: row
        for place, row in found.items()
        if not any(place.startswith(f"{other}/") for other in found if other != place)
    }


def _manifest(rows: _Listing | None) -> dict[str, tuple[str, int]] | None:
    return {row[0]: (row[2], row[3]) for row in rows} if rows else None
