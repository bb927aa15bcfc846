"""A team's own scorer: one file with one function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hallmark.errors import InvalidInputError
from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Direction, MetricKind
from hallmark.evaluation.results import Answer
from hallmark.evaluation.scorers.custom import CustomScorer
from hallmark.evaluation.scorers.registry import embed_source, make_scorer
from hallmark.evaluation.suites import ScorerChoice

CASE = Case(id="1", prompt="Say ha.", expected=("ha",))
LENGTH = '''
"""Length of an answer."""
import math
LOW, HIGH = 0, 100
DIRECTION = "lower"

def _double(value):
    return 2 * value

def score(case, answer):
    return _double(len(answer)) / 2 + math.floor(0.5) + len(case["expected"]) - 1
'''
Answering = Callable[[str], Answer]


def test_a_file_with_one_function_scores(answer: Answering) -> None:
    scorer = CustomScorer("answer-length.py", LENGTH)

    (score,) = scorer.score(CASE, answer("haha"))

    (metric,) = scorer.metrics
    assert (score.metric, score.value) == ("answer_length", 4.0)
    assert (metric.direction, metric.kind, metric.low, metric.high) == (Direction.LOWER, MetricKind.BOUNDED, 0, 100)


def test_without_bounds_any_number_will_do(answer: Answering) -> None:
    scorer = CustomScorer("free.py", "def score(case, answer):\n    return -1e9\n")

    assert scorer.metrics[0].kind is MetricKind.UNBOUNDED
    assert scorer.score(CASE, answer(""))[0].value == -1e9


def test_true_is_one_and_none_does_not_apply(answer: Answering) -> None:
    scorer = CustomScorer("own.py", "def score(case, answer):\n    return True if answer else None\n")

    assert scorer.score(CASE, answer("x"))[0].value == 1.0
    assert scorer.score(CASE, answer(""))[0] == scorer.score(CASE, answer(""))[0].model_copy(
        update={"value": None, "failure": None}
    )


def test_several_metrics_come_as_a_dict(answer: Answering) -> None:
    returned = '{"tact": 1, "tone": 0.5} if answer else {"tone": 1}'
    source = f'METRICS = ("tone", "tact")\ndef score(case, answer):\n    return {returned}\n'
    scorer = CustomScorer("own.py", source)

    assert [(score.metric, score.value) for score in scorer.score(CASE, answer("x"))] == [("tone", 0.5), ("tact", 1.0)]
    assert {score.failure for score in scorer.score(CASE, answer(""))} == {
        "score returned {'tone': 1}: return a dict with the names tone, tact"
    }


def test_an_exception_is_the_failure_of_its_case_with_its_line(answer: Answering) -> None:
    scorer = CustomScorer("own.py", "def score(case, answer):\n    x = 1\n    return case['nothing']\n")

    (score,) = scorer.score(CASE, answer("x"))

    assert score.failure == "KeyError: 'nothing' (line 3 of own.py)"


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ("float('nan')", "the score is nan, which is no number"),
        ("float('inf')", "the score is inf, which is no number"),
        ("10 ** 400", "too large for a float"),
        ("'high'", "score returned 'high': return a number, or None"),
        ("[1]", "score returned [1]: return a number, or None"),
        ("7", "the score is 7, outside of 0 to 1"),
    ],
)
def test_what_is_no_score_is_a_failure(answer: Answering, returned: str, told: str) -> None:
    scorer = CustomScorer("own.py", f"LOW = 0\nHIGH = 1\ndef score(case, answer):\n    return {returned}\n")

    assert told in (scorer.score(CASE, answer("x"))[0].failure or "")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "has these public functions: none"),
        ("def score(case, answer): ...\ndef other(): ...", "score, other"),
        ("def rate(case, answer): ...", "rate"),
        ("async def score(case, answer): ...", "score"),
        ("def score(answer): ...", "must take two arguments"),
        ("def score(case, answer, more): ...", "must take two arguments"),
        ("def score(case, answer, *, more): ...", "must take two arguments"),
        ("def score(case, answer:", "is no Python file"),
        ("\0", "is no Python file"),
        ("import nothing_like_it\ndef score(case, answer): ...", "ModuleNotFoundError"),
        ("1 / 0\ndef score(case, answer): ...", "ZeroDivisionError"),
        ("LOW = 'x'\ndef score(case, answer): ...", "LOW in own.py is 'x'"),
        ("LOW, HIGH = 2, 1\ndef score(case, answer): ...", "LOW must be less"),
        ("DIRECTION = 'up'\ndef score(case, answer): ...", "write 'higher' or 'lower'"),
        ("METRICS = ('a', 'a')\ndef score(case, answer): ...", "a tuple of different names"),
        ("METRICS = 'ab'\ndef score(case, answer): ...", "a tuple of different names"),
    ],
)
def test_a_file_that_is_no_scorer_is_refused_with_a_remedy(source: str, told: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        make_scorer(ScorerChoice(name="custom", parameters={"file": "own.py", "source": source}))

    assert told in str(caught.value)
    assert caught.value.field == "scorers.custom"


def test_the_version_is_the_content() -> None:
    one, same, other = (CustomScorer("own.py", source) for source in (LENGTH, LENGTH, LENGTH + "\n"))

    assert one.signature == same.signature != other.signature
    assert f"sha256:{one.digest[:16]}" in one.signature


def test_the_file_is_read_from_the_teams_folder_and_goes_with_the_choice(tmp_path: Path) -> None:
    (tmp_path / "tone.py").write_text(LENGTH, encoding="utf-8")
    choice = ScorerChoice(name="custom", parameters={"file": "tone.py"})

    scorer = make_scorer(choice, folder=tmp_path)
    embedded = embed_source(choice, tmp_path)
    (tmp_path / "tone.py").unlink()

    assert make_scorer(embedded).signature == scorer.signature
    with pytest.raises(InvalidInputError, match=r"tone\.py cannot be read"):
        make_scorer(choice, folder=tmp_path)
