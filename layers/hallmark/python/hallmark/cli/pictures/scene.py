"""What is drawn of an answer: a box for one node, or for many alike; a line for what flowed between two boxes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hallmark.cli.looks import label_of, look_of
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import NodeSummary, TracedEdge

KEPT_ALIKE = 3
"""Of more nodes alike than one over this, these many are shown; one box stands for the others."""

# What the shapes at both ends say already.
_SILENT_ROLES = frozenset(
    {
        "",
        "image",
        "code",
        "model",
        "model-data",
        "package",
        "config",
        "created-by",
        "version",
        "part",
        "gathered",
        "member",
        "parent",
        "pipeline",
    }
)


@dataclass(frozen=True)
class Figure:
    """One box.

    Attributes:
        members: The nodes that it stands for, the shown one first.
        others: How many more nodes of the kind it stands for, where the box says "12 more"; else 0.
        is_start: Whether this is what was asked about.
    """

    members: tuple[NodeSummary, ...]
    others: int = 0
    is_start: bool = False

    @property
    def kind(self) -> NodeKind:
        """Return the kind of node."""
        return self.members[0].kind

    @property
    def label(self) -> str:
        """Return the first line: the name, or how many more there are."""
        if self.others:
            look = look_of(self.kind)
            return f"{self.others} more {look.words if self.others > 1 else look.word}"
        node = self.members[0]
        if node.kind is NodeKind.DATASET:
            return node.label.rstrip("/").rpartition("/")[2] or node.label
        return label_of(node)

    @property
    def status(self) -> str:
        """Return the status of the node; of several, how many have which."""
        if not self.others:
            node = self.members[0]
            return "Deleted" if node.deleted else node.status or ""
        counts: dict[str, int] = defaultdict(int)
        for node in self.members:
            if node.kind is self.kind and node.status:
                counts["Deleted" if node.deleted else node.status] += 1
        if len(counts) == 1:
            return next(iter(counts))
        return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


@dataclass(frozen=True)
class Flow:
    """One line between the figures number ``source`` and ``target``; ``past`` where it no longer holds."""

    source: int
    target: int
    roles: tuple[str, ...]
    past: bool

    @property
    def tip(self) -> str:
        """Return all that is known of it, in words."""
        return ", ".join(self.roles) + (" (no longer)" if self.past else "")


@dataclass(frozen=True)
class Scene:
    """All that is drawn. ``cut`` says that the answer was; ``nodes`` counts the nodes behind the figures."""

    title: str
    figures: tuple[Figure, ...]
    flows: tuple[Flow, ...]
    nodes: int
    cut: bool

    def spoken_roles(self, flow: Flow) -> str:
        """Return the roles that the names at both ends do not say already."""
        ends = (self.figures[flow.source].label + " " + self.figures[flow.target].label).lower()
        return ", ".join(role for role in flow.roles if role not in _SILENT_ROLES and role.lower() not in ends)


def compose(
    title: str,
    nodes: Iterable[NodeSummary],
    edges: Iterable[TracedEdge],
    start: str,
    *,
    cut: bool = False,
    fold: bool = True,
) -> Scene:
    """Make the scene of one or more answers.

    Args:
        title: What is shown.
        nodes: Repeats are allowed; the first of each key counts.
        edges: Those with an end that is not among the nodes are left out.
        start: Key of the node that was asked about; it is never folded.
        cut: Whether the answers were cut.
        fold: Whether one box may stand for many nodes alike, and a version for its dataset.
    """
    known: dict[str, NodeSummary] = {}
    for node in nodes:
        known.setdefault(node.key, node)
    roles: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for edge in edges:
        if edge.source in known and edge.target in known:
            held = roles[edge.source, edge.target]
            held[edge.role] = held.get(edge.role, True) and edge.valid_to is not None
    figures = {key: Figure((node,), is_start=key == start) for key, node in known.items()}
    if fold:
        _put_places_into_versions(figures, roles)
        stands_for = _fold_alike(figures, roles.keys(), start)
    else:
        stands_for = {}
    numbers = {key: number for number, key in enumerate(figures)}
    joined: dict[tuple[int, int], dict[str, bool]] = defaultdict(dict)
    for (source, target), found in roles.items():
        ends = (stands_for.get(source, source), stands_for.get(target, target))
        if ends[0] in numbers and ends[1] in numbers:
            held = joined[numbers[ends[0]], numbers[ends[1]]]
            for role, past in found.items():
                held[role] = held.get(role, True) and past
    flows = tuple(
        Flow(source, target, tuple(sorted(filter(None, found))), all(found.values()))
        for (source, target), found in sorted(joined.items())
    )
    return Scene(title, tuple(figures.values()), flows, len(known), cut)


def _put_places_into_versions(figures: dict[str, Figure], roles: dict[tuple[str, str], dict[str, bool]]) -> None:
    """Show a dataset inside the box of its only version, where nothing else is known of it here."""
    into: dict[str, int] = defaultdict(int)
    out: dict[str, list[str]] = defaultdict(list)
    for source, target in roles:
        into[target] += 1
        out[source].append(target)
    for key in list(figures):
        figure = figures[key]
        if figure.kind is not NodeKind.DATASET or figure.is_start or into[key] or len(out[key]) != 1:
            continue
        version = out[key][0]
        if figures[version].kind is NodeKind.DATASET_VERSION and set(roles[key, version]) == {"version"}:
            figures[version] = replace(figures[version], members=figures[version].members + figure.members)
            del figures[key], roles[key, version]


def _fold_alike(figures: dict[str, Figure], edges: Iterable[tuple[str, str]], start: str) -> dict[str, str]:
    """Let one box stand for many nodes alike, together with what hangs on each of them alone.

    Two nodes are alike when they are of one kind, have the same neighbours on one side, and on the other side the same
    neighbours besides such as belong to them alone and are alike in turn: the children of a tuning job with the model
    that each of them made.

    Returns:
        For each key whose figure is gone, the key of the figure that stands for it.
    """
    left: dict[str, set[str]] = {key: set() for key in figures}
    right: dict[str, set[str]] = {key: set() for key in figures}
    for source, target in edges:
        if source != target:
            right[source].add(target)
            left[target].add(source)
    stands_for: dict[str, str] = {}
    for near, beyond in ((left, right), (right, left)):
        _Folding(figures, near, beyond, start, stands_for).fold_all()
    for key in list(stands_for):
        last = stands_for[key]
        while last in stands_for:
            last = stands_for[last]
        stands_for[key] = last
    return stands_for


class _Folding:
    """Folds in one direction; ``near`` and ``beyond`` are the neighbours of each key on both sides."""

    def __init__(
        self,
        figures: dict[str, Figure],
        near: dict[str, set[str]],
        beyond: dict[str, set[str]],
        start: str,
        stands_for: dict[str, str],
    ) -> None:
        self._figures = figures
        self._near = near
        self._beyond = beyond
        self._start = start
        self._stands_for = stands_for
        self._signs: dict[str, object] = {}

    def fold_all(self) -> None:
        """Fold every group of nodes alike, as long as there is one."""
        groups: dict[object, list[str]] = defaultdict(list)
        for key in self._figures:
            if key != self._start and self._near[key]:
                groups[self._figures[key].kind, frozenset(self._near[key]), self._sign(key)].append(key)
        for group in groups.values():
            # What hangs on a node that was folded before is no longer there.
            alive = [key for key in group if key in self._figures and not self._figures[key].others]
            if len(alive) > KEPT_ALIKE + 1:
                alive.sort(key=lambda key: (self._figures[key].label, key))
                self._merge(alive[KEPT_ALIKE:])

    def _own(self, key: str) -> list[str]:
        """Return the neighbours beyond that belong to a node alone."""
        return sorted(other for other in self._beyond[key] if self._near[other] == {key} and other != self._start)

    def _sign(self, key: str) -> object:
        """Return what is the same for nodes that are alike beyond: shared neighbours, and the signs of their own."""
        if key not in self._signs:
            self._signs[key] = ()  # a circle ends here
            own = self._own(key)
            counts: dict[object, int] = defaultdict(int)
            for other in own:
                counts[self._figures[other].kind, self._sign(other)] += 1
            self._signs[key] = (frozenset(self._beyond[key] - set(own)), frozenset(counts.items()))
        return self._signs[key]

    def _merge(self, keys: Sequence[str]) -> None:
        """Put the figures of nodes alike into the first one's, and what they own likewise."""
        alike: dict[object, list[str]] = defaultdict(list)
        for key in keys:
            for other in self._own(key):
                alike[self._figures[other].kind, self._sign(other)].append(other)
        first, *others = keys
        merged = [self._figures[key] for key in keys]
        members = tuple(member for figure in merged for member in figure.members)
        self._figures[first] = Figure(members, others=sum(figure.others or 1 for figure in merged))
        for key in others:
            del self._figures[key]
            self._stands_for[key] = first
            for other in self._near[key]:
                self._beyond[other].discard(key)
            for other in self._beyond[key]:
                self._near[other].discard(key)
                self._near[other].add(first)
                self._beyond[first].add(other)
        for group in alike.values():
            if len(group) > 1:
                self._merge(group)
