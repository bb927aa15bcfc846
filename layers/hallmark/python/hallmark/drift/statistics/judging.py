"""Has it drifted? An alarm needs both: an effect beyond the threshold, and evidence that chance did not make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hallmark.drift.statistics.arrays import Anything, Floats
from hallmark.drift.statistics.categories import on_common_names
from hallmark.drift.statistics.checks import NORMS, ON_EMBEDDINGS, ON_STREAMS, Check, Demand, Finding, Statistic
from hallmark.drift.statistics.comparing import Comparison, IncomparableError, Samples, compare, in_baseline_bins
from hallmark.drift.statistics.distances import Distance
from hallmark.drift.statistics.embeddings import domain_classifier, maximum_mean_discrepancy
from hallmark.drift.statistics.histograms import on_common_support
from hallmark.drift.statistics.looks import LookState, MeanStream, RecentWindows
from hallmark.drift.statistics.profiles import Profile
from hallmark.drift.statistics.trends import compare_stream, mean_of_window
from hallmark.errors import InvalidInputError

_OF_ONE_WINDOW = frozenset({Statistic.P95_RATIO, Statistic.SCORE_FLOOR})
"""Not read from bins: they do not say where in the top five percent a value lies, nor what a score was exactly."""
_WITHOUT_BASELINE = frozenset({Statistic.SCORE_FLOOR})
_MOST_NAMES_KEPT = 40
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class _Trial:
    """What came of one check before all of them are seen together."""

    check: Check
    baseline_count: int
    current_count: int
    comparison: Comparison | None = None
    chance: float = 1.0
    is_beyond: bool = False
    windows: int = 1
    note: str = ""


@dataclass(frozen=True)
class _Look:
    """What the checks of one look share, and what they leave behind for the next one."""

    state: LookState
    embeddings: Mapping[str, tuple[Anything, Anything]]
    recent: dict[str, RecentWindows] = field(default_factory=dict)
    streams: dict[str, MeanStream] = field(default_factory=dict)


def judge(
    baseline: Mapping[str, Profile],
    current: Mapping[str, Profile],
    checks: Sequence[Check],
    looks: LookState,
    embeddings: Mapping[str, tuple[Anything, Anything]] | None = None,
) -> tuple[tuple[Finding, ...], LookState]:
    """Compare a window with the baseline.

    A check has drifted if its statistic lies beyond its threshold and its adjusted p-value is at most its alpha.
    Adjusted means: for all checks of this window (Holm, 1979; with several alphas, in the order of p / alpha) and for
    all looks of the horizon (see ``LookState``). If nothing has changed, any alarm at all within the horizon has at
    most the chance of the largest alpha.

    Args:
        baseline: Profile of each feature.
        current: Profile of each feature in the window.
        checks: What is watched; each finding is of the check at its place.
        looks: What the last look returned; ``LookState(horizon=…)`` before the first.
        embeddings: For checks of ``mmd`` and ``domain_classifier``: of each such feature the rows of the baseline,
            shape ``(m, k)``, and of the window, shape ``(n, k)``.

    Returns:
        A finding for each check, and the state for the next look. A feature that one side does not have, or that has no
        values, gives a finding with ``is_conclusive`` false that says why.

    Raises:
        InvalidInputError: Two checks are the same, or a statistic does not fit the kind of its feature.
    """
    _refuse_repeats(checks)
    look = _Look(looks, embeddings or {})
    trials = [
        _try_embeddings(check, look)
        if check.statistic in ON_EMBEDDINGS
        else _try(check, place, baseline.get(check.feature), current.get(check.feature), look)
        for place, check in enumerate(checks)
    ]
    adjusted = _adjusted(trials, looks.horizon)
    findings = tuple(_finding(trial, p, len(checks), looks) for trial, p in zip(trials, adjusted, strict=True))
    return findings, looks.after(look.recent, look.streams)


def _refuse_repeats(checks: Sequence[Check]) -> None:
    seen = set()
    for place, check in enumerate(checks):
        key = (check.feature, check.statistic, check.reading)
        if key in seen:
            raise InvalidInputError(f"checks[{place}]", f"{check.statistic} of {check.feature}", "give each check once")
        seen.add(key)


def _try_embeddings(check: Check, look: _Look) -> _Trial:
    rows = look.embeddings.get(check.feature)
    if rows is None:
        return _Trial(check, 0, 0, note="there are no embeddings of both by one encoder: capture the baseline anew")
    counts = (len(rows[0]), len(rows[1]))
    compare_rows = maximum_mean_discrepancy if check.statistic is Statistic.MMD else domain_classifier
    try:
        found = compare_rows(*rows)
    except InvalidInputError as error:
        return _Trial(check, *counts, note=str(error))
    comparison = Comparison(Distance(found.value, found.low, found.high), found.p_value)
    return _Trial(check, *counts, comparison, found.p_value, _is_beyond(check, comparison))


def _try(check: Check, place: int, baseline: Profile | None, current: Profile | None, look: _Look) -> _Trial:
    for profile in (baseline, current):
        if profile is not None and profile.kind not in NORMS[check.statistic].kinds:
            remedy = (
                f"{check.feature} is {profile.kind}: watch it with jensen_shannon, psi, chi_square or missing_share"
            )
            raise InvalidInputError(f"checks[{place}].statistic", check.statistic.value, remedy)
    counts = (_usable(check, baseline), _usable(check, current))
    reason = _why_not(check, baseline, current)
    if reason or current is None:
        return _Trial(check, *counts, note=reason)
    if baseline is None:
        baseline = Profile.of([], current.kind)
    if baseline.kind is not current.kind:
        return _Trial(check, *counts, note=f"the baseline is {baseline.kind} and the window is {current.kind}")
    try:
        samples, note = _samples(check, baseline, current)
        note = _absent(check, current) + note
        if check.statistic in ON_STREAMS:
            return _trend(check, samples, baseline, current, look, note)
        return _best(check, counts, samples, look, note)
    except IncomparableError as error:
        return _Trial(check, *counts, note=str(error))


def _usable(check: Check, profile: Profile | None) -> int:
    if profile is None:
        return 0
    return profile.count if check.statistic is Statistic.MISSING_SHARE else profile.present


def _why_not(check: Check, baseline: Profile | None, current: Profile | None) -> str:
    if not _usable(check, baseline) and check.statistic not in _WITHOUT_BASELINE:
        if baseline is None or not baseline.count:
            return "there is no baseline of it: capture one while production is as it should be"
        return f"all {baseline.count:,} values of the baseline are missing: capture one that has values"
    if not _usable(check, current):
        if current is None or not current.count:
            return "the window has no values: nothing was called, or its source gave nothing"
        return f"all {current.count:,} values of the window are missing, NaN or infinite"
    return ""


def _absent(check: Check, current: Profile) -> str:
    left_out = current.count - current.present
    if not left_out or check.statistic is Statistic.MISSING_SHARE:
        return ""
    return f"; {left_out:,} of {current.count:,} values are missing, NaN or infinite and left out"


def _samples(check: Check, baseline: Profile, current: Profile) -> tuple[Samples, str]:
    if check.statistic is Statistic.MISSING_SHARE:
        counts = [np.array([part.count - part.absent, part.absent], dtype=np.int64) for part in (baseline, current)]
        return Samples(counts[0], counts[1], np.array([0.0, 1.0])), ""
    if baseline.numbers is not None and current.numbers is not None:
        values, before, after = on_common_support(baseline.numbers, current.numbers)
        return Samples(before, after, values), ""
    if baseline.categories is None or current.categories is None:
        raise IncomparableError("a profile has no counts: capture the baseline anew")
    names, before, after = on_common_names(baseline.categories, current.categories)
    new = [name for name, known, seen in zip(names, before, after, strict=True) if seen and not known]
    shown = ", ".join(repr(name) for name in new[:_NAMES_SHOWN])
    more = f" and {len(new) - _NAMES_SHOWN} more" if len(new) > _NAMES_SHOWN else ""
    return Samples(before, after), f"; new categories: {shown}{more}" if new else ""


def _trend(check: Check, samples: Samples, baseline: Profile, current: Profile, look: _Look, note: str) -> _Trial:
    stream = look.streams.get(check.feature)
    if stream is None:
        newest = mean_of_window(samples, baseline, current)
        stream = look.state.with_mean(check.feature, baseline.present, baseline.mean, newest)
        look.streams[check.feature] = stream
    found, windows = compare_stream(check, stream)
    count = sum(mean.count for mean in stream.means[-windows:])
    return _Trial(check, baseline.present, count, found, found.p_value, _is_beyond(check, found), windows, note)


def _best(check: Check, counts: tuple[int, int], samples: Samples, look: _Look, note: str) -> _Trial:
    """Compare the newest window, and the latest ones taken together; keep what speaks most."""
    newest = compare(check, samples)
    trials = [(1, newest, counts[1])]
    seen, looks = 1, look.state
    if check.statistic not in _OF_ONE_WINDOW and max(looks.lookbacks, default=1) > 1:
        compact = _compact(samples)
        key = f"{check.feature} (missing)" if check.statistic is Statistic.MISSING_SHARE else check.feature
        windows = looks.with_window(key, compact.baseline, compact.current)
        look.recent[key] = windows
        seen = len(windows.windows)
        for several in looks.weights(seen):
            if several > 1:
                together = Samples(compact.baseline, windows.latest(several), compact.values)
                trials.append((several, compare(check, together), int(together.current.sum())))
    weights = looks.weights(seen)
    weighed = [
        _Trial(
            check,
            counts[0],
            count,
            comparison,
            min(1.0, comparison.p_value / weights[several]),
            _is_beyond(check, comparison) and (several == 1 or _points_there(check, newest)),
            several,
            note,
        )
        for several, comparison, count in trials
    ]
    beyond = [trial for trial in weighed if trial.is_beyond]
    return min(beyond or weighed[:1], key=lambda trial: trial.chance)


def _is_beyond(check: Check, comparison: Comparison) -> bool:
    found = comparison.distance
    if NORMS[check.statistic].falls:
        return (found.high if check.demand is Demand.BOUND else found.value) < check.limit
    return (found.low if check.demand is Demand.BOUND else found.value) > check.limit


def _points_there(check: Check, newest: Comparison) -> bool:
    """Whether the newest window is at least half way: what is over is no alarm, though older windows still show it."""
    return newest.distance.value > check.limit / 2


def _compact(samples: Samples) -> Samples:
    if samples.values is not None:
        return in_baseline_bins(samples)
    order = np.argsort(-samples.baseline, kind="stable")
    known = order[samples.baseline[order] > 0]
    kept, rest = known[:_MOST_NAMES_KEPT], known[_MOST_NAMES_KEPT:]
    new = order[samples.baseline[order] == 0]
    parts = [
        np.concatenate([part[kept], [part[rest].sum()], [part[new].sum()]])
        for part in (samples.baseline, samples.current)
    ]
    return Samples(parts[0], parts[1])


def _adjusted(trials: Sequence[_Trial], horizon: int) -> list[float]:
    """Holm's adjusted p-values, times the looks; those that could not be compared count among the tests."""
    alphas = np.array([trial.check.alpha for trial in trials])
    ratios = np.array([trial.chance for trial in trials]) / alphas
    order = np.argsort(ratios, kind="stable")
    adjusted: Floats = np.empty(len(trials))
    adjusted[order] = np.maximum.accumulate(ratios[order] * np.arange(len(trials), 0, -1))
    return [float(min(1.0, p)) for p in adjusted * alphas * horizon]


def _finding(trial: _Trial, adjusted: float, checks: int, looks: LookState) -> Finding:
    check, found = trial.check, trial.comparison
    is_drifted = found is not None and trial.is_beyond and adjusted <= check.alpha
    return Finding(
        feature=check.feature,
        statistic=check.statistic.value,
        value=found.distance.value if found else None,
        low=found.distance.low if found else None,
        high=found.distance.high if found else None,
        unit=check.unit,
        threshold=check.limit,
        baseline_value=found.baseline_value if found else None,
        change_fraction=found.change_fraction if found else None,
        p_value=found.p_value if found else None,
        adjusted_p=adjusted if found else None,
        is_drifted=is_drifted,
        baseline_count=trial.baseline_count,
        current_count=trial.current_count,
        why=_why(trial, found, adjusted, is_drifted, checks, looks) if found else trial.note,
        is_conclusive=found is not None,
        windows=trial.windows,
    )


def _why(trial: _Trial, found: Comparison, adjusted: float, is_drifted: bool, checks: int, looks: LookState) -> str:
    check = trial.check
    falls = NORMS[check.statistic].falls
    unit = f" {check.unit}" if check.unit else ""
    low, high = (f"{part:.3g}" for part in (found.distance.low, found.distance.high))
    side = ("below" if falls else "above") if trial.is_beyond else "not below" if falls else "not above"
    together = f" in the latest {trial.windows} windows together" if trial.windows > 1 else ""
    text = f"{found.distance.value:.3g}{unit} ({low} to {high}){together}, {side} {check.limit:g}"
    if trial.is_beyond:
        over = f"{checks} checks and {looks.horizon:,} looks"
        proof = "not by chance" if is_drifted else "which chance alone can do"
        text += f", {proof}: p = {found.p_value:.2g}, {adjusted:.2g} over {over} (alarm at {check.alpha:g})"
    return text + trial.note
