"""The systems of WMT17's shared task: each replays the translation that it gave to a sentence of newstest2017.

The package that ships the translations does not ship the English sentences, so a prompt names the sentence that it
wants translated by its number: ``[newstest2017:0123]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from local.bedrock.contract import Question, Reply, invalid
from local.bedrock.published_corpora import wmt17

_SEGMENT = re.compile(r"\[\s*newstest2017\s*:\s*(\d+)\s*\]", re.IGNORECASE)

SYSTEMS = (
    "c-3ma",
    "fbk",
    "kit",
    "lium-nmt",
    "lmu-nmt-reranked",
    "lmu-nmt-single",
    "online-a",
    "online-b",
    "online-f",
    "online-g",
    "promt-rule-based",
    "rwth-nmt-ensemble",
    "systran",
    "talp-upc",
    "uedin-nmt",
    "xmu",
)
"""The systems, so that they can be listed without the data."""


@dataclass(frozen=True)
class TranslationSystem:
    """One system; ``lines`` are its translations in the order of the test set."""

    name: str
    lines: tuple[str, ...]

    def reply(self, question: Question) -> Reply:
        """Answer with the system's own translation of the last sentence that the prompt names."""
        found = _SEGMENT.findall(question.text)
        number = int(found[-1]) if found else 0
        if not 1 <= number <= len(self.lines):
            named = f"names sentence {number}" if found else "names no sentence"
            raise invalid(
                f"The prompt {named}: {self.name} replays its translations of the English-German test set "
                f"newstest2017; write [newstest2017:0001] to [newstest2017:{len(self.lines)}] into the prompt"
            )
        return Reply(self.lines[number - 1])


def translation_system(name: str) -> TranslationSystem:
    """Return a system with its translations.

    Raises:
        CorpusUnavailableError: They could not be fetched.
    """
    return TranslationSystem(name, wmt17().systems[name])
