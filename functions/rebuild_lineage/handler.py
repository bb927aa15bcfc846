"""Writes the lineage table anew from the ledger, or tells in what the two differ, a stretch of entries at a time."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.aws.clients import client
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.ledger_files import S3LogFiles
from hallmark.errors import InvalidInputError
from hallmark.ledger.reading import LoggedBody, read_bodies
from hallmark.lineage.model import Fact, canonical_fact
from hallmark.runtime.observability import logger
from hallmark.runtime.settings import Settings


class RebuildingSettings(Settings):
    """What the function is told by its deployment."""

    ledger_bucket_name: str
    lineage_table_name: str


class Stretch(BaseModel):
    """Entries ``[start, start + count)``; ``check`` only compares, ``write`` adds what is missing."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    mode: Literal["check", "write"]
    start: int = Field(ge=0)
    count: int = Field(default=512, ge=1, le=2_000)


@cache
def table() -> DynamoLineageTable:
    """Build the table once per execution environment."""
    return DynamoLineageTable(RebuildingSettings.from_environment().lineage_table_name, client("dynamodb"))


@cache
def files() -> S3LogFiles:
    """Build the log's files once per execution environment."""
    return S3LogFiles(RebuildingSettings.from_environment().ledger_bucket_name, client("s3"))


def is_the_same(logged: LoggedBody, fact: Fact) -> bool:
    """Tell whether the table holds the fact byte for byte, and as recorded at the same time."""
    found = table().fact(logged.entry.id)
    return (
        found is not None
        and canonical_fact(found.fact) == canonical_fact(fact)
        and found.recorded_at == datetime.fromisoformat(logged.entry.recorded_at)
    )


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle one stretch; return how many entries were looked at, which differed, and how many were written."""
    try:
        stretch = Stretch.model_validate(event)
    except ValidationError as error:
        fault = error.errors()[0]
        raise InvalidInputError(".".join(map(str, fault["loc"])), fault["input"], fault["msg"]) from None
    bodies = read_bodies(files(), stretch.start, stretch.count)
    different, written = [], 0
    for logged in bodies.found:
        fact = Fact.model_validate(logged.body)
        if stretch.mode == "write":
            written += table().add(fact, datetime.fromisoformat(logged.entry.recorded_at))
        if not is_the_same(logged, fact):
            different.append({"entry": logged.place, "id": logged.entry.id})
    logger.info("stretch handled", mode=stretch.mode, start=stretch.start, different=len(different), written=written)
    return {"size": bodies.size, "looked_at": len(bodies.found), "different": different[:100], "written": written}
