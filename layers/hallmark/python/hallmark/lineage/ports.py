"""What recording and asking need from the outside world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from hallmark.lineage.model import Edge, Fact, NodeKind, NodeState, RecordedFact
from hallmark.pseudonyms import Trait


class FactStore(Protocol):
    """Where facts are kept, and the graph that they make."""

    def add(self, fact: Fact, recorded_at: datetime) -> bool:
        """Add the fact with its states and edges, all or nothing; tell whether it was new. A repeat changes nothing."""
        ...

    def contains(self, fact_ids: Sequence[str]) -> frozenset[str]:
        """Return which of these facts are recorded."""
        ...


class FactLog(Protocol):
    """All facts in the order in which we learned of them."""

    def since(self, recorded_after: datetime | None) -> Iterator[RecordedFact]:
        """Yield the facts recorded after a time (all, for None); one at the edge may come twice, none is left out."""
        ...


class RecordedState(NamedTuple):
    """A state and when we learned of it."""

    state: NodeState
    recorded_at: datetime


class RecordedEdge(NamedTuple):
    """An edge and when we learned of it."""

    edge: Edge
    recorded_at: datetime


class NodeReader(Protocol):
    """One node with its neighbours, by key, as fresh as the table."""

    def states(self, node_id: str) -> Sequence[RecordedState]:
        """Return all states of a node id (every incarnation); none for an unknown id."""
        ...

    def edges_from(self, node_id: str) -> Sequence[RecordedEdge]:
        """Return the edges that leave a node id."""
        ...

    def edges_to(self, node_id: str) -> Sequence[RecordedEdge]:
        """Return the edges that reach a node id."""
        ...


class Describer(Protocol):
    """SageMaker's and Bedrock's own word on a resource."""

    def describe(self, kind: NodeKind, identifier: str) -> Mapping[str, Any] | None:
        """Return what Describe answers for an ARN or name (AWS's field names, aware times); None: it does not exist."""
        ...

    def tags(self, arn: str) -> Mapping[str, str]:
        """Return a resource's tags; none for a resource that does not exist."""
        ...


class StoredObject(NamedTuple):
    """One object of a listing.

    ``key`` is relative to the listed URI ("" for the object itself), ``identity`` is ``sha256:…``, ``crc64nvme:…`` or
    ``etag:…``, ``version_id`` is "" in a bucket without versions.
    """

    key: str
    version_id: str
    identity: str
    size: int
    modified_at: datetime


class Listing(NamedTuple):
    """What lies under an S3 URI, up to a bound.

    ``complete`` is False where the bound was met; ``refused`` says why nothing could be read (no such bucket, access
    denied), and is None where reading worked.
    """

    objects: Sequence[StoredObject]
    complete: bool
    refused: str | None = None


class ContentReader(Protocol):
    """What lies in S3."""

    def listing(self, uri: str, as_of: datetime | None, limit: int) -> Listing:
        """List the newest version of each object that existed at ``as_of`` (now, for None), ordered by key."""
        ...


class ImageResolver(Protocol):
    """Which image a tag means."""

    def digest(self, image_uri: str) -> str | None:
        """Return ``sha256:…`` for an image URI; None where it cannot be known."""
        ...


class ManifestReader(Protocol):
    """Reads the listings of large datasets."""

    def listing(self, uri: str) -> Sequence[Sequence[Any]] | None:
        """Return ``[key, version id, identity, size]`` of each object; None where the listing is not kept."""
        ...


class ManifestStore(Protocol):
    """Where the listings of large datasets are kept."""

    def put(self, digest: str, listing: Sequence[StoredObject]) -> str:
        """Keep a listing, once; return its URI."""
        ...


class Pseudonyms(Protocol):
    """Keeps people apart from facts, and gives the tokens that stand in facts for them."""

    def tokens(self, traits: Sequence[Trait]) -> Mapping[Trait, str]:
        """Return the token of each trait; the same one for as long as the person is not forgotten."""
        ...


class PersonNames(Protocol):
    """Who the people are for whom tokens stand."""

    def names(self, tokens: Iterable[str]) -> Mapping[str, str]:
        """Return what tokens stand for; a token whose person was forgotten has nothing."""
        ...

    def known_token(self, trait: Trait) -> str | None:
        """Return the token of a trait; None where it has none."""
        ...
