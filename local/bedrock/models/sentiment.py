"""Sentiment by rule: VADER and TextBlob, asked in words.

A prompt names the labels that it wants and ends with the text to classify; the answer is one of these labels, spelled
as the prompt spells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from local.bedrock.contract import Question, Reply, invalid

LABELS = ("negative", "neutral", "positive")
_LABEL = re.compile(r"\b(positive|negative|neutral)\b", re.IGNORECASE)
_TEXT_MARK = re.compile(
    r"^\s*(?:the\s+)?(?:text|review|tweet|comment|sentence|message|input|snippet)\s*:\s*", re.IGNORECASE | re.MULTILINE
)
_CUE = re.compile(r"\n\s*(?:sentiment|label|answer|class|classification|output)\s*:\s*$", re.IGNORECASE)

Scorer = Callable[[str], float]


@dataclass(frozen=True)
class Thresholds:
    """Where on the scale from -1 to 1 the labels begin: below ``low`` negative, above ``high`` positive."""

    low: float
    high: float

    def label(self, score: float) -> str:
        """Return the label of a score."""
        if score > self.high:
            return "positive"
        return "negative" if score < self.low else "neutral"


@dataclass(frozen=True)
class SentimentModel:
    """A scorer of texts and the thresholds of its labels."""

    score: Scorer
    thresholds: Thresholds

    def reply(self, question: Question) -> Reply:
        """Answer with the label."""
        text, labels = read_prompt(question)
        score = self.score(text)
        label = self.thresholds.label(score)
        if label not in labels:
            # Asked for two labels only: the side of the middle on which the score lies.
            middle = (self.thresholds.low + self.thresholds.high) / 2
            label = "positive" if score >= middle else "negative"
        return Reply(labels.get(label, label))

    def fitted(self, examples: Sequence[tuple[str, str]]) -> SentimentModel:
        """Return the model with the thresholds that are right most often on (text, label) pairs."""
        return replace(self, thresholds=fit_thresholds([(self.score(text), label) for text, label in examples]))

    def error_rate(self, examples: Sequence[tuple[str, str]]) -> float:
        """Return the share of (text, label) pairs that the model gets wrong."""
        wrong = sum(self.thresholds.label(self.score(text)) != label for text, label in examples)
        return wrong / len(examples)


def vader() -> SentimentModel:
    """Return VADER with the thresholds that its authors recommend (vaderSentiment's README, "About the Scoring")."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # noqa: PLC0415 - loaded when first asked

    analyser = SentimentIntensityAnalyzer()

    def score(text: str) -> float:
        compound: float = analyser.polarity_scores(text)["compound"]
        return compound

    return SentimentModel(score, Thresholds(-0.05, 0.05))


def textblob() -> SentimentModel:
    """Return TextBlob's pattern analyser; its polarity is exactly 0 where it knows no word."""
    from textblob import TextBlob  # noqa: PLC0415 - loaded when first asked: it takes more than a second

    def score(text: str) -> float:
        polarity: float = TextBlob(text).sentiment.polarity
        return polarity

    return SentimentModel(score, Thresholds(0.0, 0.0))


def read_prompt(question: Question) -> tuple[str, dict[str, str]]:
    """Return the text to classify, and the labels asked for with the prompt's own spelling of each.

    The text is what follows the last line that begins with ``Text:`` (or Review, Tweet, Comment ...); without one, the
    last paragraph. A cue at the end (``Sentiment:``) does not belong to it.

    Raises:
        ServiceError: ``ValidationException`` where the prompt has no text or names none of the labels.
    """
    prompt = _CUE.sub("", question.text.rstrip())
    marks = list(_TEXT_MARK.finditer(prompt))
    if marks:
        instruction, text = prompt[: marks[-1].start()], prompt[marks[-1].end() :]
    else:
        instruction, _, text = prompt.rpartition("\n\n")
    labels = _labels(f"{question.system}\n{instruction}")
    if not text.strip() or not labels:
        raise invalid(
            "The model classifies the sentiment of a text: name the labels (positive, negative, neutral), then end the "
            "prompt with a line 'Text: ...' or a paragraph that is the text"
        )
    return text.strip(), labels


@lru_cache(maxsize=1024)
def _labels(instruction: str) -> dict[str, str]:
    labels: dict[str, str] = {}
    for match in _LABEL.finditer(instruction):
        labels.setdefault(match[1].lower(), match[1])
    return labels


def fit_thresholds(scored: Iterable[tuple[float, str]]) -> Thresholds:
    """Return the thresholds with the most right answers on (score, label) pairs; the lowest of several that are equal.

    Every cut between two neighbouring scores is tried, in one pass over the sorted scores: with a cut after each
    prefix, the best lower cut is the one that gains most from negatives below it less neutrals.

    Raises:
        ServiceError: There is nothing to fit, or a label is none of the three.
    """
    ordered = sorted(scored)
    unknown = sorted({label for _, label in ordered} - set(LABELS))
    if not ordered or unknown:
        raise invalid(f"training data needs labels out of {', '.join(LABELS)}; found {unknown or 'no records'}")
    positives = sum(label == "positive" for _, label in ordered)
    cuts = _cuts([score for score, _ in ordered])
    negatives = neutrals = 0
    best_low, best_gain = cuts[0], 0
    best, best_right = Thresholds(cuts[0], cuts[0]), positives
    for index, (_, label) in enumerate(ordered):
        negatives += label == "negative"
        neutrals += label == "neutral"
        positives -= label == "positive"
        cut = cuts[index + 1]
        if cut == cuts[index]:
            continue  # the next score is the same: no cut lies between
        if negatives - neutrals > best_gain:
            best_low, best_gain = cut, negatives - neutrals
        right = best_gain + neutrals + positives
        if right > best_right:
            best, best_right = Thresholds(best_low, cut), right
    return best


def _cuts(scores: Sequence[float]) -> list[float]:
    """Return the cut before each score and after the last one; a cut repeats where two scores are equal."""
    cuts = [scores[0] - 1e-6]
    for left, right in pairwise(scores):
        cuts.append(cuts[-1] if left == right else (left + right) / 2)
    return [*cuts, scores[-1] + 1e-6]
