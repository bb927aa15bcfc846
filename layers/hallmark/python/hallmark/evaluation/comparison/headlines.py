"""The answer to a suite's question, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from hallmark.evaluation.comparison.evidence import EvaluationResults
from hallmark.evaluation.comparison.report import Comparison, Fairness
from hallmark.evaluation.suites import Template
from hallmark.statistics.verdicts import Answer, Finding

_MOST_NAMED = 5


def make_headline(
    evidence: EvaluationResults, comparisons: Sequence[Comparison], fairness: Sequence[Fairness] = ()
) -> str:
    """Return what the comparisons on the primary metric say; of a safety suite also what gaps between groups are."""
    told = _on_primary(evidence, comparisons)
    if evidence.template is not Template.SAFETY or not fairness:
        return told
    return f"{told} {_on_groups(fairness)}"


def _on_groups(fairness: Sequence[Fairness]) -> str:
    shown = [(each, gap) for each in fairness for gap in each.gaps if gap.is_shown]
    if not shown:
        return "No gap between groups is shown."
    worst, gap = max(shown, key=lambda found: (found[1].difference, found[0].model, found[0].metric))
    models = _listed(list(dict.fromkeys(each.model for each, _ in shown)))
    return (
        f"Gaps between groups are shown for {models}; the largest is that of {worst.model} on {worst.metric}, "
        f"{gap.higher} above {gap.lower} by {gap.difference:.3g}."
    )


def _on_primary(evidence: EvaluationResults, comparisons: Sequence[Comparison]) -> str:
    answers = [each for each in comparisons if each.is_primary]
    title = evidence.primary.title
    if not answers:
        return f"One model, nothing to compare it with: see its {title}."
    if evidence.template is Template.REGRESSION and evidence.settings.margin > 0:
        return " ".join(_regression_sentences(answers, title))
    if evidence.champion is None and len(answers) > 1:
        return _among_all(answers, title)
    return " ".join(_sentences(answers, title))


def _sentences(answers: Sequence[Comparison], title: str) -> list[str]:
    baseline = answers[0].baseline
    found = {finding: [each.candidate for each in answers if _shown(each) == finding] for finding in _ORDER}
    told = []
    for finding in _ORDER:
        names = found[finding]
        if names:
            told.append(_sentence(finding, names, baseline, title))
    unknown = [each for each in answers if _shown(each) == Finding.CANNOT_TELL]
    if len(unknown) == 1 and unknown[0].more_cases:
        told.append(f"About {unknown[0].more_cases:,} more cases would probably tell.")
    return told


_ORDER: tuple[Finding | None, ...] = (
    Finding.BETTER,
    Finding.NON_INFERIOR,
    Finding.EQUIVALENT,
    Finding.NOT_BETTER,
    Finding.WORSE,
    Finding.CANNOT_TELL,
    None,
)


def _shown(comparison: Comparison) -> Finding | None:
    return None if comparison.incomparable or not comparison.cases else comparison.finding


def _sentence(finding: Finding | None, names: Sequence[str], baseline: str, title: str) -> str:
    words = _WORDS[finding]
    return words.format(who=_listed(names), be="is" if len(names) == 1 else "are", baseline=baseline, title=title)


_WORDS: dict[Finding | None, str] = {
    Finding.BETTER: "{who} {be} better than {baseline} on {title}.",
    Finding.WORSE: "{who} {be} worse than {baseline} on {title}.",
    Finding.EQUIVALENT: "{who} {be} as good as {baseline} on {title}, within the margin.",
    Finding.NOT_BETTER: "{who} {be} not better than {baseline} on {title} by more than the margin.",
    Finding.NON_INFERIOR: "{who} {be} not worse than {baseline} on {title} by the margin; better cannot be told yet.",
    Finding.CANNOT_TELL: "Whether {who} {be} better than {baseline} on {title} cannot be told yet.",
    None: "{who} cannot be compared with {baseline}.",
}


def _regression_sentences(answers: Sequence[Comparison], title: str) -> list[str]:
    told = []
    for each in answers:
        margin = f"{each.margin:g}" if each.margin is not None else "the margin"
        if _shown(each) is None:
            told.append(f"{each.candidate} cannot be compared with {each.baseline}.")
        elif each.is_non_inferior:
            told.append(f"{each.candidate} is not worse than {each.baseline} on {title} by {margin} or more.")
        elif each.answer is Answer.NOT_BETTER and each.finding is Finding.WORSE:
            told.append(f"{each.candidate} is worse than {each.baseline} on {title}.")
        else:
            told.append(f"That {each.candidate} is worse than {each.baseline} on {title} by {margin} is not ruled out.")
    return told


def _among_all(answers: Sequence[Comparison], title: str) -> str:
    names = list(dict.fromkeys(name for each in answers for name in (each.baseline, each.candidate)))
    wins: dict[str, set[str]] = {name: set() for name in names}
    for each in answers:
        if each.finding is Finding.BETTER:
            wins[each.candidate].add(each.baseline)
        elif each.finding is Finding.WORSE:
            wins[each.baseline].add(each.candidate)
    best = [name for name in names if len(wins[name]) == len(names) - 1]
    if best:
        return f"{best[0]} is better than all others on {title}."
    unbeaten = [name for name in names if not any(name in beaten for beaten in wins.values())]
    if len(unbeaten) == len(names):
        return f"On {title} no model can be told to be better than another yet."
    return (
        f"On {title} {_listed(unbeaten)} {'is' if len(unbeaten) == 1 else 'are'} not shown to be worse than any other."
    )


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        return f"{', '.join(shown)} and {len(names) - _MOST_NAMED} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
