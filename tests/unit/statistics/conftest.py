"""WMT17's sixteen systems, and the p-values that another program published."""

from __future__ import annotations

import ast
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from hallmark.statistics.inputs import Floats
from local.bedrock import published_corpora
from local.bedrock.published_corpora import SACREBLEU, fetch


@dataclass(frozen=True)
class TranslationSystems:
    """Outputs of the systems, and what BLEU sums over them."""

    outputs: Mapping[str, list[str]]
    references: list[list[str]]
    statistics: Mapping[str, Floats]
    published: Mapping[str, tuple[float, float]]
    """p-values of MultEval's approximate randomisation against the first system: of BLEU, of TER."""


@pytest.fixture(scope="session")
def wmt17() -> TranslationSystems:
    corpus = published_corpora.wmt17()
    outputs = {corpus.full_names[name]: list(lines) for name, lines in corpus.systems.items()}
    references = [list(corpus.reference)]
    bleu = BLEU(references=references, tokenize="none")
    rows = {
        name: np.array(bleu._extract_corpus_statistics(texts, None), dtype=np.float64)
        for name, texts in outputs.items()
    }
    return TranslationSystems(outputs, references, rows, _assigned("test/test_significance.py", "MULTEVAL_P_VALS"))


def _assigned(file: str, name: str) -> Any:
    """Return the literal that a module of sacrebleu's source distribution assigns, without running the module."""
    with tarfile.open(fetch(SACREBLEU)) as archive:
        opened = archive.extractfile(f"sacrebleu-{SACREBLEU.version}/{file}")
        assert opened is not None
        source = opened.read().decode()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return ast.literal_eval(statement.value)
    raise LookupError(name)
