"""Which node is meant, and what a node is called."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cached_property
from typing import NamedTuple

from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import NodeKind
from hallmark.lineage.references import REUSABLE_KINDS, dataset_id
from hallmark.lineage.rows import KIND_CODES

MAXIMUM_CANDIDATES = 10
_SHORT_DIGEST = 8
_BUCKET_SLASHES = 2
_COMPARED_NAMES = 5_000
"""Names among which the closest are looked for; comparing is slow, an unknown node must answer at once."""

# What people mean by a bare name, first.
_PREFERENCE = (
    NodeKind.ENDPOINT,
    NodeKind.MODEL_PACKAGE_GROUP,
    NodeKind.MODEL_PACKAGE,
    NodeKind.MODEL,
    NodeKind.TRAINING_JOB,
    NodeKind.TUNING_JOB,
    NodeKind.PROCESSING_JOB,
)
_RANK = {KIND_CODES[kind]: rank for rank, kind in enumerate(_PREFERENCE)}


class Resolution(NamedTuple):
    """The node that is meant; or, where it cannot be told, those that may be."""

    row: int | None
    candidates: list[int]
    ambiguous: bool


class Names:
    """The names of a graph's nodes; made once per graph."""

    def __init__(self, graph: LineageGraph) -> None:
        self._graph = graph

    @cached_property
    def _by_key(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self._graph.keys) if self._graph.known[row]}

    @cached_property
    def _by_id(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row in self._by_key.values():
            found.setdefault(self._graph.ids[row], []).append(row)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row in self._by_key.values():
            identifier = self._graph.ids[row]
            names = {short_name(identifier).lower(), self.name(row).lower()}
            package = _package(identifier)
            if package is not None:
                names |= {package.replace("/", separator) for separator in ("/", ":", " v")}
            for name in sorted(names):
                found.setdefault(name, []).append(row)
        return found

    def name(self, row: int) -> str:
        """Return the name that a node's states give it, else the end of its id."""
        for state in reversed(self._graph.states_of(row)):
            name = self._graph.texts[int(self._graph.state_name[state])]
            if name:
                return name
        return short_name(self._graph.ids[row])

    def label(self, row: int) -> str:  # noqa: PLR0911 - one case a kind
        """Return a node's short name for people: versions and digests shortened."""
        identifier, kind = self._graph.ids[row], self._graph.kind(row)
        if kind is NodeKind.DATASET_VERSION:
            place, _, digest = identifier.rpartition("#")
            number = self._graph.version_numbers.get(row, 0)
            return f"{short_name(place)} v{number} ({digest.removeprefix('sha256:')[:_SHORT_DIGEST]})"
        if kind is NodeKind.DATASET:
            return identifier
        if kind is NodeKind.IMAGE:
            name = identifier.rpartition("/")[2]
            repository, _, digest = name.partition("@sha256:")
            return f"{repository}@{digest[:_SHORT_DIGEST]}" if digest else name
        if kind is NodeKind.CODE:
            place, _, commit = identifier.removeprefix("git:").rpartition("@")
            return f"{short_name(place).removesuffix('.git') or 'commit'}@{commit[:_SHORT_DIGEST]}"
        package = _package(identifier) if kind is NodeKind.MODEL_PACKAGE else None
        if package is not None:
            return package.replace("/", " v")
        if kind is NodeKind.PIPELINE_EXECUTION:
            return "/".join(identifier.split("/")[-3:][::2])
        return self.name(row)

    def resolve(self, asked: str) -> Resolution:
        """Tell which node is meant by a key, an ARN, an S3 URI, ``kind:name``, a digest, or a unique part of a name."""
        text = asked.strip()
        for exact in (self._exact(text), self._named(text), self._digest(text)):
            if exact:
                return self._choose(exact)
        kind, _, rest = text.partition(":")
        if kind in {item.value for item in NodeKind} and rest:
            found = [row for row in self._named(rest) + self._containing(rest) if self._graph.kind(row).value == kind]
            if found:
                return self._choose(list(dict.fromkeys(found)))
        containing = self._containing(text)
        if len(containing) == 1:
            return Resolution(containing[0], [], ambiguous=False)
        if containing:
            return Resolution(None, self._ranked(containing)[:MAXIMUM_CANDIDATES], ambiguous=True)
        return Resolution(None, self._enclosing(text) or self._closest(text), ambiguous=False)

    def containing(self, text: str, kind: NodeKind | None) -> list[int]:
        """Return the nodes of a kind (any, for None) whose key or name contains a text."""
        found = self._containing(text) if text else list(self._by_key.values())
        return [row for row in found if kind is None or self._graph.kind(row) is kind]

    def _exact(self, text: str) -> list[int]:
        if text in self._by_key:
            return [self._by_key[text]]
        identifier = dataset_id(text) if "://" in text else text
        if identifier.startswith("arn:") and ":sagemaker:" in identifier:
            head, _, resource = identifier.rpartition(":")
            identifier = f"{head}:{resource.lower()}"
            if identifier in self._by_key:
                return [self._by_key[identifier]]
        return self._by_id.get(identifier, [])

    def _named(self, text: str) -> list[int]:
        return self._by_name.get(text.lower(), [])

    def _digest(self, text: str) -> list[int]:
        match = re.fullmatch(r"(?:sha256:)?([0-9a-f]{7,64})", text)
        if match is None:
            return []
        return [row for key, row in self._by_key.items() if f"sha256:{match[1]}" in key or f"@{match[1]}" in key]

    def _containing(self, text: str) -> list[int]:
        wanted = text.lower()
        found = {row for key, row in self._by_key.items() if wanted in key.lower()}
        for name, rows in self._by_name.items():
            if wanted in name:
                found.update(rows)
        return sorted(found, key=lambda row: self._graph.keys[row])

    def _choose(self, rows: list[int]) -> Resolution:
        """Take the only one; of several resources of one name and kind the newest; otherwise ask."""
        if len(rows) == 1:
            return Resolution(rows[0], [], ambiguous=False)
        ids = {self._graph.ids[row] for row in rows}
        if len(ids) == 1 and self._graph.kind(rows[0]) in REUSABLE_KINDS:
            return Resolution(max(rows, key=lambda row: self._graph.keys[row]), [], ambiguous=False)
        return Resolution(None, self._ranked(rows)[:MAXIMUM_CANDIDATES], ambiguous=True)

    def _ranked(self, rows: list[int]) -> list[int]:
        return sorted(rows, key=lambda row: (_RANK.get(int(self._graph.kinds[row]), len(_RANK)), self._graph.keys[row]))

    def _enclosing(self, text: str) -> list[int]:
        """Return the nearest known dataset that an unknown URI lies in."""
        place = dataset_id(text) if "://" in text else ""
        while place.count("/") > _BUCKET_SLASHES:
            place = place.rpartition("/")[0]
            if place in self._by_id:
                return self._by_id[place]
        return []

    def _closest(self, text: str) -> list[int]:
        wanted = text.lower()
        near = [name for name in self._by_name if name[:1] == wanted[:1]] or list(self._by_name)
        names = get_close_matches(wanted, near[:_COMPARED_NAMES], n=MAXIMUM_CANDIDATES, cutoff=0.5)
        return list(dict.fromkeys(row for name in names for row in self._by_name[name]))[:MAXIMUM_CANDIDATES]


def short_name(identifier: str) -> str:
    """Return the end of an id: what follows the last slash, without a snapshot's digest."""
    return identifier.partition("#")[0].rstrip("/").rpartition("/")[2] or identifier


def _package(identifier: str) -> str | None:
    """Return ``group/version`` of a versioned model package."""
    match = re.search(r":model-package/([^/]+/\d+)$", identifier)
    return match[1] if match else None
