"""Which node is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import numpy as np

from hallmark.lineage.columns import IS_REUSABLE, KIND_CODES, Integers
from hallmark.lineage.deriving import content_print
from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.index import content_of
from hallmark.lineage.labels import short_name, spoken_names
from hallmark.lineage.model import NodeKind
from hallmark.lineage.references import dataset_id

MAXIMUM_CANDIDATES = 10

_BUCKET_SLASHES = 2
_PRINT_DIGITS = 16
_PIECES = (2, 3)
_PIECE_LENGTH = 3
_NAMES_PER_PIECE = 200
_LEAST_LIKENESS = 0.5
_NEIGHBOURS = 20
_COMPARED_LENGTH = 200

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
_RANKS = np.full(len(KIND_CODES), len(_PREFERENCE), dtype=np.int8)
_RANKS[[KIND_CODES[kind] for kind in _PREFERENCE]] = np.arange(len(_PREFERENCE))
_KINDS = {kind.value: code for kind, code in KIND_CODES.items()}


class Resolution(NamedTuple):
    """The node that is meant; or, where it cannot be told, the likeliest, and whether those are all that may be."""

    row: int | None
    candidates: list[int]
    complete: bool
    ambiguous: bool


class Names:
    """The names of a graph's nodes: those of the compact graph are sorted there, the added ones are few."""

    def __init__(self, graph: LineageGraph) -> None:
        self._graph = graph

    @cached_property
    def _added(self) -> dict[str, list[int]]:
        """Return the names of nodes that were added, or told of again, since the compact graph."""
        found: dict[str, list[int]] = {}
        rows = np.array(self._graph.fresh_nodes, dtype=np.int64)
        for row, name in zip(rows.tolist(), self._graph.names(rows), strict=True):
            for spoken in spoken_names(self._graph.identifier(row), name):
                found.setdefault(spoken, []).append(row)
        return found

    def resolve(self, asked: str) -> Resolution:
        """Tell which node is meant by a key, an ARN, an S3 URI, ``kind:name``, a digest, or a unique part of a name."""
        text = asked.strip()
        for find in (self._exact, self._named, self._of_kind, self._digest):
            rows = self._known(find(text))
            if len(rows):
                return self._choose(rows)
        rows = self._known(self._with_text(text)) if text else np.empty(0, dtype=np.int64)
        if len(rows):
            return self._choose(self._folded(rows))
        likely = self._known(self._enclosing(text), in_order=True)
        if not len(likely):
            likely = self._known(self._closest(text), in_order=True)
        shown = likely[:MAXIMUM_CANDIDATES].tolist()
        return Resolution(None, shown, complete=len(shown) == len(likely), ambiguous=False)

    def containing(self, text: str, kind: NodeKind | None) -> Integers:
        """Return the nodes of a kind (any, for None) whose key or name contains a text; idle parts among them."""
        rows = self._with_text(text) if text else np.arange(self._graph.count)
        return rows if kind is None else rows[self._graph.kinds[rows] == KIND_CODES[kind]]

    def with_content(self, digest: str) -> list[int]:
        """Return the nodes with a content, wherever they lie."""
        prints, rows = self._graph.compact.column("print"), self._graph.compact.column("print_row")
        wanted = np.uint64(content_print(digest))
        alike = rows[np.searchsorted(prints, wanted, "left") : np.searchsorted(prints, wanted, "right")].tolist()
        found = {row for row in (*alike, *self._graph.fresh_nodes) if content_of(self._graph.key(row)) == digest}
        return sorted(self._known(found).tolist())

    # --- ways to ask ---

    def _exact(self, text: str) -> Iterable[int]:
        row = self._graph.find(text)
        if row is not None and self._graph.identifier(row) != text:
            return [row]
        identifier = dataset_id(text) if "://" in text else text
        found = self._graph.incarnations(identifier)
        if not found and identifier.startswith("arn:") and ":sagemaker:" in identifier:
            head, _, resource = identifier.rpartition(":")
            found = self._graph.incarnations(f"{head}:{resource.lower()}")
        return found

    def _named(self, text: str) -> Iterable[int]:
        wanted = text.lower()
        names = self._graph.compact.names
        place = names.place_of(wanted.encode())
        found = self._added.get(wanted, [])
        if place < len(names.ends) and names.name(place) == wanted.encode():
            found = [*names.nodes_of(np.array([place])).tolist(), *found]
        return found

    def _of_kind(self, text: str) -> Integers:
        word, _, rest = text.partition(":")
        kind = _KINDS.get(word)
        if kind is None or not rest:
            return np.empty(0, dtype=np.int64)
        for rows in (np.array([*self._exact(rest), *self._named(rest)], dtype=np.int64), self._with_text(rest)):
            found: Integers = rows[self._graph.kinds[rows] == kind]
            if len(self._known(found)):
                break
        return found

    def _digest(self, text: str) -> Iterable[int]:
        match = re.fullmatch(r"(?:sha256:)?([0-9a-f]{7,64})", text)
        if match is None:
            return []
        digits = match[1]
        low = int(digits[:_PRINT_DIGITS].ljust(_PRINT_DIGITS, "0"), 16)
        high = int(digits[:_PRINT_DIGITS].ljust(_PRINT_DIGITS, "f"), 16)
        prints, rows = self._graph.compact.column("print"), self._graph.compact.column("print_row")
        start, end = np.searchsorted(prints, np.uint64(low), "left"), np.searchsorted(prints, np.uint64(high), "right")
        alike = [*rows[start:end].tolist(), *self._graph.fresh_nodes]
        return [row for row in alike if self._content(row).startswith(digits)]

    def _content(self, row: int) -> str:
        return content_of(self._graph.key(row)).removeprefix("sha256:")

    def _with_text(self, text: str) -> Integers:
        compact, wanted = self._graph.compact, text.lower()
        added = [row for row in self._graph.fresh_nodes if wanted in self._graph.key(row).lower()]
        for name, rows in self._added.items():
            if wanted in name:
                added += rows
        named = compact.names.nodes_of(compact.names.numbers_containing(text))
        return np.unique(np.concatenate((compact.rows_containing(text), named, added)).astype(np.int64))

    def _enclosing(self, text: str) -> Iterable[int]:
        """Return the nearest known dataset that an unknown URI lies in."""
        place = dataset_id(text) if "://" in text else ""
        while place.count("/") > _BUCKET_SLASHES:
            place = place.rpartition("/")[0]
            found = self._graph.incarnations(place)
            if found:
                return found
        return []

    def _closest(self, text: str) -> list[int]:
        """Return the nodes whose names look most like a text.

        Of two names that differ in a letter or two, a half or a third of one is found in the other.
        """
        wanted = short_name(text).lower()[:_COMPARED_LENGTH]
        names = self._graph.compact.names
        place = names.place_of(wanted.encode())
        near = {*range(max(0, place - _NEIGHBOURS), min(len(names.ends), place + _NEIGHBOURS))}
        added: set[str] = set()
        for piece in _pieces(wanted):
            found = names.numbers_containing(piece)
            near.update(found[:: max(1, len(found) // _NAMES_PER_PIECE)].tolist())
            added.update(islice((name for name in self._added if piece in name), _NAMES_PER_PIECE))
        compared = [(names.name(number).decode(), names.nodes_of(np.array([number]))) for number in near]
        compared += [(name, np.array(self._added[name])) for name in added]
        matcher = SequenceMatcher(b=wanted, autojunk=False)
        alike = []
        for name, rows in compared:
            matcher.set_seq1(name)
            if matcher.real_quick_ratio() >= _LEAST_LIKENESS and matcher.quick_ratio() >= _LEAST_LIKENESS:
                alike.append((-matcher.ratio(), name, rows[:MAXIMUM_CANDIDATES].tolist()))
        alike.sort(key=lambda item: item[:2])
        return [row for likeness, _, rows in alike if -likeness >= _LEAST_LIKENESS for row in rows]

    # --- choosing ---

    def _known(self, rows: Iterable[int], *, in_order: bool = False) -> Integers:
        once = dict.fromkeys(rows.tolist() if isinstance(rows, np.ndarray) else rows)
        found = np.array(list(once) if in_order else sorted(once), dtype=np.int64)
        known: Integers = found[self._graph.is_known(found)] if len(found) else found
        return known

    def _folded(self, rows: Integers) -> Integers:
        """Leave out versions of a dataset that is among the nodes itself."""
        if len(rows) > MAXIMUM_CANDIDATES**2:
            return rows
        places = {self._graph.key(row) for row in rows.tolist() if self._graph.kind(row) is NodeKind.DATASET}
        kept = [row for row in rows.tolist() if self._graph.key(row).rpartition("#")[0] not in places]
        return np.array(kept, dtype=np.int64)

    def _choose(self, rows: Integers) -> Resolution:
        """Take the only one; of several resources of one name and kind the newest; otherwise ask."""
        if len(rows) == 1:
            return Resolution(int(rows[0]), [], complete=True, ambiguous=False)
        ranked = self._ranked(rows)
        if len(rows) <= len(self._graph.incarnations(self._graph.identifier(ranked[0]))):
            ids = {self._graph.identifier(row) for row in rows.tolist()}
            if len(ids) == 1 and IS_REUSABLE[self._graph.kinds[ranked[0]]]:
                return Resolution(max(rows.tolist(), key=self._graph.key), [], complete=True, ambiguous=False)
        shown = ranked[:MAXIMUM_CANDIDATES]
        return Resolution(None, shown, complete=len(shown) == len(ranked), ambiguous=True)

    def _ranked(self, rows: Integers) -> list[int]:
        order = np.lexsort((self._graph.ranks.of(rows), _RANKS[self._graph.kinds[rows]]))
        found: list[int] = rows[order].tolist()
        return found


def _pieces(text: str) -> set[str]:
    found = {text} | {
        text[part * len(text) // parts : (part + 1) * len(text) // parts] for parts in _PIECES for part in range(parts)
    }
    return {piece for piece in found if len(piece) >= _PIECE_LENGTH}
