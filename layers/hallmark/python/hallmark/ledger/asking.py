"""What can be asked of the ledger, and the answers."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.ledger.entries import body_of, content_path, read_entry
from hallmark.ledger.merkle import hash_leaf, prove_consistency, prove_inclusion
from hallmark.ledger.notes import VerifierKey, read_checkpoint, read_note
from hallmark.ledger.ports import LogStore
from hallmark.ledger.sealing import Places, entry_at
from hallmark.ledger.sequencing import CHECKPOINT, kept_checkpoint
from hallmark.ledger.tiles import HashReader


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class StatusQuestion(_Frozen):
    """How the log stands."""

    ask: Literal["status"] = "status"


class ProofQuestion(_Frozen):
    """That an entry is in the log: its place, or the id of a fact."""

    ask: Literal["proof"] = "proof"
    entry: str = Field(min_length=1)


class ConsistencyQuestion(_Frozen):
    """That the log of one size begins with the log of another."""

    ask: Literal["consistency"] = "consistency"
    old: int = Field(ge=1)
    new: int | None = Field(default=None, ge=1)
    """None: as it stands now."""


LedgerQuestion = Annotated[StatusQuestion | ProofQuestion | ConsistencyQuestion, Field(discriminator="ask")]
_QUESTION: TypeAdapter[LedgerQuestion] = TypeAdapter(LedgerQuestion, config=ConfigDict(defer_build=True))


def read_ledger_question(event: object) -> LedgerQuestion:
    """Read a question.

    Raises:
        InvalidInputError: It is none.
    """
    try:
        return _QUESTION.validate_python(event)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the question"
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None


def answer(
    question: LedgerQuestion, store: LogStore, index: Places, origin: str, keys: tuple[VerifierKey, ...]
) -> dict[str, Any]:
    """Answer a question about the log.

    Raises:
        NotFoundError: There is no such entry, or no log yet.
        LogDamagedError: A file of the log is missing or was changed.
        ProofError: What is asked for cannot be shown.
    """
    note = store.read(CHECKPOINT)
    if note is None:
        raise NotFoundError("the ledger has no entries yet: what is recorded is sealed within a minute")
    checkpoint = read_checkpoint(read_note(note.decode()).text)
    said = {"answer": question.ask, "origin": origin, "keys": [str(key) for key in keys]}
    if isinstance(question, StatusQuestion):
        return {**said, "size": checkpoint.size, "root": checkpoint.root.hex(), "checkpoint": note.decode()}
    reader = HashReader(store.read, checkpoint.size)
    if isinstance(question, ConsistencyQuestion):
        new = question.new or checkpoint.size
        proof = prove_consistency(question.old, new, HashReader(store.read, new).node)
        kept = {size: store.read(kept_checkpoint(size)) for size in (question.old, new)}
        return {
            **said,
            "old": question.old,
            "new": new,
            "proof": [b64encode(value).decode() for value in proof],
            "checkpoints": {str(size): content.decode() for size, content in kept.items() if content is not None},
        }
    place = _place(question.entry, index)
    content = entry_at(store, place, checkpoint.size)
    entry = read_entry(content, f"entry {place}")
    long_body = store.read(content_path(entry.body_sha256)) if entry.body_sha256 else None
    return {
        **said,
        "entry": place,
        "id": entry.id,
        "recorded_at": entry.recorded_at,
        "body": body_of(entry, long_body),
        "content": b64encode(content).decode(),
        "leaf_hash": hash_leaf(content).hex(),
        "size": checkpoint.size,
        "proof": [b64encode(value).decode() for value in prove_inclusion(place, checkpoint.size, reader.node)],
        "checkpoint": note.decode(),
    }


def _place(entry: str, index: Places) -> int:
    if entry.isascii() and entry.isdigit():
        return int(entry)
    found = index.places([entry]).get(entry)
    if found is None:
        raise NotFoundError(f"{entry} is not in the ledger: name an entry by its number, or by the id of a fact")
    return found
