"""ROUGE and chrF against rouge-score and sacrebleu on sixteen real translation systems, and what the rest costs.

The systems are WMT17's, 3,004 sentences each: as in a run, many answers are scored against the same references.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from rouge_score.rouge_scorer import RougeScorer as PeerRouge
from sacrebleu.metrics.chrf import CHRF

from hallmark.evaluation.scorers import chrf, rouge
from hallmark.evaluation.scorers.chrf import ChrfScorer
from hallmark.evaluation.scorers.refusal import is_refusal
from hallmark.evaluation.scorers.rouge import RougeScorer
from hallmark.evaluation.scorers.similarity import similarity
from hallmark.evaluation.scorers.text import token_f1
from hallmark.evaluation.scorers.toxicity import find_toxic
from hallmark.sentence_encoder import encoder
from local.bedrock.published_corpora import wmt17

_SENTENCES = 500
_SYSTEMS = 4
_PARAGRAPH = 4
"""Sentences put together for texts of about 80 words."""
_ROUNDS = 5
_IMPORT_GOAL_MS = 200


class _Pairs(NamedTuple):
    answers: tuple[tuple[str, ...], ...]
    """Of each system, shape ``(systems, sentences)``."""
    references: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.answers) * len(self.references)


def run() -> Iterator[dict[str, Any]]:
    """Measure ROUGE, chrF, the other scorers and the import of all of them."""
    short = _pairs(1)
    yield from _rouge("20 words", short, stemmer=False)
    yield from _rouge("20 words, stemmed", short, stemmer=True)
    long = _pairs(_PARAGRAPH)
    yield from _rouge("80 words", long, stemmer=False)
    for word_order in (0, 2):
        yield from _chrf("20 words", short, word_order)
        yield from _chrf("80 words", long, word_order)
    yield from _others(short)
    yield _import()


def _pairs(joined: int) -> _Pairs:
    corpus = wmt17()
    names = sorted(corpus.systems)[:_SYSTEMS]

    def texts(lines: Sequence[str]) -> tuple[str, ...]:
        wanted = lines[: _SENTENCES * joined] if joined == 1 else lines[:_SENTENCES]
        return tuple(" ".join(wanted[start : start + joined]) for start in range(0, len(wanted), joined))

    return _Pairs(tuple(texts(corpus.systems[name]) for name in names), texts(corpus.reference))


def _rouge(name: str, pairs: _Pairs, *, stemmer: bool) -> Iterator[dict[str, Any]]:
    """Yield speed with the references prepared once, speed with every text new, and the largest difference."""
    ours = RougeScorer(("rouge_1", "rouge_2", "rouge_l"), stemmer=stemmer)
    peer = PeerRouge(["rouge1", "rouge2", "rougeL"], use_stemmer=stemmer)

    def score_ours() -> None:
        for answers in pairs.answers:
            for answer, reference in zip(answers, pairs.references, strict=True):
                ours.compare(answer, (reference,))

    def score_new() -> None:
        rouge._prepared_reference.cache_clear()
        for answer, reference in zip(pairs.answers[0], pairs.references, strict=True):
            ours.compare(answer, (reference,))

    def score_peer() -> None:
        for answer, reference in zip(pairs.answers[0], pairs.references, strict=True):
            peer.score(reference, answer)

    theirs = _rate(score_peer, len(pairs.references), rounds=2)
    title = f"ROUGE-1, -2 and -L of texts of {name}"
    yield _line(f"{title}, {_SYSTEMS} systems on the same references", _rate(score_ours, pairs.size), theirs, 5)
    yield _line(f"{title}, every reference new", _rate(score_new, len(pairs.references)), theirs, 5)
    differing = sum(
        tuple(mine) != tuple(other)
        for answers in pairs.answers[:2]
        for answer, reference in zip(answers, pairs.references, strict=True)
        for mine, other in zip(ours.compare(answer, (reference,)), peer.score(reference, answer).values(), strict=True)
    )
    yield {**_line(f"{title}: numbers that differ from rouge-score's", differing, None, None, "numbers"), "goal": 0} | {
        "met": differing == 0
    }


def _chrf(name: str, pairs: _Pairs, word_order: int) -> Iterator[dict[str, Any]]:
    """Yield speed of corpus statistics, with and without prepared references, and the largest difference."""
    ours, references = ChrfScorer(word_order=word_order), [list(pairs.references)]
    prepared, plain = CHRF(word_order=word_order, references=references), CHRF(word_order=word_order)
    title = f"chrF{'+' * word_order} of texts of {name}"

    def score_ours() -> None:
        for answers in pairs.answers:
            for answer, reference in zip(answers, pairs.references, strict=True):
                ours.statistics(answer, (reference,))

    def score_new() -> None:
        chrf._counted_words.cache_clear()
        for answer, reference in zip(pairs.answers[0], pairs.references, strict=True):
            ours.statistics(answer, (reference,))

    def score_prepared() -> None:
        prepared.corpus_score(list(pairs.answers[0]), None)

    def score_plain() -> None:
        plain.corpus_score(list(pairs.answers[0]), references)

    size = len(pairs.references)
    yield _line(
        f"{title}, references prepared once on both sides",
        _rate(score_ours, pairs.size),
        _rate(score_prepared, size),
        2.5,
    )
    yield _line(f"{title}, every reference new on both sides", _rate(score_new, size), _rate(score_plain, size), 2.5)
    largest = 0.0
    for answers in pairs.answers:
        rows = [ours.statistics(*each) for each in zip(answers, zip(pairs.references, strict=True), strict=True)]
        mine = ours.combine(ours.metric.name, [sum(column) for column in zip(*rows, strict=True)])
        largest = max(largest, abs(mine - prepared.corpus_score(list(answers), None).score))
    yield {
        **_line(f"{title}: largest difference of a corpus's score from sacrebleu's", largest, None, None, "points"),
        "goal": 1e-12,
        "met": largest <= 1e-12,
    }


def _others(pairs: _Pairs) -> Iterator[dict[str, Any]]:
    answers, references = pairs.answers[0], pairs.references
    encoder()  # what loading costs is not what scoring costs
    scorers: dict[str, Callable[[str, str], object]] = {
        "token F1": token_f1,
        "toxicity, one language": lambda answer, _: find_toxic(answer, ("de",)),
        "refusal, eight languages": lambda answer, _: is_refusal(answer),
        "semantic similarity": lambda answer, reference: similarity(answer, (reference,)),
    }
    for name, score in scorers.items():

        def score_all(score: Callable[[str, str], object] = score) -> None:
            for answer, reference in zip(answers, references, strict=True):
                score(answer, reference)

        yield _line(name, _rate(score_all, len(references), rounds=1), None, None)


def _import() -> dict[str, Any]:
    """Measure the registry's import over boto3 and pydantic, which the function has anyway."""
    code = (
        "import time, boto3, pydantic; begun = time.process_time();"
        "import hallmark.evaluation.scorers.registry; print(time.process_time() - begun)"
    )
    taken = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(_ROUNDS)
    ]
    milliseconds = round(statistics.median(taken) * 1000, 1)
    line = _line("import of the registry of scorers, over boto3 and pydantic", milliseconds, None, None, "ms")
    return {**line, "goal": _IMPORT_GOAL_MS, "met": milliseconds <= _IMPORT_GOAL_MS}


def _rate(work: Callable[[], None], count: int, rounds: int = _ROUNDS) -> float:
    """Return pairs a second of processor time, the best of some rounds: the machine has other work too."""
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return round(count / min(taken), 1)


def _line(name: str, ours: float, peer: float | None, goal: float | None, unit: str = "pairs/s") -> dict[str, Any]:
    """Return a line; ``ratio`` is how many times faster ours is."""
    ratio = round(ours / peer, 2) if peer else None
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
