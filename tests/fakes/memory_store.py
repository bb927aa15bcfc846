"""Typed stand-ins for the ports of recording; the same contract runs on them and on the AWS adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hallmark.lineage.model import Edge, Fact, NodeKind, NodeState, RecordedFact, canonical_json
from hallmark.lineage.ports import Listing, Pseudonyms, RecordedEdge, RecordedState, StoredObject
from hallmark.lineage.recording import Surroundings
from hallmark.pseudonyms import Trait

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class MemoryStore:
    """FactStore, FactLog and NodeReader over dictionaries."""

    def __init__(self) -> None:
        self._facts: dict[str, RecordedFact] = {}
        self._states: dict[tuple[str, str], RecordedState] = {}
        self._edges: dict[str, RecordedEdge] = {}

    def add(self, fact: Fact, recorded_at: datetime) -> bool:
        if fact.id in self._facts:
            return False
        self._facts[fact.id] = RecordedFact(fact=fact, recorded_at=recorded_at)
        for state in fact.states:
            self._states.setdefault((state.node.id, state.digest), RecordedState(state, recorded_at))
        for edge in fact.edges:
            self._edges.setdefault(edge.model_dump_json(), RecordedEdge(edge, recorded_at))
        return True

    def contains(self, fact_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(fact_ids) & self._facts.keys()

    def since(self, recorded_after: datetime | None) -> Iterator[RecordedFact]:
        for recorded in sorted(self._facts.values(), key=lambda item: (item.recorded_at, item.fact.id)):
            if recorded_after is None or recorded.recorded_at >= recorded_after:
                yield recorded

    def states(self, node_id: str) -> Sequence[RecordedState]:
        return [recorded for (identifier, _), recorded in sorted(self._states.items()) if identifier == node_id]

    def edges_from(self, node_id: str) -> Sequence[RecordedEdge]:
        return [recorded for _, recorded in sorted(self._edges.items()) if recorded.edge.source.id == node_id]

    def edges_to(self, node_id: str) -> Sequence[RecordedEdge]:
        return [recorded for _, recorded in sorted(self._edges.items()) if recorded.edge.target.id == node_id]

    @property
    def facts(self) -> list[Fact]:
        return [recorded.fact for recorded in self.since(None)]

    @property
    def all_states(self) -> list[NodeState]:
        return [recorded.state for _, recorded in sorted(self._states.items())]

    @property
    def all_edges(self) -> list[Edge]:
        return [recorded.edge for _, recorded in sorted(self._edges.items())]

    def snapshot(self) -> bytes:
        """Return the graph, byte for byte: states and edges, without who told of them and when."""
        return canonical_json(
            {
                "states": [state.model_dump(mode="json") for state in self.all_states],
                "edges": [edge.model_dump(mode="json") for edge in self.all_edges],
            }
        )


class KnownResources:
    """Describer over a dictionary of ARN or name."""

    def __init__(
        self,
        descriptions: Mapping[str, Mapping[str, Any]] | None = None,
        tags: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.descriptions = dict(descriptions or {})
        self.all_tags = dict(tags or {})
        self.asked: list[str] = []

    def describe(self, kind: NodeKind, identifier: str) -> Mapping[str, Any] | None:
        self.asked.append(identifier)
        return self.descriptions.get(identifier)

    def tags(self, arn: str) -> Mapping[str, str]:
        return self.all_tags.get(arn, {})


class KnownContents:
    """ContentReader over a dictionary of URI; what is not in it does not exist."""

    def __init__(self, listings: Mapping[str, Sequence[StoredObject]] | None = None) -> None:
        self.listings = dict(listings or {})
        self.refused: dict[str, str] = {}
        """By URI, why it may not be read."""
        self.asked: list[str] = []

    def listing(self, uri: str, as_of: datetime | None, limit: int) -> Listing:
        self.asked.append(uri)
        if uri in self.refused:
            return Listing((), complete=True, refused=self.refused[uri])
        found = self.listings.get(uri)
        if found is None:
            return Listing((), complete=True, refused="NoSuchBucket: the bucket does not exist")
        return Listing(found[:limit], complete=len(found) <= limit)


class KnownImages:
    """ImageResolver over a dictionary."""

    def __init__(self, digests: Mapping[str, str] | None = None) -> None:
        self.digests = dict(digests or {})

    def digest(self, image_uri: str) -> str | None:
        return self.digests.get(image_uri)


class KeptManifests:
    """ManifestStore over a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, Sequence[StoredObject]] = {}

    def put(self, digest: str, listing: Sequence[StoredObject]) -> str:
        self.kept[digest] = listing
        return f"s3://lineage/manifests/{digest.removeprefix('sha256:')}.json.gz"


class NobodyHidden:
    """Pseudonyms that leave everybody named: for tests of what facts say; tests/unit/erasure has those of people."""

    def tokens(self, traits: Sequence[Trait]) -> Mapping[Trait, str]:
        return {trait: trait.text for trait in traits}


def surroundings(
    store: MemoryStore | None = None,
    *,
    describer: KnownResources | None = None,
    contents: KnownContents | None = None,
    images: KnownImages | None = None,
    account: str | None = None,
    people: Pseudonyms | None = None,
    machines: tuple[str, ...] = (),
    now: datetime = NOW,
    object_limit: int = 10_000,
) -> Surroundings:
    """Return surroundings in which nothing exists but what is given."""
    return Surroundings(
        store=store or MemoryStore(),
        describer=describer or KnownResources(),
        contents=contents or KnownContents(),
        images=images or KnownImages(),
        manifests=KeptManifests(),
        people=people or NobodyHidden(),
        clock=lambda: now,
        account=account,
        object_limit=object_limit,
        machines=machines,
    )


def stored(key: str, content: str = "content", *, version: str = "", at: datetime = NOW) -> StoredObject:
    """Return an object whose identity follows from its content."""
    return StoredObject(key=key, version_id=version, identity=f"etag:{content}", size=len(content), modified_at=at)
