"""Cases worth reading: where a candidate loses most against its baseline, and where it wins most."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hallmark.evaluation.cases import Case
from hallmark.evaluation.comparison.comparing import reasons_against
from hallmark.evaluation.comparison.corpora import CorpusMetrics
from hallmark.evaluation.comparison.evidence import EvaluationResults
from hallmark.evaluation.comparison.gathering import DIMENSIONS, Gathered, Scores
from hallmark.evaluation.comparison.pairing import common_cases
from hallmark.evaluation.comparison.report import SideBySide
from hallmark.evaluation.metrics import Direction
from hallmark.statistics.inputs import Floats
from hallmark.statistics.resampling import apply_metric

LONGEST_TEXT = 1_500
"""Characters of an answer that a report keeps; the table of cases has them whole."""
_FEW_PAIRS = 4
_CASES_OF_FEW = 3


def pick_cases(evidence: EvaluationResults, gathered: Gathered, corpora: CorpusMetrics) -> Iterator[SideBySide]:
    """Yield the cases on which each pair differs most on the primary metric: the losses first, then the wins."""
    metric = evidence.primary
    each_way = _CASES_OF_FEW if len(evidence.pairs) <= _FEW_PAIRS else 1
    questions = {(dataset, case.id): case for dataset, cases in evidence.cases.items() for case in cases}
    for candidate, baseline in evidence.pairs:
        first, second = (gathered.scores.get((model, metric.name)) for model in (candidate, baseline))
        if first is None or second is None or reasons_against(evidence, candidate, baseline, metric.name):
            continue
        one, other = common_cases(first, second)
        values = [_single_values(scores, corpora, metric.name) for scores in (one, other)]
        gaps = values[0] - values[1] if metric.direction is Direction.HIGHER else values[1] - values[0]
        ascending = np.argsort(gaps, kind="stable").tolist()
        worst = [place for place in ascending[:each_way] if gaps[place] < 0]
        best = [place for place in reversed(ascending[-each_way:]) if gaps[place] > 0]
        for place in (*worst, *best):
            found = _side_by_side(gathered, questions, candidate, baseline, int(one.cases[place]))
            yield found.model_copy(
                update={"candidate_score": float(values[0][place]), "baseline_score": float(values[1][place])}
            )


def _single_values(scores: Scores, corpora: CorpusMetrics, metric: str) -> Floats:
    if scores.rows is None:
        return scores.means
    return apply_metric(corpora[metric], scores.rows) if metric in corpora else np.zeros(len(scores.cases))


def _side_by_side(
    gathered: Gathered, questions: dict[tuple[str, str], Case], candidate: str, baseline: str, place: int
) -> SideBySide:
    key = gathered.keys[place]
    case = questions.get(key)
    parts = {dimension: gathered.labels[dimension][place] for dimension in DIMENSIONS if dimension != "dataset"}
    answers = [gathered.answers[model, key].text for model in (candidate, baseline)]
    return SideBySide(
        dataset=key[0],
        case=key[1],
        candidate=candidate,
        baseline=baseline,
        candidate_score=0.0,
        baseline_score=0.0,
        question=None if case is None else _clipped(case.question),
        expected=() if case is None else tuple(_clipped(text) for text in case.expected[:3]),
        candidate_answer=_clipped(answers[0]),
        baseline_answer=_clipped(answers[1]),
        part={str(dimension): label for dimension, label in parts.items() if label is not None},
    )


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " …"
