"""Prompt datasets of evaluation jobs, checked as Bedrock checks them.

Sources: Bedrock user guide, "Use prompt datasets for model evaluation" (fields, at most 1,000 prompts), general
reference, Bedrock quotas (a prompt of at most 4 KB).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.bedrock.contract import Document
from local.bedrock.foundation import JobFailedError, read_json_lines

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

MAX_PROMPTS = 1000
MAX_PROMPT_BYTES = 4096
_MAX_TURNS = 5


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation with retrieval."""

    prompt: str
    reference: str
    output: str
    passages: tuple[str, ...]
    record: Document


@dataclass(frozen=True)
class Record:
    """One line of a dataset.

    Attributes:
        record: As it stands there.
        prompt: What the model is asked.
        reference: What is expected, empty where nothing is.
        response: What was answered beforehand, where it was.
        turns: The turns, of a conversation with retrieval.
    """

    record: Document
    prompt: str = ""
    reference: str = ""
    response: str | None = None
    turns: tuple[Turn, ...] = ()


def read_dataset(s3: S3Client, uri: str, source: str | None, *, is_rag: bool) -> list[Record]:
    """Return the records of a dataset.

    Args:
        s3: Client of the job's role.
        uri: The object.
        source: Identifier of the precomputed answers, where the job brings its own.
        is_rag: Whether lines are conversations with retrieval.

    Raises:
        JobFailedError: The dataset breaks one of Bedrock's rules.
    """
    records: list[Record] = []
    for number, line in read_json_lines(s3, uri):
        if len(records) == MAX_PROMPTS:
            raise JobFailedError(f"{uri} has more than {MAX_PROMPTS} prompts: split it into several datasets")
        where = f"line {number} of {uri}"
        records.append(_conversation(line, where, source) if is_rag else _prompt(line, where, source))
    if not records:
        raise JobFailedError(f"{uri} has no prompts")
    return records


def _prompt(line: Document, where: str, source: str | None) -> Record:
    prompt = line.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise JobFailedError(f"{where} has no prompt")
    if len(prompt.encode()) > MAX_PROMPT_BYTES:
        raise JobFailedError(f"{where} has a prompt of {len(prompt.encode())} bytes; at most {MAX_PROMPT_BYTES} fit")
    reference = line.get("referenceResponse") or ""
    if source is None:
        return Record(line, prompt, reference)
    return Record(line, prompt, reference, _precomputed(line, where, source))


def _precomputed(line: Document, where: str, source: str) -> str:
    match line.get("modelResponses"):
        case [{"response": str(response), "modelIdentifier": str(identifier)}]:
            if identifier != source:
                raise JobFailedError(
                    f"{where} has a response of '{identifier}'; the job's inferenceSourceIdentifier is '{source}'"
                )
            return response
        case _:
            raise JobFailedError(
                f"{where} needs exactly one response: modelResponses [{{'response': ..., 'modelIdentifier': ...}}]"
            )


def _conversation(line: Document, where: str, source: str | None) -> Record:
    turns = line.get("conversationTurns")
    if not isinstance(turns, list) or not 1 <= len(turns) <= _MAX_TURNS:
        raise JobFailedError(f"{where} needs 1 to {_MAX_TURNS} conversationTurns")
    return Record(line, turns=tuple(_turn(turn, where, source) for turn in turns))


def _turn(turn: Document, where: str, source: str | None) -> Turn:
    try:
        prompt = "\n".join(_texts(turn["prompt"]))
        references = [text for reference in turn.get("referenceResponses", ()) for text in _texts(reference)]
        output = turn["output"]
        passages = tuple(
            passage["content"]["text"] for passage in output.get("retrievedPassages", {}).get("retrievalResults", ())
        )
        identifier = output["knowledgeBaseIdentifier"]
    except (KeyError, TypeError, AttributeError) as error:
        raise JobFailedError(f"{where} is no conversation with retrieval: {type(error).__name__} {error}") from error
    if source is not None and identifier != source:
        raise JobFailedError(f"{where} has an output of '{identifier}'; the job's ragSourceIdentifier is '{source}'")
    return Turn(prompt, "\n".join(references), str(output.get("text", "")), passages, turn)


def _texts(content: Any) -> Iterator[str]:
    for block in content["content"]:
        yield block["text"]
