"""Intervals and tests against scipy and sacrebleu on the same scores, and how often each cries wolf."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.statistics.translation import Systems, paired_test, translation_systems
from hallmark.statistics.bootstrap import BootstrapInterval, bootstrap_corpora, bootstrap_mean
from hallmark.statistics.inputs import Floats
from hallmark.statistics.paired import approximate_randomisation
from hallmark.statistics.power import cases_for_paired_rates
from hallmark.statistics.resampling import bleu_of_sums
from hallmark.statistics.sequential import decide, log_e_process

_CASES = 10_000
_RESAMPLES = 10_000
_LOOKS = 5_000
_RUNS = 400
_NULL_TRIALS = 400
_FIRST_LOOK = 30
_Z = 1.959963984540054
_PUBLISHED = "MultEval, 10,000 trials, quoted in sacrebleu 2.6.0's test_significance.py"


def run() -> Iterator[dict[str, Any]]:
    """Measure bootstraps, corpus tests, early stopping and what an import costs."""
    yield from _bootstraps()
    systems = translation_systems()
    yield from _corpus_tests(systems)
    yield _published_p_values(systems)
    yield _one_sided_bootstrap(systems)
    yield from _early_stopping()
    yield _import()


def _bootstraps() -> Iterator[dict[str, Any]]:
    from scipy import stats  # noqa: PLC0415 - the peer: seconds that only this needs

    random = np.random.default_rng(1)
    kinds = {
        "0/1 scores": (random.random(_CASES) < 0.7).astype(float),
        "5-point ratings": random.integers(1, 6, _CASES),
    }
    kinds["real-valued scores"] = random.normal(size=_CASES)
    for kind, scores in kinds.items():
        for method, theirs in ((BootstrapInterval.PERCENTILE, "percentile"), (BootstrapInterval.BCA, "BCa")):
            ours = _seconds(partial(bootstrap_mean, scores, method=method), 7)
            peer = _seconds(
                partial(stats.bootstrap, (scores,), np.mean, n_resamples=_RESAMPLES, method=theirs, batch=500), 1
            )
            goal = 100.0 if kind == "0/1 scores" else None
            what = f"{theirs} bootstrap of {kind}, {_CASES:,} cases x {_RESAMPLES:,} resamples, against scipy"
            yield _faster(what, ours, peer, goal)


def _corpus_tests(systems: Systems) -> Iterator[dict[str, Any]]:
    tables = systems.candidates
    bootstrap = partial(bootstrap_corpora, tables, systems.baseline, bleu_of_sums, resamples=2_000)
    randomise = partial(approximate_randomisation, tables, systems.baseline, bleu_of_sums, trials=10_000)
    for name, kind, resamples, test in (
        ("paired bootstrap", "bs", 2_000, bootstrap),
        ("approximate randomisation", "ar", 10_000, randomise),
    ):
        ours = _seconds(test, 7)
        peer = _seconds(partial(paired_test, systems, kind, resamples), 1)
        what = f"{name} of BLEU, {len(tables)} systems x {resamples:,}, from counted n-grams, against sacrebleu"
        yield _faster(what, ours, peer, 20.0 if kind == "bs" else None)


def _published_p_values(systems: Systems) -> dict[str, Any]:
    found = approximate_randomisation(systems.candidates, systems.baseline, bleu_of_sums, trials=20_000)
    misses = [abs(result.p_value - systems.published[name]) for name, result in zip(systems.names, found, strict=True)]
    line = _line(f"largest miss of {len(misses)} published p-values", round(max(misses), 5), None, "probability", 0.01)
    return {**line, "met": max(misses) < 0.01, "peer_source": _PUBLISHED}


def _one_sided_bootstrap(systems: Systems) -> dict[str, Any]:
    """Two systems mixed at random, sentence by sentence: any difference found between the mixtures is false."""
    random, ours, peer = np.random.default_rng(17), 0, 0
    first, second = systems.baseline, systems.candidates[systems.names.index(systems.nearest)]
    for trial in range(_NULL_TRIALS):
        swap = random.random(len(first))[:, None] < 0.5
        one, other = np.where(swap, second, first), np.where(swap, first, second)
        (found,) = bootstrap_corpora([one], other, bleu_of_sums, resamples=500, seed=trial)
        ours += found.p_value <= 0.05
        peer += _usual_p_value(one, other, trial) <= 0.05
    name = f"a true hypothesis rejected at 5 %, {_NULL_TRIALS} mixtures of two systems, against the usual formula"
    return {
        **_line(name, ours / _NULL_TRIALS, peer / _NULL_TRIALS, "share", None),
        "goal": 0.05,
        "met": ours / _NULL_TRIALS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / _NULL_TRIALS),
    }


def _usual_p_value(one: Floats, other: Floats, seed: int) -> float:
    """Return p of Moses and sacrebleu: |d*| - mean |d*| > |d|."""
    drawn = np.random.default_rng(seed).multinomial(len(one), np.full(len(one), 1 / len(one)), size=500).astype(float)
    differences = np.abs(bleu_of_sums(drawn @ one) - bleu_of_sums(drawn @ other))
    observed = abs(bleu_of_sums(one.sum(axis=0)[None])[0] - bleu_of_sums(other.sum(axis=0)[None])[0])
    return float((np.sum(differences - differences.mean() > observed) + 1) / 501)


def _early_stopping() -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(6)
    rare = np.where(random.random((_RUNS, _LOOKS)) < 0.99, 0.01, -0.99)
    ours = float((log_e_process(rare, 0, -1, 1).max(axis=1) >= math.log(20)).mean())
    n = np.arange(1, _LOOKS + 1)
    means = np.cumsum(rare, axis=1) / n
    deviations = np.sqrt(np.maximum(np.cumsum(rare**2, axis=1) / n - means**2, 1e-12))
    peer = float(((np.abs(means) * np.sqrt(n) / deviations)[:, _FIRST_LOOK:] > _Z).any(axis=1).mean())
    what = f"false alarms of {_LOOKS:,} looks, 1 % rare failures, no difference, against a t test looked at as often"
    yield {**_line(what, ours, peer, "share", None), "goal": 0.05, "met": ours <= 0.05}
    drawn = random.random((_RUNS, _LOOKS))
    better = (drawn < 0.065).astype(float) - (drawn > 0.965)
    won = log_e_process(better, 0, -1, 1) >= math.log(20)
    stopped = np.where(won.any(axis=1), won.argmax(axis=1) + 1, _LOOKS)
    fixed = cases_for_paired_rates(0.03, 0.1)
    what = "median cases until +3 points are found, looking after each, against McNemar's one look at 80 % power"
    yield _line(what, float(np.median(stopped)), fixed, "cases", None)
    scores = better[0]
    seconds = _seconds(partial(decide, scores), 25)
    yield _line(f"decide after {_LOOKS:,} yes-or-no cases", round(seconds * 1000, 3), None, "ms", None)


def _import() -> dict[str, Any]:
    """Of all modules together over numpy, as the scoring function would pay it; the peer is scipy.stats."""
    modules = "bootstrap paired sequential verdicts groups changes agreement equivalence effects passing corrections"
    ours = "; ".join(f"import hallmark.statistics.{name}" for name in modules.split())
    milliseconds = {name: _import_milliseconds(code) for name, code in (("ours", ours), ("peer", "import scipy.stats"))}
    return _line(
        "import of all of it, over numpy; peer: scipy.stats", milliseconds["ours"], milliseconds["peer"], "ms", 1
    )


def _import_milliseconds(code: str) -> float:
    timed = f"import numpy, time; begun = time.perf_counter(); {code}; print(time.perf_counter() - begun)"
    taken = [
        float(subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    return round(statistics.median(taken) * 1000, 1)


def _seconds(work: Callable[[], object], repetitions: int) -> float:
    taken = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _faster(name: str, ours: float, peer: float, goal: float | None) -> dict[str, Any]:
    return _line(name, round(ours * 1000, 3), round(peer * 1000, 3), "ms", goal)


def _line(name: str, ours: float, peer: float | None, unit: str, goal: float | None) -> dict[str, Any]:
    """Return a line; ``ratio`` is how many times less ours is."""
    ratio = round(peer / ours, 2) if peer is not None and ours else None
    return {
        "area": "evaluation",
        "name": name,
        "ours": ours,
        "peer": peer,
        "unit": unit,
        "ratio": ratio,
        "goal": goal,
        "met": None if goal is None or ratio is None else ratio >= goal,
    }
