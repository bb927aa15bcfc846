"""Answers that are signed: the deployed function asks the question itself, and what it says is kept in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hallmark.attestations.envelopes import read_envelope
from hallmark.attestations.statements import read_statement
from hallmark.errors import HallmarkError
from hallmark.lineage.questions import Answer, Question, read_answer

_STACK = "HallmarkLedger"
_SOURCES = {
    "QueryLineageFunctionName": "lineage",
    "MeasureCoverageFunctionName": "coverage",
    "QueryLedgerFunctionName": "ledger",
    "FindSubjectFunctionName": "subjects",
}
"""Functions whose answers are signed, by the outputs that name them."""


class SignedAnswers:
    """The deployed stacks, as a command asks them: each answer is signed, and written to a file, one a line.

    Args:
        service: The deployed stacks.
        file: Where the envelopes go; what was in it is replaced.
    """

    def __init__(self, service: Any, file: Path) -> None:
        self._service, self._file = service, file
        self._written = False

    def ask(self, question: Question) -> Answer:
        """Ask the query function of lineage."""
        return read_answer(self._signed("lineage", question.model_dump(mode="json")))

    def call(self, output: str, stack: str, payload: Mapping[str, Any]) -> Any:
        """Ask a function; answers of those that are not known to tell what is so are not signed."""
        source = _SOURCES.get(output)
        return self._service.call(output, stack, payload) if source is None else self._signed(source, payload)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def _signed(self, source: str, question: Mapping[str, Any]) -> Any:
        said = self._service.call("SignAnswerFunctionName", _STACK, {"source": source, "question": dict(question)})
        try:
            with self._file.open("a" if self._written else "w", encoding="utf-8") as file:
                file.write(said["envelope"] + "\n")
        except OSError as error:
            raise HallmarkError(f"{self._file}: {error.strerror}: name a file that can be written") from error
        self._written = True
        return read_statement(read_envelope(said["envelope"].encode()).payload).predicate["answer"]
