"""Semantic versions: each step by its rule, whatever the order in which facts were learned."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.lineage.model import NodeKind, NodeRef, NodeState, RecordedFact
from hallmark.lineage.questions import ShowAnswer, ShowQuestion
from hallmark.lineage.surveyed import DiffAnswer, DiffQuestion, ListAnswer, ListQuestion
from hallmark.lineage.versions import Change, Contents, Step, data_step, numbers
from tests.fakes.lineage_facts import edge, fact, minute, node, place
from tests.fakes.shipped_model import (
    NEW_IMAGE,
    answerer,
    asked,
    content,
    described,
    listed,
    package,
    story,
    trained,
)

Row = tuple[str, str, int]
PLACE = "s3://data/train"
A, B, C = (("a.csv", "etag:a", 1), ("b.csv", "etag:b", 2), ("c.csv", "etag:c", 3))


def shown(name: str, facts: list[RecordedFact], **times: object) -> ShowAnswer:
    answer = asked(facts, ShowQuestion.model_validate({"node": name, "versions": True, **times}))
    assert isinstance(answer, ShowAnswer)
    return answer


def versions(facts: list[RecordedFact], **times: object) -> list[tuple[str, str]]:
    return [(step.version, step.change) for step in shown("model-package-group:churn", facts, **times).versions]


def test_each_version_of_a_model_says_what_made_it_one() -> None:
    facts = [
        *trained(1, 10, data="january"),
        *trained(2, 20, data="january"),
        *trained(3, 30, data="january", image=NEW_IMAGE),
        *trained(4, 40, data="february"),
        *trained(5, 50, data="february", content_types=("application/json",)),
        *trained(6, 60, data="february", content_types=("application/json",)),
    ]
    steps = shown("model-package-group:churn", facts).versions

    assert [(step.version, step.change) for step in steps] == [
        ("1.0.0", "first"),
        ("1.0.1", "patch"),
        ("1.0.2", "patch"),
        ("1.1.0", "minor"),
        ("2.0.0", "major"),
        ("2.0.1", "patch"),
    ]
    assert [step.reason for step in steps[1:5]] == [
        "trained anew on the same data",
        "trained anew on the same data with other image",
        "other training data: train",
        "the interface changed: content types",
    ]
    assert all(step.certain for step in steps)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_in_which_versions_became_known_does_not_matter(order: tuple[int, ...]) -> None:
    places = ("january", "january", "february")
    made = [trained(number + 1, 10.0 * number, data=data, recorded=100 + order[number])
            for number, data in enumerate(places)]  # fmt: skip

    assert versions([each for number in order for each in made[number]]) == [
        ("1.0.0", "first"),
        ("1.0.1", "patch"),
        ("1.1.0", "minor"),
    ]


def test_a_version_that_was_not_known_yet_is_not_counted() -> None:
    facts = [
        *trained(1, 10, data="a"),
        *trained(2, 20, data="b", recorded=99),
        *trained(3, 30, data="b"),
    ]

    assert versions(facts) == [("1.0.0", "first"), ("1.1.0", "minor"), ("1.1.1", "patch")]
    assert versions(facts, known_at=minute(50)) == [("1.0.0", "first"), ("1.1.0", "minor")]


def test_data_that_is_not_known_is_not_taken_for_equal() -> None:
    job = node(NodeKind.TRAINING_JOB, "blind", born=20)
    facts = [
        *trained(1, 10, data="a"),
        fact(job, edge(place("s3://secret"), job, role="train", at=20), at=20),
        fact(
            package(2),
            edge(job, package(2), role="generated-by", at=21),
            edge(package(2), _group(), role="member", at=21),
            at=21,
            content_types=["text/csv"],
        ),
    ]
    step = shown("churn/2", facts).versions[0]

    assert (step.change, step.certain) == ("minor", False)
    assert "not known" in step.reason


def test_an_interface_that_is_known_of_one_version_only_makes_the_step_uncertain() -> None:
    facts = [*trained(1, 10, data="a"), *trained(2, 20, data="a", content_types=())]
    step = shown("churn/2", facts).versions[0]

    assert (step.version, step.certain) == ("1.0.1", False)
    assert "content types" in step.reason


def test_a_signature_that_changed_is_a_major_step() -> None:
    facts = [
        *trained(1, 10, data="a", customer_metadata={"signature": "f(x)"}),
        *trained(2, 20, data="a", customer_metadata={"signature": "f(x, y)"}),
    ]

    assert shown("churn/2", facts).versions[0].reason == "the interface changed: signature"


def test_a_list_and_a_comparison_tell_versions_too() -> None:
    listing = asked(story(), ListQuestion(kind=NodeKind.MODEL_PACKAGE, versions=True))
    compared = asked(story(), DiffQuestion(left="churn/1", right="churn/2"))

    assert isinstance(listing, ListAnswer)
    assert {each.label: each.version for each in listing.nodes} == {"churn v1": "1.0.0", "churn v2": "1.1.0"}
    assert isinstance(compared, DiffAnswer)
    assert (compared.left.version, compared.right.version) == ("1.0.0", "1.1.0")
    assert [step.version for step in compared.versions] == ["1.1.0"]


# --- data ---


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([A, B], [("x.csv", "etag:a", 1), ("y.csv", "etag:b", 2)], "patch"),
        ([A], [A, B], "minor"),
        ([A], [("x.csv", "etag:a", 1), B], "minor"),
        ([A, B], [A], "major"),
        ([A, B], [A, ("b.csv", "etag:changed", 2)], "major"),
        ([A, B], [A, C], "major"),
    ],
)
def test_data_has_the_versions_that_croissant_defines(before: list[Row], after: list[Row], change: str) -> None:
    assert data_step(Contents(before), Contents(after)).change == change


def test_fewer_bytes_are_a_loss_even_where_the_listing_is_not_known() -> None:
    assert data_step(Contents(None, 10, 100), Contents(None, 10, 90)) == Step(
        "major", "fewer bytes: 100 before, 90 now"
    )
    assert not data_step(Contents(None, 10, 100), Contents(None, 11, 110)).certain


@given(st.lists(st.sampled_from([A, B, C]), unique=True), st.lists(st.sampled_from([A, B, C]), unique=True))
def test_a_minor_version_of_data_loses_nothing_and_a_patch_neither(before: list[Row], after: list[Row]) -> None:
    step = data_step(Contents(before), Contents(after))
    kept = {row[1] for row in before} <= {row[1] for row in after}

    assert (step.change == "major") is not kept
    assert (step.change == "patch") is ({row[1] for row in before} == {row[1] for row in after})


@given(st.lists(st.sampled_from(["major", "minor", "patch"])))
def test_versions_rise_and_a_raised_part_sets_those_after_it_to_nought(changes: list[Change]) -> None:
    told = numbers([Step("first", ""), *(Step(change, "") for change in changes)])
    found = [tuple(map(int, version.split("."))) for version in told]

    assert found == sorted(set(found))
    for change, (major, minor, patch) in zip(changes, found[1:], strict=True):
        assert change != "major" or (minor, patch) == (0, 0)
        assert change != "minor" or patch == 0
        assert major >= 1


def test_the_versions_of_a_place_follow_its_contents() -> None:
    one, two = content(PLACE, "january"), content(PLACE, "february")
    facts = [
        *story(),
        described(one, listed(one, [["a.csv", "", "etag:a", 1]])),
        described(two, listed(two, [["a.csv", "", "etag:a", 1], ["b.csv", "", "etag:b", 2]])),
    ]

    assert [(step.version, step.reason) for step in shown(PLACE, facts).versions] == [
        ("1.0.0", "the first version that is known"),
        ("1.1.0", "1 object more, all that was there is as it was"),
    ]
    assert shown(two.key, facts).node.version == "1.1.0"


def test_the_listing_of_a_large_dataset_is_read_where_it_is_kept() -> None:
    one, two = content(PLACE, "january"), content(PLACE, "february")
    kept = {
        "s3://lineage/manifests/1": [["a.csv", "", "etag:a", 1]],
        "s3://lineage/manifests/2": [["moved.csv", "", "etag:a", 1]],
    }
    facts = [
        *story(),
        *(
            described(ref, NodeState(node=ref, attributes={"manifest_uri": uri, "objects": 1, "bytes": 1}))
            for ref, uri in zip((one, two), kept, strict=True)
        ),
    ]

    class Kept:
        def listing(self, uri: str) -> list[list[Any]] | None:
            return kept.get(uri)

    known = answerer(facts, manifests=Kept()).answer(ShowQuestion(node=PLACE, versions=True))
    unknown = shown(PLACE, facts).versions

    assert isinstance(known, ShowAnswer)
    assert [(step.version, step.certain) for step in known.versions] == [("1.0.0", True), ("1.0.1", True)]
    assert [(step.version, step.certain) for step in unknown] == [("1.0.0", True), ("2.0.0", False)]


def _group() -> NodeRef:
    return node(NodeKind.MODEL_PACKAGE_GROUP, "churn", born=0)
