"""What a report says in words: verdicts, methods, how to read it."""

from __future__ import annotations

from hallmark.evaluation.comparison.report import Comparison, Report
from hallmark.evaluation.metrics import Direction, Metric
from hallmark.evaluation.reports.figures import Scale, write_p, write_percent
from hallmark.evaluation.suites import Template
from hallmark.statistics.verdicts import Finding

FINDINGS = {
    Finding.BETTER: "better",
    Finding.WORSE: "worse",
    Finding.EQUIVALENT: "as good, within the margin",
    Finding.NOT_BETTER: "not better by the margin",
    Finding.NON_INFERIOR: "not worse by the margin",
    Finding.CANNOT_TELL: "cannot tell yet",
}
TONES = {
    Finding.BETTER: "good",
    Finding.WORSE: "bad",
    Finding.EQUIVALENT: "even",
    Finding.NOT_BETTER: "even",
    Finding.NON_INFERIOR: "even",
    Finding.CANNOT_TELL: "open",
}
TEMPLATES = {
    Template.AB_TEST: "Is one of two better?",
    Template.CHAMPION_CHALLENGER: "Is a challenger better than the champion?",
    Template.REGRESSION: "Is a model not worse than its baseline?",
    Template.SAFETY: "Are harm, refusal and gaps between groups within bounds?",
}


def finding_of(comparison: Comparison) -> str:
    """Return the verdict of a comparison in a few words."""
    if comparison.incomparable:
        return "not comparable"
    return FINDINGS[comparison.finding] if comparison.cases else "nothing in common"


def tone_of(comparison: Comparison) -> str:
    """Return how a verdict is to be coloured: good, bad, even or open."""
    return "open" if comparison.incomparable or not comparison.cases else TONES[comparison.finding]


def remark_on(comparison: Comparison) -> str:
    """Return what a reader of one comparison must know besides its numbers."""
    if comparison.incomparable:
        return "; ".join(comparison.incomparable)
    parts = []
    if comparison.more_cases is not None:
        parts.append(f"about {_rounded(comparison.more_cases):,} more cases would probably tell")
    elif comparison.cases and comparison.finding is Finding.CANNOT_TELL and comparison.span is not None:
        parts.append("no number of cases would probably tell: name a margin" if comparison.margin is None else "")
    parts.append(comparison.note)
    return "; ".join(part for part in parts if part)


_TWO_DIGITS = 100


def _rounded(count: int) -> int:
    """Round up to two digits: a forecast has no more."""
    if count < _TWO_DIGITS:
        return count
    step = int(10 ** (len(str(count)) - 2))
    return -(-count // step) * step


def sentence_on(comparison: Comparison, metric: Metric) -> str:
    """Return one comparison as a statistician would say it."""
    if comparison.difference is None:
        return f"{comparison.candidate} against {comparison.baseline}: {remark_on(comparison) or 'no result'}."
    scale = Scale.of(metric)
    shown = scale.estimate(comparison.difference, comparison.span, signed=True)
    sure = f", {write_percent(comparison.span.confidence)} interval" if comparison.span else ""
    adjusted = (
        f", adjusted {write_p(comparison.adjusted_p)} ({comparison.correction} over {comparison.tests})"
        if comparison.tests > 1
        else ""
    )
    return (
        f"{comparison.candidate} minus {comparison.baseline} on {comparison.cases:,} common cases: {shown}{sure}; "
        f"p {write_p(comparison.p_value)} ({comparison.method}){adjusted}."
    )


def direction_of(metric: Metric) -> str:
    """Return which way is better."""
    return "higher is better" if metric.direction is Direction.HIGHER else "lower is better"


def how_to_read(report: Report) -> tuple[str, ...]:
    """Return how the numbers came about, for a reader who would check them."""
    settings = report.settings
    confidence = write_percent(settings.confidence)
    correction = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg", "none": "no correction"}[
        settings.correction
    ]
    told = [
        f"Intervals are {confidence} intervals. Rates have Wilson's, means Student's t or a BCa bootstrap, percentiles "
        "order statistics, metrics of the corpus a bootstrap over cases; each table names its method. "
        "Repeats of a case count as one case.",
        "Models are compared on the cases that both answered, case by case: McNemar's test for rates, a sign-flip "
        "permutation or Student's t of the differences for means, a centred two-sided paired bootstrap for metrics of "
        "the corpus. Where cases share a context, or a cluster that the dataset names, whole clusters are swapped and "
        "resampled, of rates too; too few of them cannot tell.",
        "“Cannot tell yet” is no sign of equality: only a margin can show that two models are as good as each other.",
    ]
    if settings.correction == "none":
        told.append(
            "p-values are not corrected for how many questions are asked: where nothing differs, expect "
            f"{write_percent(1 - settings.confidence)} false findings."
        )
    else:
        told.append(
            f"The comparisons on {report.primary} answer the suite's question and are corrected among themselves; all "
            "others (metrics, models and groups) are corrected over everything that was tested. Method: "
            f"{correction}."
        )
    if settings.early_stopping:
        told.append(
            "The run was allowed to stop as soon as its question was decided. Where scores have bounds, cases count "
            "alike and no two share a cluster, its answer rests on a betting e-process, which stays valid however "
            "often one looks at cases in random order, at the price of a wider interval; elsewhere everything was "
            "asked."
        )
    if settings.margin > 0:
        told.append(
            f"The margin is {settings.margin:g} in units of {report.primary}: a smaller difference is not minded. "
            "Where several models are held against it, their intervals are widened so that all are right together."
        )
    told.append(
        "Models that share a letter cannot be told apart (Piepho 2004). A model is behind the front where another is "
        "at least as good by the estimates in every respect that counts, and shown to be better in one of them."
    )
    return tuple(told)
