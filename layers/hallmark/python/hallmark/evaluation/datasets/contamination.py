"""Whether cases stand in the training data: overlap of word n-grams (Brown et al. 2020, appendix C)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from hallmark.evaluation.cases import Case
from hallmark.evaluation.datasets.reading import parquet_rows, unpack
from hallmark.evaluation.suites import Contamination

_WORD = re.compile(r"\w+")


class CaseOverlap(BaseModel):
    """How much of a case stands in the training data."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    case: str
    share: float
    """Seen n-grams of all n-grams of the case."""


class ContaminationReport(BaseModel):
    """What was found."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    overlaps: tuple[CaseOverlap, ...]
    """Cases with any seen n-gram, the most contaminated first."""
    contaminated: frozenset[str]
    too_short: int
    """Cases with fewer words than an n-gram has: nothing can be said about them."""
    checked: int

    @property
    def summary(self) -> str:
        """What a reader of the results must know."""
        short = f", {self.too_short:,} were too short to check" if self.too_short else ""
        return f"{len(self.contaminated):,} of {self.checked:,} cases stand in the training data{short}"


def check_contamination(
    cases: Sequence[Case], training_data: Iterable[tuple[str, bytes]], settings: Contamination
) -> ContaminationReport:
    """Look for the cases' n-grams in the training data, which is read object by object and not kept.

    Args:
        cases: What is to be asked.
        training_data: Name and content of each object: any text, JSON, JSON Lines or Parquet, with gzip or without.
        settings: Length of an n-gram and the share from which on a case counts as contaminated.

    Raises:
        InvalidInputError: An object is no Parquet or gzip, although its name says so.
    """
    wanted = {case.id: _ngrams(_words(_text(case)), settings.ngram) for case in cases}
    sought = frozenset().union(*wanted.values()) if wanted else frozenset()
    seen: set[tuple[str, ...]] = set()
    for name, content in training_data:
        for text in _texts(*unpack(name, content)):
            seen.update(run for run in _runs(_words(text), settings.ngram) if run in sought)
    overlaps = [
        CaseOverlap(case=name, share=len(grams & seen) / len(grams))
        for name, grams in wanted.items()
        if grams and not grams.isdisjoint(seen)
    ]
    overlaps.sort(key=lambda overlap: (-overlap.share, overlap.case))
    return ContaminationReport(
        overlaps=tuple(overlaps),
        contaminated=frozenset(overlap.case for overlap in overlaps if overlap.share >= settings.threshold),
        too_short=sum(not grams for grams in wanted.values()),
        checked=len(wanted),
    )


def _text(case: Case) -> str:
    return "\n".join([*(turn.text for turn in case.conversation), *case.expected])


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _ngrams(words: Sequence[str], length: int) -> frozenset[tuple[str, ...]]:
    return frozenset(_runs(words, length))


def _runs(words: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(length)), strict=False)


def _texts(name: str, content: bytes) -> Iterator[str]:
    """Yield what was trained on: of JSON the texts that it holds, since it writes letters and new lines otherwise."""
    if name.endswith(".parquet"):
        for _, row in parquet_rows(name, content):
            yield "\n".join(_strings(row))
        return
    text = content.decode("utf-8", errors="replace")
    if name.endswith(".json") and (document := _json(text)) is not None:
        yield "\n".join(_strings(document))
        return
    plain: list[str] = []
    for line in text.split("\n"):
        record = _json(line) if line.lstrip().startswith(("{", "[")) else None
        if record is None:
            plain.append(line)
        else:
            yield "\n".join(_strings(record))
    yield "\n".join(plain)


def _json(text: str) -> Any:
    """Return a document; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
