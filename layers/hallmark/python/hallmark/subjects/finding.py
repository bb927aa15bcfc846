"""Recording whose data a snapshot holds, and finding the snapshots, and the models, that saw a person's data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.events.records import LineageNode, LineageSection
from hallmark.events.subjects import SubjectsRecorded
from hallmark.subjects.tokens import TOKEN_BYTES, false_positive_bound, holds_token, token_file, token_of

_VERSION_MARK = "#sha256:"
_MOST_PARTS = 10_000


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SubjectPart(_Frozen):
    """Some of the people in a snapshot; a part that is sent again replaces itself."""

    snapshot: str
    """``<S3 URI>#sha256:<digest>``."""
    part: int = Field(ge=0, lt=_MOST_PARTS)
    subjects: tuple[str, ...] = Field(min_length=1)


class SubjectsComplete(_Frozen):
    """All parts of a snapshot were sent."""

    snapshot: str
    parts: int = Field(ge=1, le=_MOST_PARTS)


class FindSubject(_Frozen):
    """Which models saw this person's data?

    Attributes:
        subject: The identifier.
        as_of: What stood at a time in place of all that ever came of it.
        known_at: Only what had been recorded by then: people as well as lineage.
    """

    subject: str = Field(min_length=1)
    as_of: AwareDatetime | None = None
    known_at: AwareDatetime | None = None


class Manifest(_Frozen):
    """What was recorded of one snapshot: how many tokens each part has, when, and the SHA-256 over all of them."""

    snapshot: str
    parts: tuple[int, ...]
    sha256: str
    recorded_at: datetime

    @property
    def tokens(self) -> int:
        """Return how many tokens there are; one who is in two parts counts twice."""
        return sum(self.parts)


class Affected(_Frozen):
    """A node that came of a snapshot."""

    key: str
    kind: str
    label: str
    status: str | None = None


class FoundSnapshot(_Frozen):
    """A snapshot that holds a person's records, and what came of it."""

    snapshot: str
    recorded_at: datetime
    affected: tuple[Affected, ...]
    complete: bool
    """Whether this is all that came of it."""


class SubjectAnswer(_Frozen):
    """Which snapshots and models saw a person's data.

    Attributes:
        token: Of the person, in hexadecimal: the answer names nobody.
        snapshots: Those that hold it.
        checked: How many snapshots were looked through.
        unrecorded: How many known snapshots nobody recorded the people of: of these nothing can be said.
        false_positive_bound: How likely it is at most that any of the snapshots is named wrongly. There are no false
            negatives among those that were checked.
    """

    answer: Literal["subject"] = "subject"
    token: str
    snapshots: tuple[FoundSnapshot, ...]
    checked: int
    unrecorded: int
    false_positive_bound: float


class TokenFiles(Protocol):
    """Where tokens are kept."""

    def write_part(self, folder: str, part: int, content: bytes) -> None:
        """Write the tokens of a part."""
        ...

    def read_part(self, folder: str, part: int, start: int, end: int) -> bytes | None:
        """Return bytes of a part; None where there is no such part. ``end`` is the first that is not read."""
        ...

    def write_manifest(self, folder: str, content: bytes) -> None:
        """Write a manifest."""
        ...

    def read_manifest(self, folder: str) -> bytes | None:
        """Return a manifest; None where there is none."""
        ...

    def manifests(self) -> Iterator[bytes]:
        """Yield all manifests."""
        ...


class Descent(Protocol):
    """What lineage knows."""

    def affected_by(
        self, snapshot: str, as_of: datetime | None, known_at: datetime | None
    ) -> tuple[tuple[Affected, ...], bool]:
        """Return the models, packages and endpoints that came of a snapshot, and whether these are all."""
        ...

    def snapshots(self, known_at: datetime | None) -> int:
        """Return how many snapshots are known."""
        ...


def read_message(raw: object) -> SubjectPart | SubjectsComplete:
    """Read what is sent to be recorded.

    Raises:
        InvalidInputError: It is neither; the text names no person.
    """
    found: SubjectPart | SubjectsComplete
    is_end = isinstance(raw, dict) and "parts" in raw
    found = _read(SubjectsComplete, raw) if is_end else _read(SubjectPart, raw)
    if _VERSION_MARK not in found.snapshot:
        raise InvalidInputError("snapshot", found.snapshot, "name content: <S3 URI>#sha256:<digest>")
    return found


def read_question(raw: object) -> FindSubject:
    """Read a question.

    Raises:
        InvalidInputError: It is none; the text names no person.
    """
    return _read(FindSubject, raw)


_Read = TypeVar("_Read", bound=_Frozen)


def _read(kind: type[_Read], raw: object) -> _Read:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        field = ".".join(map(str, fault["loc"])) or "the message"
        # What stood there may name a person.
        raise InvalidInputError(field, "what was sent", f"{fault['msg']}; see docs/subjects.md") from None


def folder_of(snapshot: str) -> str:
    """Return where the tokens of a snapshot lie."""
    return hashlib.sha256(snapshot.encode()).hexdigest()


def record_part(message: SubjectPart, files: TokenFiles, key: bytes) -> int:
    """Record some of the people in a snapshot; return how many there were.

    Raises:
        InvalidInputError: One of them is no identifier.
    """
    content = token_file(message.subjects, key)
    files.write_part(folder_of(message.snapshot), message.part, content)
    return len(content) // TOKEN_BYTES


def complete_subjects(message: SubjectsComplete, files: TokenFiles, now: datetime) -> SubjectsRecorded:
    """Say that all parts of a snapshot are recorded, and return what is to be told.

    Raises:
        NotFoundError: A part is missing.
    """
    folder, digest, counts = folder_of(message.snapshot), hashlib.sha256(), []
    for part in range(message.parts):
        content = files.read_part(folder, part, 0, -1)
        if content is None:
            raise NotFoundError(f"part {part} of {message.parts} is missing: send it, then complete again")
        digest.update(content)
        counts.append(len(content) // TOKEN_BYTES)
    manifest = Manifest(snapshot=message.snapshot, parts=tuple(counts), sha256=digest.hexdigest(), recorded_at=now)
    before = files.read_manifest(folder)
    if before is not None and (known := Manifest.model_validate_json(before)).sha256 == manifest.sha256:
        # The same people again are the same fact.
        manifest = known
    else:
        files.write_manifest(folder, manifest.model_dump_json().encode())
    told: dict[str, Any] = {
        "tokens": manifest.tokens,
        "tokens_sha256": manifest.sha256,
        "false_positive_bound": false_positive_bound(manifest.tokens),
    }
    return SubjectsRecorded(
        snapshot=message.snapshot,
        tokens=manifest.tokens,
        lineage=LineageSection(
            node=LineageNode(kind="dataset-version", id=message.snapshot),
            at=manifest.recorded_at,
            attributes={"subjects": told},
        ),
    )


def find_subject(question: FindSubject, files: TokenFiles, descent: Descent, key: bytes) -> SubjectAnswer:
    """Return the snapshots that hold a person's records, and what came of them.

    Raises:
        InvalidInputError: It is no identifier.
    """
    token, found, checked, tokens = token_of(question.subject, key), [], 0, 0
    for content in files.manifests():
        manifest = Manifest.model_validate_json(content)
        if question.known_at is not None and manifest.recorded_at > question.known_at:
            continue
        checked, tokens = checked + 1, tokens + manifest.tokens
        if _holds(manifest, token, files):
            affected, complete = descent.affected_by(manifest.snapshot, question.as_of, question.known_at)
            found.append(
                FoundSnapshot(
                    snapshot=manifest.snapshot,
                    recorded_at=manifest.recorded_at,
                    affected=affected,
                    complete=complete,
                )
            )
    return SubjectAnswer(
        token=token.hex(),
        snapshots=tuple(sorted(found, key=lambda snapshot: snapshot.snapshot)),
        checked=checked,
        unrecorded=max(0, descent.snapshots(question.known_at) - checked),
        false_positive_bound=false_positive_bound(tokens),
    )


def _holds(manifest: Manifest, token: bytes, files: TokenFiles) -> bool:
    folder = folder_of(manifest.snapshot)

    def read(part: int, start: int, end: int) -> bytes:
        content = files.read_part(folder, part, start, end)
        if content is None:
            raise NotFoundError(f"part {part} of the tokens of {manifest.snapshot} is gone: record its people again")
        return content

    return any(
        holds_token(token, count, lambda start, end, part=part: read(part, start, end))  # type: ignore[misc]
        for part, count in enumerate(manifest.parts)
    )
