"""What texts say is watched by vectors of a sample of them: the same sample however it is read, alarms as promised."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hallmark.drift.profiling import PartProfile, merge_parts
from hallmark.drift.statistics.arrays import Floats
from hallmark.drift.statistics.embeddings import domain_classifier, maximum_mean_discrepancy
from hallmark.drift.statistics.samples import KEPT_TEXTS, TextSample
from hallmark.errors import InvalidInputError
from tests.fakes.watched_monitor import CAPTURED, HOUR, NOON, Watched

MONEY = ("My invoice of {} is wrong.", "Why was I charged {} twice?", "Please refund the {} that you took.")
TRAVEL = ("When does the train to {} leave?", "Book a hotel in {} for me.", "Is it warm in {} in spring?")
BASELINE = 200
WORDS = ("May", "June", "July", "Berlin", "Lisbon", "Oslo", "Rome", "March", "Paris", "Madrid", "Vienna", "Prague")


class Lengths:
    """An encoder of two columns."""

    def __init__(self, name: str = "lengths 1") -> None:
        self.name = name
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Any:
        self.encoded += texts
        return np.array([[len(text), text.count("e")] for text in texts], dtype=np.float32)


def sample(texts: Sequence[str | None], encoder: Lengths | None = None) -> TextSample:
    return TextSample.of(texts, [str(place) for place in range(len(texts))], encoder or Lengths())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=600, max_size=600), st.randoms(use_true_random=True))
def test_any_parts_in_any_order_merge_to_the_sample_of_the_whole(places: list[int], draw: random.Random) -> None:
    texts, names = [f"text {place}" for place in range(600)], [f"id {place}" for place in range(600)]
    whole = TextSample.of(texts, names, Lengths())
    parts = []
    for part in range(4):
        own = [place for place, where in enumerate(places) if where == part]
        parts.append(TextSample.of([texts[at] for at in own], [names[at] for at in own], Lengths()))
    draw.shuffle(parts)
    merged = parts[0]
    for other in parts[1:]:
        merged = merged.merge(TextSample.from_document(json.loads(json.dumps(other.to_document()))))

    assert (merged.texts, merged.keys) == (600, whole.keys)
    assert len(merged.keys) == KEPT_TEXTS
    assert np.array_equal(merged.rows, whole.rows)


def test_only_what_is_kept_is_encoded_and_what_says_nothing_is_not_counted() -> None:
    encoder = Lengths()
    found = sample([*(f"text {place}" for place in range(5_000)), None, " "], encoder)

    assert (found.texts, len(encoder.encoded)) == (5_000, KEPT_TEXTS)
    # A simple random sample: as many from each fifth as chance allows.
    fifths = np.bincount([int(text.split()[1]) // 1_000 for text in encoder.encoded], minlength=5)
    assert stats.chisquare(fifths).pvalue > 0.001


def test_the_same_text_twice_counts_twice() -> None:
    found = TextSample.of(["yes", "yes", "no"], ["a", "a", "a"], Lengths())

    assert (found.texts, len(set(found.keys))) == (3, 3)


def test_vectors_of_two_encoders_do_not_mix() -> None:
    old, new = sample(["one", "two"]), sample(["three"], Lengths("lengths 2"))

    assert old.merge(new).encoder == new.merge(old).encoder == "lengths 2"
    assert old.merge(new).keys == new.merge(old).keys == new.keys
    assert old.merge(new).texts == 3


@pytest.mark.parametrize("broken", [{}, {"encoder": "e", "texts": 1, "keys": ["a", "b", "c"], "rows": "AAA="}])
def test_a_sample_that_cannot_be_read_is_refused(broken: object) -> None:
    with pytest.raises(InvalidInputError, match="capture the baseline anew"):
        TextSample.from_document(broken)


def _vectors(seed: int, rows: int) -> Floats:
    """Unit vectors as encoders make them: a few directions matter, and clusters are of different sizes."""
    draw = np.random.default_rng(seed)
    directions = np.random.default_rng(0).normal(size=(6, 32))
    cluster = draw.choice(6, size=rows, p=[0.4, 0.25, 0.15, 0.1, 0.06, 0.04])
    found = directions[cluster] + 0.7 * draw.normal(size=(rows, 32)) * np.linspace(1, 0.1, 32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


@pytest.mark.parametrize("distance", [maximum_mean_discrepancy, domain_classifier])
@pytest.mark.parametrize("size", [20, 100])
def test_vectors_alarm_without_drift_as_rarely_as_promised(distance: Any, size: int) -> None:
    """At the smallest window that is judged, and at a larger one; benchmarks/drift asks the same of real texts."""
    windows = 120
    found = [distance(_vectors(9_000 + seed, BASELINE), _vectors(seed, size)).p_value for seed in range(windows)]

    for level in (0.01, 0.05):
        assert sum(p <= level for p in found) <= stats.binom.ppf(0.999, windows, level), sorted(found)[:5]


def _say(world: Watched, hour: Any, templates: tuple[str, ...], count: int = 90) -> None:
    draw = random.Random(f"{hour}")  # noqa: S311 - the same traffic each time
    lines = []
    for place in range(count):
        text = draw.choice(templates).format(draw.choice(WORDS))
        side = {"observedContentType": "application/json", "mode": "INPUT", "data": json.dumps({"q": text})}
        at = hour + timedelta(seconds=3600 * place / count)
        lines.append(
            {
                "captureData": {"endpointInput": {**side, "encoding": "JSON"}},
                "eventMetadata": {"eventId": f"{hour}{place}", "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"},
            }
        )
    content = "\n".join(map(json.dumps, lines)).encode()
    world.team.put(f"{CAPTURED}/live/All/{hour:%Y/%m/%d/%H}/0.jsonl", content, hour + HOUR)


def test_a_monitor_sees_that_people_ask_about_something_else() -> None:
    world = Watched(
        features={"question": {"kind": "text", "select": "$.input.q", "traits": ["length", "embedding"]}},
        checks=["mmd", "domain_classifier", {"jensen_shannon": {"features": ["question.length"]}}],
        baseline={"kind": "rolling", "windows": 2},
        looks=8_760,
    )
    for place, templates in enumerate((MONEY, MONEY, MONEY, TRAVEL)):
        _say(world, NOON + place * HOUR, templates)

    same, other = world.look(NOON + 3 * HOUR), world.look(NOON + 4 * HOUR)

    assert [looked.look.outcome for looked in (same, other)] == ["clear", "drifted"]
    report = json.loads(world.own.find(f"{other.look.key}/report.json") or b"{}")
    judged = {each["statistic"]: each for each in report["findings"]}
    assert [judged[name]["is_drifted"] for name in ("mmd", "domain_classifier")] == [True, True]
    assert (judged["mmd"]["feature"], judged["mmd"]["baseline_count"], judged["mmd"]["current_count"]) == (
        "question.embedding",
        180,
        90,
    )
    assert "question.embedding" not in report["bars"]


def test_profiles_of_before_have_no_samples_and_are_said_to_be_incomparable() -> None:
    world = Watched(
        features={"question": {"kind": "text", "select": "$.input.q", "traits": ["embedding"]}},
        checks=["mmd"],
    )
    old = PartProfile(records=90)

    assert merge_parts([old]).text_samples() == {}
    assert world.monitor.embeds
