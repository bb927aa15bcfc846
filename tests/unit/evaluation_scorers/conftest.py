"""How the tests of scorers score: by name, as the policy does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from hallmark.evaluation.cases import Case
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.registry import make_scorer
from hallmark.evaluation.suites import ScorerChoice


class Scoring(Protocol):
    def __call__(
        self,
        name: str,
        text: str,
        expected: Sequence[str] | str = (),
        *,
        labels: tuple[str, ...] = (),
        choices: tuple[str, ...] = (),
        **parameters: Any,
    ) -> dict[str, Score]: ...


def answer_of(text: str) -> Answer:
    return Answer(
        text=text,
        stop_reason="end_turn",
        input_tokens=12,
        output_tokens=34,
        latency_ms=56.5,
        cost_usd=None,
        answered_at=datetime(2026, 11, 24, tzinfo=UTC),
    )


@pytest.fixture(scope="session")
def score() -> Scoring:
    def score(
        name: str,
        text: str,
        expected: Sequence[str] | str = (),
        *,
        labels: tuple[str, ...] = (),
        choices: tuple[str, ...] = (),
        **parameters: Any,
    ) -> dict[str, Score]:
        wanted = (expected,) if isinstance(expected, str) else tuple(expected)
        case = Case(id="1", prompt="What?", expected=wanted, choices=choices)
        scorer = make_scorer(ScorerChoice(name=name, parameters=parameters), labels=labels)
        found = scorer.score(case, answer_of(text))
        assert [each.metric for each in found] == [metric.name for metric in scorer.metrics]
        return {each.metric: each for each in found}

    return score


@pytest.fixture(scope="session")
def answer() -> Callable[[str], Answer]:
    return answer_of
