"""Facts made for tests of the graph: small, with times in minutes since one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from hallmark.lineage.model import (
    Edge,
    EdgeType,
    Fact,
    Instant,
    NodeKind,
    NodeRef,
    NodeState,
    Origin,
    RecordedFact,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
PREFIX = "arn:aws:sagemaker:us-east-1:111122223333"


def minute(number: float) -> Instant:
    return START + timedelta(minutes=number)


def node(kind: NodeKind, name: str, born: float | None = None) -> NodeRef:
    return NodeRef(kind=kind, id=f"{PREFIX}:{kind.value}/{name}", born=None if born is None else minute(born))


def version(place: str, digest: str) -> NodeRef:
    return NodeRef(kind=NodeKind.DATASET_VERSION, id=f"{place}#sha256:{digest}")


def place(uri: str) -> NodeRef:
    return NodeRef(kind=NodeKind.DATASET, id=uri)


def edge(
    source: NodeRef,
    target: NodeRef,
    kind: EdgeType = EdgeType.CONTRIBUTED_TO,
    role: str = "",
    at: float = 0,
    *,
    exclusive: bool = False,
) -> Edge:
    return Edge(source=source, target=target, type=kind, role=role, valid_from=minute(at), exclusive=exclusive)


def fact(
    subject: NodeRef,
    *edges: Edge,
    status: str | None = "Completed",
    at: float = 0,
    recorded: float = 0,
    others: tuple[NodeState, ...] = (),
    **attributes: Any,
) -> RecordedFact:
    state = NodeState(node=subject, at=minute(at), status=status, attributes=attributes)
    made = Fact(subject=subject, origin=Origin.EVENT, states=(state, *others), edges=edges)
    return RecordedFact(fact=made, recorded_at=minute(recorded))


@st.composite
def histories(draw: st.DrawFn, largest: int = 14) -> list[RecordedFact]:
    """Draw facts in which everything happens that deriving must tell apart.

    Names that are used again after a deletion, references with and without a birth, configs that follow each other,
    content that turns up in several places, parts and wholes, and facts that were learned late. No two facts are equal.
    """
    moments = st.integers(0, 9)
    named = st.builds(
        lambda kind, name, born: node(kind, name, born=born),
        st.sampled_from([NodeKind.MODEL, NodeKind.ENDPOINT_CONFIG, NodeKind.ENDPOINT, NodeKind.TRAINING_JOB]),
        st.sampled_from("ab"),
        st.sampled_from([None, 0, 4]),
    )
    contents = st.builds(version, st.sampled_from(["s3://b/x", "s3://b/x/part", "s3://c/y"]), st.sampled_from("pqr"))
    places = st.builds(place, st.sampled_from(["s3://b/x", "s3://b/x/part", "s3://c/y"]))
    runs = st.builds(lambda name: node(NodeKind.PIPELINE_EXECUTION, name), st.sampled_from("mn"))
    links = st.one_of(
        st.tuples(
            contents, st.one_of(named, runs), st.just(EdgeType.CONTRIBUTED_TO), st.sampled_from(["train", "raw"])
        ),
        st.tuples(st.one_of(named, runs), contents, st.just(EdgeType.PRODUCED), st.just("model")),
        st.tuples(runs, places, st.just(EdgeType.PRODUCED), st.just("model")),
        st.tuples(contents, contents, st.just(EdgeType.DERIVED_FROM), st.sampled_from(["part", "gathered"])),
        st.tuples(places, contents, st.just(EdgeType.ASSOCIATED_WITH), st.just("version")),
        st.tuples(runs, named, st.just(EdgeType.ASSOCIATED_WITH), st.just("parent")),
        st.tuples(named, named, st.just(EdgeType.CONTRIBUTED_TO), st.sampled_from(["config", "model"])),
    ).filter(lambda link: link[0] != link[1])
    facts: dict[str, RecordedFact] = {}
    for subject, told, status, at, recorded, title in draw(
        st.lists(
            st.tuples(
                st.one_of(named, runs),
                st.lists(st.tuples(links, moments), max_size=3),
                st.sampled_from([None, "InProgress", "Completed", "Failed", "Deleted"]),
                moments,
                moments,
                st.sampled_from([None, "A", "a", "Other"]),
            ),
            min_size=1,
            max_size=largest,
        )
    ):
        edges = [
            edge(source, target, kind, role, begun, exclusive=role == "config")
            for (source, target, kind, role), begun in told
        ]
        attributes = {} if title is None else {"name": title}
        made = fact(subject, *edges, status=status, at=at, recorded=recorded, **attributes)
        facts.setdefault(made.fact.id, made)
    return list(facts.values())
