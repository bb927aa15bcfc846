"""Sixteen real translation systems, what BLEU counts of them, and sacrebleu's own test on the same counts."""

from __future__ import annotations

import ast
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from hallmark.statistics.inputs import Floats
from local.bedrock.published_corpora import SACREBLEU, fetch, wmt17

_BASELINE = "newstest2017.LIUM-NMT.4900.en-de"
_NEAREST = "newstest2017.online-B.0.en-de"


@dataclass(frozen=True)
class Systems:
    """The baseline and fifteen others."""

    names: tuple[str, ...]
    candidates: tuple[Floats, ...]
    baseline: Floats
    nearest: str
    """The one that is closest to the baseline."""
    texts: dict[str, tuple[str, ...]]
    reference: tuple[str, ...]
    published: dict[str, float]
    """p-values of BLEU's difference from the baseline, by approximate randomisation."""


def translation_systems() -> Systems:
    """Read the systems' outputs and count their n-grams."""
    corpus = wmt17()
    texts = {corpus.full_names[name]: lines for name, lines in corpus.systems.items()}
    bleu = BLEU(references=[list(corpus.reference)], tokenize="none")
    counted = {
        name: np.array(bleu._extract_corpus_statistics(list(lines), None), dtype=np.float64)
        for name, lines in texts.items()
    }
    names = tuple(name for name in texts if name != _BASELINE)
    return Systems(
        names=names,
        candidates=tuple(counted[name] for name in names),
        baseline=counted[_BASELINE],
        nearest=_NEAREST,
        texts=texts,
        reference=corpus.reference,
        published=_published(),
    )


class _CountedBLEU(BLEU):
    """Sacrebleu's BLEU that is given the counts of n-grams, as ours is."""

    def __init__(self, systems: Systems) -> None:
        super().__init__(references=[list(systems.reference)], tokenize="none")
        counts = {**dict(zip(systems.names, systems.candidates, strict=True)), _BASELINE: systems.baseline}
        self._counts = {systems.texts[name][:8]: table.tolist() for name, table in counts.items()}

    def _extract_corpus_statistics(self, hypotheses: Any, references: Any) -> Any:
        del references
        return self._counts[tuple(hypotheses[:8])]


def paired_test(systems: Systems, kind: str, resamples: int) -> object:
    """Run sacrebleu's test (``bs`` or ``ar``) of all systems against the baseline."""
    named: list[tuple[str, Sequence[str]]] = [(name, list(systems.texts[name])) for name in (_BASELINE, *systems.names)]
    metric = _CountedBLEU(systems)
    return PairedTest(named, {"BLEU": metric}, references=None, test_type=kind, n_samples=resamples)()


def _published() -> dict[str, float]:
    """Return the p-values that sacrebleu's tests quote, without running the tests."""
    with tarfile.open(fetch(SACREBLEU)) as archive:
        member = archive.extractfile("sacrebleu-2.6.0/test/test_significance.py")
        if member is None:
            raise FileNotFoundError("test_significance.py")
        source = member.read().decode()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "MULTEVAL_P_VALS":
            return {name: bleu for name, (bleu, _) in ast.literal_eval(statement.value).items()}
    raise LookupError("MULTEVAL_P_VALS")
