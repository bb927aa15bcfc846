"""Bisect: where a metric fell, and which change there is the likeliest cause."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.lineage.model import NodeKind, RecordedFact
from hallmark.lineage.reasoned import BisectAnswer, BisectQuestion
from tests.fakes.lineage_facts import edge, fact, node
from tests.fakes.shipped_model import NEW_IMAGE, OLD_IMAGE, asked, deployed, judged, package, story, trained

GROUP = "model-package-group:churn"


def bisect(facts: list[RecordedFact], metric: str = "accuracy", name: str = GROUP, **question: object) -> BisectAnswer:
    asked_for = BisectQuestion.model_validate({"metric": metric, "node": name, **question})
    answer = asked(facts, asked_for)
    assert isinstance(answer, BisectAnswer)
    return answer


def shipped(*values: float, metric: str = "accuracy", **changes: dict[int, object]) -> list[RecordedFact]:
    """Return versions whose training ended in these values; ``changes`` give a version's own data, image …."""
    facts = []
    for number, value in enumerate(values, start=1):
        own = {name: per[number] for name, per in changes.items() if number in per}
        facts += trained(number, 10 * number, metrics={metric: value}, **{"data": "january", **own})  # type: ignore[arg-type]
    return facts


def fields(answer: BisectAnswer) -> list[tuple[str, str]]:
    return [(each.difference.section, each.difference.field) for each in answer.suspects]


def test_without_a_threshold_the_largest_drop_counts() -> None:
    answer = bisect(shipped(0.9, 0.88, 0.7, 0.69))

    assert answer.last_good is not None
    assert answer.first_bad is not None
    assert (answer.last_good.label, answer.first_bad.label) == ("churn v2", "churn v3")
    assert answer.drop == pytest.approx(0.18)


def test_with_a_threshold_the_last_turn_from_good_to_bad_counts() -> None:
    answer = bisect(shipped(0.9, 0.5, 0.9, 0.79, 0.6), threshold=0.8)

    assert answer.last_good is not None
    assert answer.first_bad is not None
    assert (answer.last_good.label, answer.first_bad.label) == ("churn v3", "churn v4")
    assert [each.good for each in answer.versions] == [True, False, True, False, False]


def test_of_a_metric_whose_lower_values_are_better_a_rise_is_the_drop() -> None:
    answer = bisect(shipped(0.1, 0.4, metric="log_loss"), "log_loss")

    assert (answer.better, answer.better_from) == ("lower", "name")
    assert answer.first_bad is not None
    assert answer.drop == pytest.approx(0.3)


def test_a_metric_whose_name_does_not_tell_needs_to_be_said() -> None:
    facts = shipped(1, 2, metric="zorkiness")

    with pytest.raises(InvalidInputError, match="better"):
        bisect(facts, "zorkiness")
    assert bisect(facts, "zorkiness", better="lower").drop == 1


def test_where_it_never_fell_nothing_is_suspected() -> None:
    answer = bisect(shipped(0.7, 0.8, 0.9))

    assert (answer.last_good, answer.suspects) == (None, ())


def test_a_change_that_was_made_elsewhere_without_harm_is_suspected_less() -> None:
    answer = bisect(
        shipped(
            0.9, 0.91, 0.92, 0.6,
            data={2: "feb", 3: "march", 4: "april"},
            hyperparameters={4: {"depth": "30"}},
        )
    )  # fmt: skip
    by_field = {(each.difference.section, each.difference.field): each for each in answer.suspects}

    assert fields(answer)[0] == ("hyperparameters", "depth")
    assert by_field["hyperparameters", "depth"].suspicion == pytest.approx(1 / 2)
    assert by_field["data", "training-job train"].suspicion == pytest.approx(1 / 4)
    assert (by_field["data", "training-job train"].elsewhere, by_field["data", "training-job train"].dropped) == (2, 0)


def test_a_change_that_did_harm_elsewhere_is_suspected_most() -> None:
    answer = bisect(
        shipped(
            0.9, 0.6, 0.9, 0.5,
            image={1: OLD_IMAGE, 2: NEW_IMAGE, 3: NEW_IMAGE, 4: OLD_IMAGE},
            hyperparameters={4: {"depth": "30"}},
        )
    )  # fmt: skip

    assert fields(answer)[0][0] == "environment"
    assert answer.suspects[0].suspicion == pytest.approx(2 / 3)
    assert answer.suspects[-1].difference.field == "depth"


def test_bounds_that_overlap_are_told() -> None:
    def criteria(value: float, spread: float) -> dict[str, dict[str, object]]:
        return {
            "accuracy": {
                "outcome": "passed",
                "value": value,
                "low": value - spread,
                "high": value + spread,
                "cases": 90,
            }
        }

    facts = [*trained(1, 10, data="a"), *trained(2, 20, data="b")]
    wide = bisect([*facts, judged(1, 15, "Passed", criteria(0.9, 0.1)), judged(2, 25, "Passed", criteria(0.85, 0.1))])
    narrow = bisect(
        [*facts, judged(1, 15, "Passed", criteria(0.9, 0.01)), judged(2, 25, "Passed", criteria(0.8, 0.01))]
    )

    assert (wide.overlapping, narrow.overlapping) == (True, False)
    assert [(each.source, each.cases) for each in wide.versions] == [("gate", 90), ("gate", 90)]
    assert bisect(shipped(0.9, 0.8)).overlapping is None


def test_values_of_an_evaluation_are_taken_where_gates_tell_none() -> None:
    facts = [*trained(1, 10, data="a"), *trained(2, 20, data="b")]
    for number, value in ((1, 0.9), (2, 0.4)):
        run = node(NodeKind.EVALUATION, f"run-{number}")
        facts.append(
            fact(run, edge(package(number), run, role="candidate", at=30), at=30,
                 models={"candidate": {"answered": 50, "metrics": {"exact_match": value}}})
        )  # fmt: skip
    answer = bisect(facts, "exact_match")

    assert [(each.value, each.cases, each.source) for each in answer.versions] == [
        (0.9, 50, "evaluation"),
        (0.4, 50, "evaluation"),
    ]


def test_a_version_without_a_value_is_named_between_the_two() -> None:
    facts = [*shipped(0.9), *trained(2, 20, data="x"), *trained(3, 30, data="y", metrics={"accuracy": 0.5})]
    answer = bisect(facts)

    assert [each.label for each in answer.between] == ["churn v2"]
    assert "Of 1 versions no value" in answer.unknown[0].what


def test_a_metric_that_nobody_measured_gets_the_names_of_those_that_are_known() -> None:
    answer = bisect(shipped(0.9, 0.8), "recall")

    assert answer.metrics_known == ("accuracy",)
    assert "No value of recall" in answer.unknown[0].what


def test_the_versions_of_an_endpoint_are_those_that_it_served_in_that_order() -> None:
    facts = [*shipped(0.9, 0.5), *deployed(2, 50), *deployed(1, 60)]

    assert [each.node.label for each in bisect(facts, name="endpoint:churn-live").versions] == ["churn v2", "churn v1"]


def test_more_versions_than_are_looked_at_are_said_to_be_left_out() -> None:
    answer = bisect(shipped(0.9, 0.8, 0.7), limit=2)

    assert [each.node.label for each in answer.versions] == ["churn v2", "churn v3"]
    assert not answer.complete


def test_what_has_no_versions_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="versions"):
        bisect(story(), name="training-job:train-1")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from(["a", "b"]), st.sampled_from(["3", "5"])), min_size=2, max_size=6
    )
)
def test_the_ranking_is_that_of_its_rule(versions: list[tuple[int, str, str]]) -> None:
    facts = shipped(
        *(value / 20 for value, _, _ in versions),
        data={number: data for number, (_, data, _) in enumerate(versions, start=1)},
        hyperparameters={number: {"depth": depth} for number, (_, _, depth) in enumerate(versions, start=1)},
    )
    answer = bisect(facts)
    steps = list(itertools.pairwise(versions))
    drops = [before[0] - after[0] for before, after in steps]
    if max(drops) <= 0:
        assert answer.suspects == ()
        return
    worst = max(range(len(steps)), key=lambda place: (drops[place], place))
    expected = {}
    for field, part in (("training-job train", 1), ("depth", 2)):
        if steps[worst][0][part] != steps[worst][1][part]:
            others = [place for place, (one, two) in enumerate(steps) if place != worst and one[part] != two[part]]
            harmful = sum(2 * drops[place] >= drops[worst] for place in others)
            expected[field] = Fraction(harmful + 1, len(others) + 2)

    found = {each.difference.field: each.suspicion for each in answer.suspects}
    assert found == {field: pytest.approx(float(share)) for field, share in expected.items()}
    assert [each.suspicion for each in answer.suspects] == sorted(found.values(), reverse=True)
