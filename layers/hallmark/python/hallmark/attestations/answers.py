"""Signed answers: what Hallmark said to a question, with the state of the ledger that it saw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.attestations.statements import ANSWER, Statement, Subject, canonical, timestamp
from hallmark.errors import InvalidInputError

MAXIMUM_STATEMENT_BYTES = 4_000_000
"""Lambda returns 6 MB at most (Lambda quotas); in an envelope a statement is in base64, a third longer."""


class AskedToSign(BaseModel):
    """A question whose answer is to be signed."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    source: str = Field(min_length=1, max_length=64)
    """Who answers: ``lineage``, ``coverage`` …"""
    question: dict[str, Any]
    """As that function takes it."""


def read_asked(event: object) -> AskedToSign:
    """Read what is asked: never an answer, only a question.

    Raises:
        InvalidInputError: It is none.
    """
    try:
        return AskedToSign.model_validate(event)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the question"
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None


def answer_statement(
    asked: AskedToSign, answer: Any, ledger: Mapping[str, Any] | None, at: datetime, attestor: str
) -> Statement:
    """Return what is signed of an answer.

    Args:
        asked: The question.
        answer: What was answered.
        ledger: How the ledger stood: origin, size, root, checkpoint; None where it has no entries yet.
        at: When.
        attestor: Who answered.

    Raises:
        InvalidInputError: The answer is too large to be returned.
    """
    statement = Statement(
        subject=(
            Subject(
                name=f"answer to {asked.source} {asked.question.get('ask', '')}".strip(),
                digest={"sha256": sha256(canonical(answer)).hexdigest()},
            ),
        ),
        predicate_type=ANSWER,
        predicate={
            "answerer": {"id": attestor},
            "source": asked.source,
            "question": asked.question,
            "answer": answer,
            "answeredAt": timestamp(at),
            "ledger": None
            if ledger is None
            else {name: ledger[name] for name in ("origin", "size", "root", "checkpoint")},
        },
    )
    size = len(statement.content)
    if size > MAXIMUM_STATEMENT_BYTES:
        raise InvalidInputError(
            "the answer", f"{size:,} bytes", f"at most {MAXIMUM_STATEMENT_BYTES:,} are signed: ask for fewer nodes"
        )
    return statement
