"""Recording: from an event, or from a description that no event told of, to one immutable fact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.envelope import Event, read_envelope
from hallmark.lineage.hiding import without_people
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeRef, NodeState, Origin
from hallmark.lineage.ports import ContentReader, Describer, FactStore, ImageResolver, ManifestStore, Pseudonyms
from hallmark.lineage.references import dataset_id, dataset_ref, image_ref, version_ref
from hallmark.lineage.snapshot import REMEMBERED, Part, Snapshot, take_snapshot
from hallmark.lineage.translation import (
    ROLE_LENGTH,
    DataUse,
    FactDraft,
    draft_fact,
    is_of,
    needs_description,
    needs_tags,
    subject_of,
)

INLINE_MANIFEST_OBJECTS = 100
"""Listings up to this length are kept in the fact; longer ones in the manifest store."""


@dataclass(frozen=True)
class Surroundings:
    """What recording needs of the outside world."""

    store: FactStore
    describer: Describer
    contents: ContentReader
    images: ImageResolver
    manifests: ManifestStore
    people: Pseudonyms
    clock: Callable[[], datetime]
    account: str | None = None
    object_limit: int = 10_000
    machines: tuple[str, ...] = ()
    """Patterns of ARNs and names that are no people's, though AWS takes them for users."""


class Recording(NamedTuple):
    """What came of an observation."""

    fact: Fact
    new: bool
    refusals: tuple[str, ...]
    """Datasets whose content could not be read, with the reason."""


def record_event(raw: object, surroundings: Surroundings) -> Recording:
    """Record what an event tells of, with everything that must be asked at once.

    Raises:
        InvalidInputError: The event can never be recorded.
        UnavailableError: A service did not answer; the same event may be recorded later.
    """
    event = read_envelope(raw, account=surroundings.account)
    with _naming_what_is_too_long():
        draft, origin = _observe(event, surroundings)
        completion = _Completion(draft, surroundings)
        fact = completion.fact(origin)
    return record_fact(fact, surroundings, completion.refusals)


def record_description(
    resource: str,
    arn: str,
    description: Mapping[str, Any],
    surroundings: Surroundings,
    *,
    tags: Mapping[str, str] | None = None,
) -> Recording:
    """Record what Describe answered for a resource that no event told of.

    Args:
        resource: The word for its kind (``training-job`` …); ``pipeline-step`` takes the fields of the step's event.
        arn: Its ARN.
        description: The answer, with AWS's field names.
        surroundings: The outside world.
        tags: Its tags.

    Raises:
        UnavailableError: A service did not answer; the same may be recorded later.
    """
    with _naming_what_is_too_long():
        draft = draft_fact(resource, arn, description=description, tags=tags, asked=True)
        completion = _Completion(draft, surroundings)
        fact = completion.fact(Origin.RECONCILED)
    return record_fact(fact, surroundings, completion.refusals)


def _observe(event: Event, surroundings: Surroundings) -> tuple[FactDraft, Origin]:
    subject = subject_of(event)
    asked = needs_description(subject)
    description = None
    if asked:
        description = surroundings.describer.describe(subject.kind, subject.identifier)
        if description is not None and not is_of(event, description):
            description = None
    tags = None
    if needs_tags(event, subject) and not (asked and description is None):
        tags = surroundings.describer.tags(subject.arn)
    draft = draft_fact(
        event.resource,
        subject.arn,
        detail=event.detail,
        description=description,
        asked=asked,
        tags=tags,
        event_time=event.time,
    )
    return draft, Origin.DESCRIBED if description is not None else Origin.EVENT


def record_fact(fact: Fact, surroundings: Surroundings, refusals: Sequence[str] = ()) -> Recording:
    """Record a fact, with tokens where it names people: nothing else adds facts.

    Raises:
        UnavailableError: A service did not answer; the same may be recorded later.
    """
    kept = without_people(fact, surroundings.people, surroundings.machines)
    return Recording(kept, surroundings.store.add(kept, surroundings.clock()), tuple(refusals))


@contextmanager
def _naming_what_is_too_long() -> Iterator[None]:
    """Refuse what the graph's own models refuse: an identifier that is longer than any of AWS's."""
    try:
        yield
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join((error.title, *(str(step) for step in fault["loc"])))
        raise InvalidInputError(field, fault["input"], f"{fault['msg']}; send it as AWS spells it") from None


class _Completion:
    """Looks at the data and the images of a draft, and makes the fact."""

    def __init__(self, draft: FactDraft, surroundings: Surroundings) -> None:
        self._draft = draft
        self._surroundings = surroundings
        self._since = draft.since or draft.at
        self._states: dict[str, NodeState] = {}
        self._edges: dict[bytes, Edge] = {}
        self._snapshots: dict[tuple[str, datetime | None], Snapshot] = {}
        self.refusals: list[str] = []

    def fact(self, origin: Origin) -> Fact:
        draft = self._draft
        for edge in draft.edges:
            self._add_edge(edge)
        for image in draft.images:
            self._add_image(image.uri, image.digest)
        for use in draft.data:
            self._add_data(use)
        subject = NodeState(node=draft.subject, at=draft.at, status=draft.status, attributes=draft.attributes)
        others = [*draft.others, *self._states.values()]
        return Fact(
            subject=draft.subject,
            origin=origin,
            states=(
                subject,
                *sorted(draft.earlier, key=lambda state: state.digest),
                *sorted(others, key=lambda state: state.digest),
            ),
            edges=tuple(sorted(self._edges.values(), key=_edge_order)),
        )

    def _add_image(self, uri: str, digest: str | None) -> None:
        digest = digest or self._surroundings.images.digest(uri)
        described = {"uri": uri, **({"digest": digest} if digest else {})}
        self._draft.attributes.setdefault("image", described)
        node = image_ref(uri, digest)
        self._add_state(NodeState(node=node, attributes=described))
        self._flow(node, self._draft.subject, EdgeType.CONTRIBUTED_TO, "image")

    def _add_data(self, use: DataUse) -> None:
        place = dataset_ref(use.uri)
        entry: dict[str, Any] = {"role": use.role, "uri": place.id}
        if use.content_type:
            entry["content_type"] = use.content_type
        for content in self._contents_of(place, use, entry):
            if use.produced:
                self._flow(self._draft.subject, content, EdgeType.PRODUCED, use.role, use.as_of or self._draft.at)
            else:
                self._flow(content, self._draft.subject, EdgeType.CONTRIBUTED_TO, use.role)
        if use.listed:
            self._draft.attributes.setdefault(use.listed, []).append(entry)

    def _contents_of(self, place: NodeRef, use: DataUse, entry: dict[str, Any]) -> list[NodeRef]:
        """Return what was used: what whoever tells says, and what a look at the place shows; each joins others."""
        when = use.as_of or self._draft.at if use.produced else self._since
        told = self._told(place, use.digest, entry, when) if use.digest else None
        if use.announced:
            entry["announced"] = True
            return [] if told is None else [told]
        if not place.id.startswith("s3://"):
            return [told or place]
        seen = self._describe(place, self._snapshot(place.id, use.as_of), use, entry)
        if told is None or seen == told:
            return [seen]
        return [told] if seen == place else [told, seen]

    def _told(self, place: NodeRef, digest: str, entry: dict[str, Any], when: datetime) -> NodeRef:
        """Add the version whose digest somebody else told."""
        version = version_ref(place.id, digest)
        entry.update(version=version.id, digest=digest)
        self._add_state(NodeState(node=version, attributes={"uri": place.id, "digest": digest}))
        self._flow(place, version, EdgeType.ASSOCIATED_WITH, "version", when)
        return version

    def _describe(self, place: NodeRef, snapshot: Snapshot, use: DataUse, entry: dict[str, Any]) -> NodeRef:
        """Add the version that a snapshot shows; return the node that the use is an edge to."""
        if snapshot.refused is not None:
            entry["refused"] = snapshot.refused
            self.refusals.append(f"{place.id}: {snapshot.refused}")
            return place
        entry.update(objects=len(snapshot.objects), bytes=snapshot.size, complete=snapshot.complete)
        if snapshot.changed_after:
            # Nobody can say what the run read: the edge goes to the place, not to a content that may be another.
            entry["changed_after"] = snapshot.changed_after
            return place
        if snapshot.digest is None:
            return place
        version = version_ref(place.id, snapshot.digest)
        entry.update(version=version.id, digest=snapshot.digest)
        self._add_version(version, place, snapshot)
        when = use.as_of or self._draft.at if use.produced else self._since
        for part in snapshot.parts:
            shown = _shown_part(place.id, part)
            self._add_state(shown.state)
            inside = shown.state.node
            self._flow(shown.place, inside, EdgeType.ASSOCIATED_WITH, "version", when)
            # What a run wrote as a whole may be read in parts; what several runs wrote in parts may be read as a whole.
            if use.produced:
                self._flow(version, inside, EdgeType.DERIVED_FROM, "part", when)
            else:
                self._flow(inside, version, EdgeType.DERIVED_FROM, "gathered", when)
        self._flow(place, version, EdgeType.ASSOCIATED_WITH, "version", when)
        return version

    def _add_version(self, version: NodeRef, place: NodeRef, snapshot: Snapshot) -> None:
        attributes: dict[str, Any] = {
            "uri": place.id,
            "digest": snapshot.digest,
            "objects": len(snapshot.objects),
            "bytes": snapshot.size,
            "complete": snapshot.complete,
            "identity": snapshot.identity,
        }
        if not snapshot.parts_complete:
            attributes["parts_complete"] = False
        if len(snapshot.objects) <= INLINE_MANIFEST_OBJECTS:
            attributes["manifest"] = [
                [item.key, item.version_id, item.identity, item.size] for item in snapshot.objects
            ]
        else:
            attributes["manifest_uri"] = self._surroundings.manifests.put(snapshot.digest or "", snapshot.objects)
        self._add_state(NodeState(node=version, attributes=attributes))

    def _snapshot(self, uri: str, as_of: datetime | None) -> Snapshot:
        key = (uri, as_of)
        if key not in self._snapshots:
            listing = self._surroundings.contents.listing(uri, as_of, self._surroundings.object_limit)
            self._snapshots[key] = take_snapshot(listing, as_of)
        return self._snapshots[key]

    def _flow(
        self, source: NodeRef, target: NodeRef, kind: EdgeType, role: str, valid_from: datetime | None = None
    ) -> None:
        self._add_edge(
            Edge(
                source=source,
                target=target,
                type=kind,
                role=role[:ROLE_LENGTH],
                valid_from=valid_from or self._since,
            )
        )

    def _add_edge(self, edge: Edge) -> None:
        self._edges.setdefault(edge.canonical, edge)

    def _add_state(self, state: NodeState) -> None:
        self._states.setdefault(state.digest, state)


class _ShownPart(NamedTuple):
    """Where a part of a dataset lies, and the version of it that a snapshot shows."""

    place: NodeRef
    state: NodeState


@lru_cache(maxsize=REMEMBERED)
def _shown_part(place: str, part: Part) -> _ShownPart:
    uri = f"{place}/{part.path}"
    attributes = {
        "uri": dataset_id(uri),
        "digest": part.digest,
        "objects": part.objects,
        "bytes": part.size,
        "complete": True,
    }
    return _ShownPart(dataset_ref(uri), NodeState(node=version_ref(uri, part.digest), attributes=attributes))


def _edge_order(edge: Edge) -> tuple[object, ...]:
    source, target = edge.source, edge.target
    return (
        *(source.kind, source.id, source.born is None, str(source.born)),
        *(target.kind, target.id, target.born is None, str(target.born)),
        *(edge.type, edge.role, edge.valid_from, edge.exclusive),
    )
