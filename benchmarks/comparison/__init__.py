"""Two evaluation runs compared by MLflow's ``compare_evaluations`` and here, on the same scores.

Where both answer the same question they must agree; where MLflow's answer misleads, how often it does is counted on
models that are equally good. MLflow is measured where it is installed (``pip install mlflow==3.18.0``); it is far too
large to be installed for everyone, and the unit tests hold us against numbers that it gave (``recorded.json``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hallmark.statistics.corrections import adjust
from hallmark.statistics.equivalence import equivalence_of_rates
from hallmark.statistics.inputs import Floats
from hallmark.statistics.paired import mcnemar, paired_t, sign_flip
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.sequential import confidence_sequence

VERSION = "3.18.0"
RECORDED = Path(__file__).with_name("recorded.json")
_TRIALS = 400
_ALPHA = 0.05
_METRICS = 8
_CASES, _REPEATS = 40, 5
_LOOK_EVERY, _MOST = 25, 500
_MARGIN = 0.05

Peer = Callable[[Floats, Floats], Any]
"""Takes baseline and candidate; returns MLflow's comparison of one scorer."""


def peer() -> Peer | None:
    """Return MLflow's comparison of one scorer's values; None where it is not installed."""
    try:
        from mlflow.genai.evaluation.comparison.paired_comparison import (  # noqa: PLC0415 - the peer
            _compare_paired_values,
        )
    except ImportError:
        return None

    def compare(baseline: Floats, candidate: Floats) -> Any:
        is_binary = set(np.unique(np.concatenate([baseline, candidate]))) <= {0.0, 1.0}
        kind = "binary" if is_binary else "numeric"
        return _compare_paired_values("scorer", np.asarray(baseline), np.asarray(candidate), value_type=kind)

    return compare


def run() -> Iterator[dict[str, Any]]:
    """Compare the two ways to compare."""
    compare = peer()
    if compare is None:
        yield _line(
            "comparison of runs against MLflow's compare_evaluations",
            None,
            None,
            f"not measured: pip install mlflow=={VERSION}",
        )
        return
    yield from _agreement(compare)
    yield from _false_alarms(compare)


def _agreement(compare: Peer) -> Iterator[dict[str, Any]]:
    rates = [_pair_of_rates(np.random.default_rng(seed), 20 + 4 * seed, 0.1) for seed in range(100)]
    # With a tie the continuity correction of the chi-square must not go below 0; MLflow squares minus one.
    rates = [(a, b) for a, b in rates if a.sum() != b.sum()]
    apart = max(abs(_mcnemar(*pair) - compare(*pair).p_value) for pair in rates)
    yield _line(
        f"largest difference of McNemar's p-values on {len(rates)} pairs of runs that are not tied",
        apart,
        0.0,
        "p",
        goal=1e-12,
    )
    means = [_pair_of_means(np.random.default_rng(seed), 20 + 4 * seed) for seed in range(100)]
    apart = max(abs(paired_t(b, a).p_value - compare(a, b).t_test_p_value) for a, b in means)
    yield _line("largest difference of the paired t test's p-values on 100 pairs of runs", apart, 0.0, "p", goal=1e-9)


def _false_alarms(compare: Peer) -> Iterator[dict[str, Any]]:
    """Yield how often each says that equally good models differ: 0.05 was promised."""
    found: dict[str, list[tuple[bool, bool]]] = {"metrics": [], "repeats": [], "looks": [], "equal": []}
    for seed in range(_TRIALS):
        chance = np.random.default_rng(1000 + seed)
        found["metrics"].append(_over_metrics(compare, chance))
        found["repeats"].append(_over_repeats(compare, chance))
        found["looks"].append(_over_looks(chance))
        found["equal"].append(_of_equal_models(compare, chance))
    told = {
        "metrics": f"equal models said to differ on one of {_METRICS} metrics",
        "repeats": f"equal models said to differ, {_CASES} cases asked {_REPEATS} times each",
        "looks": f"equal models said to differ at one of {_MOST // _LOOK_EVERY} looks while the run goes on",
        "equal": f"equal models passed as no worse by {_MARGIN:g} (2,000 cases)",
    }
    for name, what in told.items():
        ours, theirs = (sum(pair[side] for pair in found[name]) / _TRIALS for side in (0, 1))
        goal = 0.075 if name != "equal" else None
        yield _line(what, ours, theirs, f"share of {_TRIALS} simulated comparisons (peer: MLflow {VERSION})", goal=goal)


def _over_metrics(compare: Peer, chance: np.random.Generator) -> tuple[bool, bool]:
    pairs = [_pair_of_means(chance, 60) for _ in range(_METRICS)]
    ours = adjust([sign_flip(b, a, resamples=1_000).p_value for a, b in pairs])
    return bool((ours <= _ALPHA).any()), any(compare(a, b).p_value < _ALPHA for a, b in pairs)


def _over_repeats(compare: Peer, chance: np.random.Generator) -> tuple[bool, bool]:
    """Repeats of a case are alike: what a model makes of it counts once, not five times."""
    leanings = chance.normal(0, 0.2, (2, _CASES))
    scores = [np.repeat(each, _REPEATS) + chance.normal(0, 0.05, _CASES * _REPEATS) for each in leanings]
    means = [each.reshape(_CASES, _REPEATS).mean(axis=1) for each in scores]
    ours = sign_flip(means[1], means[0], resamples=1_000).p_value
    return ours <= _ALPHA, compare(scores[0], scores[1]).p_value < _ALPHA


def _over_looks(chance: np.random.Generator) -> tuple[bool, bool]:
    baseline, candidate = _pair_of_rates(chance, _MOST, 0.2)
    ours = theirs = False
    for seen in range(_LOOK_EVERY, _MOST + 1, _LOOK_EVERY):
        interval = confidence_sequence(candidate[:seen] - baseline[:seen], -1, 1, 1 - _ALPHA)
        ours = ours or not interval.contains(0)
        counts = PairedCounts.of(candidate[:seen], baseline[:seen])
        # MLflow's test, as the lines on agreement show, without its bootstrap at each look.
        theirs = theirs or mcnemar(counts).p_value < _ALPHA
    return ours, theirs


def _of_equal_models(compare: Peer, chance: np.random.Generator) -> tuple[bool, bool]:
    baseline, candidate = _pair_of_rates(chance, 2_000, 0.1)
    ours = equivalence_of_rates(PairedCounts.of(candidate, baseline), _MARGIN).holds
    told = compare(baseline, candidate)
    # ``assert_improved`` passes what is better with p < 0.05, and nothing else.
    return ours, told.diff > 0 and told.p_value < _ALPHA


def _mcnemar(baseline: Floats, candidate: Floats) -> float:
    return mcnemar(PairedCounts.of(candidate, baseline)).p_value


def _pair_of_rates(chance: np.random.Generator, cases: int, flips: float) -> tuple[Floats, Floats]:
    """Return 0/1 scores of two equally good models that disagree on about twice ``flips`` of the cases."""
    baseline = (chance.random(cases) < 0.7).astype(float)
    differs = chance.random(cases)
    candidate = np.where(differs < flips, 0.0, np.where(differs < 2 * flips, 1.0, baseline))
    both = chance.random(cases) < 0.5
    return np.where(both, baseline, candidate), np.where(both, candidate, baseline)


def _pair_of_means(chance: np.random.Generator, cases: int) -> tuple[Floats, Floats]:
    hard = chance.beta(4, 2, cases)
    return tuple(np.clip(hard + chance.normal(0, 0.1, cases), 0, 1) for _ in range(2))  # type: ignore[return-value]  # two


def _line(name: str, ours: float | None, theirs: float | None, unit: str, goal: float | None = None) -> dict[str, Any]:
    return {
        "area": "evaluation",
        "name": name,
        "ours": ours,
        "peer": theirs,
        "unit": unit,
        "ratio": None,
        "goal": goal,
        "met": None if goal is None or ours is None else ours <= goal,
    }


def record() -> None:
    """Write what MLflow says of some scores: ``python -m benchmarks.comparison``, where it is installed."""
    compare = peer()
    if compare is None:
        sys.exit(f"MLflow is not installed: pip install mlflow=={VERSION}")
    rows = []
    for seed in range(12):
        chance = np.random.default_rng(seed)
        make = _pair_of_means if seed % 2 else lambda source, cases: _pair_of_rates(source, cases, 0.15)
        baseline, candidate = (np.round(each, 3) for each in make(chance, 12 + 25 * seed))
        told = compare(baseline, candidate)
        rows.append(
            {
                "baseline": baseline.tolist(),
                "candidate": candidate.tolist(),
                "method": told.method,
                "p_value": told.p_value,
                "t_test_p_value": told.t_test_p_value,
                "diff": told.diff,
                "ci": [told.ci_low, told.ci_high],
                "effect_size": told.effect_size,
            }
        )
    RECORDED.write_text(json.dumps({"mlflow": VERSION, "comparisons": rows}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
