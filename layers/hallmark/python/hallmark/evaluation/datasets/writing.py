"""Datasets in Bedrock's own formats: the way out; ``layouts`` is the way in.

Source: Amazon Bedrock user guide, "Use prompt datasets for model evaluation", "Create a prompt dataset for a RAG
evaluation". A line carries no identifier of its case: whoever reads results finds it by what the line says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from hallmark.evaluation.cases import Case

PROMPT_BYTES = 4096
"""Of one prompt (Amazon Bedrock endpoints and quotas, "Prompt size")."""
TURNS = 5
"""Of one conversation (Amazon Bedrock user guide, "Create a prompt dataset for a RAG evaluation")."""


class WrittenDataset(NamedTuple):
    """A dataset for a job of Bedrock."""

    content: bytes
    """JSON Lines."""
    lines: Mapping[str, Mapping[str, Any]]
    """What was written of each case, by its id, in order."""
    refused: Mapping[str, str]
    """Cases that the format cannot hold, by id, and why."""


def write_prompts(cases: Iterable[Case], *, system: str | None = None, identifier: str | None = None) -> WrittenDataset:
    """Return the dataset of an automatic, a judged or a human evaluation.

    Args:
        cases: Each with one turn.
        system: Stands before the prompt, since the format has no place for a system prompt.
        identifier: Of the answers that were computed elsewhere, where nobody is to be asked.
    """

    def line(case: Case) -> dict[str, Any]:
        if len(case.conversation) > 1:
            raise _RefusedError("it has several turns, and an evaluation job takes one prompt")
        told = case.system or system
        prompt = f"{told}\n\n{case.question}" if told else case.question
        size = len(prompt.encode())
        if size > PROMPT_BYTES:
            raise _RefusedError(f"its prompt has {size:,} bytes, and an evaluation job takes {PROMPT_BYTES:,}")
        written: dict[str, Any] = {"prompt": prompt}
        if case.expected:
            written["referenceResponse"] = case.expected[0]
        if case.category is not None:
            written["category"] = case.category
        if identifier is not None:
            answer = _answer(case, identifier)
            written["modelResponses"] = [{"response": answer, "modelIdentifier": identifier}]
        return written

    return _write(cases, line)


def write_conversations(cases: Iterable[Case], *, identifier: str | None = None) -> WrittenDataset:
    """Return the dataset of a RAG evaluation.

    Args:
        cases: Conversations; the last turn is the one that is judged.
        identifier: Of the knowledge base whose answers and passages the cases bring, where none is to be asked.
    """

    def line(case: Case) -> dict[str, Any]:
        questions = [turn.text for turn in case.conversation if turn.role == "user"]
        replies = [turn.text for turn in case.conversation if turn.role == "assistant"]
        if len(questions) > TURNS:
            raise _RefusedError(f"it has {len(questions)} turns, and a RAG evaluation takes {TURNS}")
        turns: list[dict[str, Any]] = []
        for place, question in enumerate(questions):
            turn: dict[str, Any] = {"prompt": _content(question)}
            is_last = place == len(questions) - 1
            references = case.expected if is_last else tuple(replies[place : place + 1])
            if references:
                turn["referenceResponses"] = [_content(text) for text in references]
            if identifier is not None:
                text = _answer(case, identifier) if is_last else "".join(replies[place : place + 1])
                turn["output"] = {
                    "text": text,
                    "knowledgeBaseIdentifier": identifier,
                    "retrievedPassages": {
                        "retrievalResults": [{"content": {"text": passage}} for passage in case.context if is_last]
                    },
                }
            turns.append(turn)
        return {"conversationTurns": turns}

    return _write(cases, line)


class _RefusedError(ValueError):
    """A case does not fit into the format."""


def _write(cases: Iterable[Case], line: Callable[[Case], dict[str, Any]]) -> WrittenDataset:
    lines: dict[str, dict[str, Any]] = {}
    refused: dict[str, str] = {}
    for case in cases:
        try:
            lines[case.id] = line(case)
        except _RefusedError as error:
            refused[case.id] = str(error)
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines.values())
    return WrittenDataset(text.encode(), lines, refused)


def _answer(case: Case, identifier: str) -> str:
    answer = case.answers.get(identifier)
    if answer is None:
        raise _RefusedError(f"the dataset has no answer of {identifier!r} to it")
    return answer


def _content(text: str) -> dict[str, Any]:
    return {"content": [{"text": text}]}
