"""One way to write a fact: whoever writes it, whenever, the bytes are the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hallmark.lineage.model import (
    Edge,
    EdgeType,
    Fact,
    NodeKind,
    NodeRef,
    NodeState,
    Origin,
    canonical_fact,
    canonical_json,
)

WHOLE = [0.0, -0.0, 1.0, -5.0, 1e15, 1e16, 123456789012345680.0, 1e22, 1e300]
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(WHOLE)
TEXTS = st.text() | st.sampled_from(["1.0", "1e+16", "10.0.1"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=12,
)
NOW = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
NODE = NodeRef(kind=NodeKind.TRAINING_JOB, id="arn:aws:sagemaker:us-east-1:1:training-job/a", born=NOW)


def with_whole_floats_as_integers(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: with_whole_floats_as_integers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [with_whole_floats_as_integers(item) for item in value]
    return value


@given(VALUES)
def test_whole_floats_are_written_as_integers_and_all_else_as_json_has_it(value: object) -> None:
    expected = json.dumps(
        with_whole_floats_as_integers(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )

    assert canonical_json(value) == expected.encode()


def test_any_mapping_and_any_sequence_is_written_alike() -> None:
    assert canonical_json(MappingProxyType({"b": (1.0, 2), "a": MappingProxyType({})})) == b'{"a":{},"b":[1,2]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), NOW, b"bytes", {1, 2}])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_json([value])


@given(st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), min_size=1, max_size=4), st.sampled_from(Origin))
def test_a_fact_put_together_from_its_parts_is_the_fact_written_whole(
    attributes: list[dict[str, object]], origin: Origin
) -> None:
    states = tuple(NodeState(node=NODE, at=NOW, status="größer", attributes=each) for each in attributes)
    edge = Edge(source=NODE, target=NODE, type=EdgeType.SAME_AS, role="日", valid_from=NOW)
    fact = Fact(subject=NODE, origin=origin, states=states, edges=(edge,) * len(attributes))

    written = canonical_fact(fact)

    assert written.body == canonical_json(fact.model_dump(mode="json"))
    assert written.id == sha256(canonical_json(fact.model_dump(mode="json", exclude={"origin"}))).hexdigest() == fact.id
    parts: list[NodeState | Edge] = [*fact.states, *fact.edges]
    for part in parts:
        assert part.canonical == canonical_json(part.model_dump(mode="json"))
        assert part.digest == sha256(part.canonical).hexdigest()


@given(st.text(min_size=1, max_size=100), st.text(max_size=100), st.datetimes(timezones=st.just(UTC)), st.booleans())
@example('\x00\x1f\x7f\u2028"\\/', "\b\f\n\r\t\ufeff", NOW, True)
def test_an_edge_writes_itself_in_canonical_json(text: str, role: str, when: datetime, exclusive: bool) -> None:
    source = NodeRef(kind=NodeKind.DATASET, id=text)
    target = NodeRef(kind=NodeKind.TRAINING_JOB, id=f"{text}x", born=when)
    edge = Edge(source=source, target=target, type=EdgeType.PRODUCED, role=role, valid_from=when, exclusive=exclusive)

    assert edge.canonical == canonical_json(edge.model_dump(mode="json"))
