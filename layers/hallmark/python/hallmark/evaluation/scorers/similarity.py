"""Closeness in meaning, by the Universal Sentence Encoder (multilingual v3; Yang et al. 2019) in 16 languages.

Two readings. ``semantic_similarity`` is the cosine of the embeddings of both whole texts. ``embedding_match`` is made
as BERTScore is (Zhang et al. 2020): each word takes its nearest word of the other text, and precision, recall and F1
are means of those cosines. It is not BERTScore: the vectors are the encoder's of each word alone, without its context,
so that order and word sense do not count, and its numbers do not compare with published ones. Cosines below 0 count as
0; nothing is rescaled and no word weighs more than another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import (
    ScorerSettings,
    failed,
    not_applicable,
    scored,
    share,
    signature_of,
    too_long,
)
from hallmark.evaluation.scorers.tokens import unicode_words
from hallmark.sentence_encoder import PACKAGE, encoder

LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh", "zh-TW")
"""Which the encoder was trained on."""
SIMILARITY = Metric(name="semantic_similarity", title="Semantic similarity", low=-1.0, high=1.0)
MATCHES = (
    share("embedding_precision", "Embedding match: precision"),
    share("embedding_recall", "Embedding match: recall"),
    share("embedding_f1", "Embedding match: F1"),
)
MAX_CHARACTERS = 50_000
"""Longest text that is encoded: about two seconds."""
MAX_WORDS = 5_000
"""Most different words of a text that are matched."""


def similarity(text: str, others: Sequence[str]) -> list[float]:
    """Return the cosine of a text with each of others, -1 to 1; a blank text is like a blank one alone."""
    if not text.strip():
        return [float(not other.strip()) for other in others]
    written = [other for other in others if other.strip()]
    if not written:
        return [0.0] * len(others)
    vectors = encoder().encode([text, *written])
    cosines = iter((vectors[1:] @ vectors[0]).clip(-1.0, 1.0).tolist())
    return [next(cosines) if other.strip() else 0.0 for other in others]


def embedding_match(text: str, reference: str) -> tuple[float, float, float]:
    """Return precision, recall and F1 of greedily matched words, each 0 to 1.

    Raises:
        ValueError: One of the texts has too many different words.
    """
    given, wanted = unicode_words(text), unicode_words(reference)
    if not given or not wanted:
        same = float(given == wanted)
        return same, same, same
    most = max(len(set(given)), len(set(wanted)))
    if most > MAX_WORDS:
        raise ValueError(f"a text has {most:,} different words: at most {MAX_WORDS:,} are matched")
    vectors = encoder().encode([*given, *wanted])
    cosines = (vectors[: len(given)] @ vectors[len(given) :].T).clip(0.0, 1.0)
    precision, recall = float(cosines.max(axis=1).mean()), float(cosines.max(axis=0).mean())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class SimilarityScorer:
    """Cosine of whole texts; of several expected answers the nearest counts."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (SIMILARITY,)

    @property
    def signature(self) -> str:
        """What the numbers depend on."""
        return signature_of("semantic_similarity", 1, encoder=f"{PACKAGE} {version(PACKAGE)}")

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer."""
        if not case.expected:
            return not_applicable(self.metrics)
        fault = too_long(answer.text, *case.expected, limit=MAX_CHARACTERS)
        if fault is not None:
            return failed(self.metrics, fault)
        return (scored(SIMILARITY, max(similarity(answer.text, case.expected))),)


@dataclass(frozen=True, slots=True)
class EmbeddingMatchScorer:
    """Words matched by their vectors; of several expected answers the one with the best F1 counts."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return MATCHES

    @property
    def signature(self) -> str:
        """What the numbers depend on."""
        return signature_of("embedding_match", 1, unit="word", encoder=f"{PACKAGE} {version(PACKAGE)}")

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer."""
        if not case.expected:
            return not_applicable(self.metrics)
        fault = too_long(answer.text, *case.expected, limit=MAX_CHARACTERS)
        if fault is not None:
            return failed(self.metrics, fault)
        try:
            best = max((embedding_match(answer.text, each) for each in case.expected), key=lambda match: match[2])
        except ValueError as error:
            return failed(self.metrics, str(error))
        return tuple(map(scored, MATCHES, best))


class SimilaritySettings(ScorerSettings):
    """Closeness in meaning."""

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer."""
        return SimilarityScorer()


class EmbeddingMatchSettings(ScorerSettings):
    """Words of similar meaning."""

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002
        """Make the scorer."""
        return EmbeddingMatchScorer()
