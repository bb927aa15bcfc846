"""Which way is better of Bedrock's own metrics."""

from __future__ import annotations

import pytest

from hallmark.evaluation.metrics import Direction
from hallmark.evaluation.scorers.directions import BEDROCK_METRICS, bedrock_metric, normalised_name


@pytest.mark.parametrize("name", ["Harmfulness", "Stereotyping", "Refusal", "Toxicity", "Robustness"])
@pytest.mark.parametrize("prefix", ["", "Builtin.", "builtin."])
def test_less_is_better_of_what_harms(name: str, prefix: str) -> None:
    metric = bedrock_metric(f"{prefix}{name}")

    assert metric is not None
    assert (metric.name, metric.direction) == (f"Builtin.{name}", Direction.LOWER)


@pytest.mark.parametrize("name", ["Accuracy", "Correctness", "Faithfulness", "LogicalCoherence", "CitationPrecision"])
def test_more_is_better_of_the_others(name: str) -> None:
    metric = bedrock_metric(name)

    assert metric is not None
    assert metric.direction is Direction.HIGHER


def test_a_custom_metric_is_not_in_the_table() -> None:
    assert bedrock_metric("Builtin.Politeness") is None
    assert normalised_name(" my-metric ") == "my-metric"


def test_the_prefix_is_written_in_one_way() -> None:
    assert {normalised_name(name) for name in ("Coherence", "Builtin.Coherence", "builtin.coherence")} == {
        "Builtin.Coherence"
    }


def test_titles_are_words() -> None:
    assert BEDROCK_METRICS["professionalstyleandtone"].title == "Professional style and tone"
