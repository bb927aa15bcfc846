"""Statements in in-toto's words (Statement v1): what is said, of which things, told by their digests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from hallmark.errors import InvalidInputError

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
OVERRIDE = "urn:hallmark:override:v1"
REVOCATION = "urn:hallmark:revocation:v1"
ANSWER = "urn:hallmark:answer:v1"

PACKAGE_DIGEST = "hallmarkPackage"
"""SHA-256, in hex, of what a model package consists of."""
SNAPSHOT_DIGEST = "hallmarkSnapshot"
"""Content digest of a dataset, in hex (docs/graph.md): of its listing, so no file has it as its own SHA-256."""
MODEL_ID = "awsModelId"
"""The id itself: nobody outside of AWS has the bytes (in-toto's DigestSet, non-cryptographic digests)."""
_SAFE_INTEGER = 2**53 - 1


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, defer_build=True
    )


class Resource(_Frozen):
    """Something that a statement names (in-toto's ResourceDescriptor)."""

    name: str | None = None
    uri: str | None = None
    digest: dict[str, str] | None = None
    media_type: str | None = None
    annotations: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check(self) -> Resource:
        if not self.uri and not self.digest:
            raise ValueError("a resource needs a uri or a digest")
        return self


class Subject(Resource):
    """What a statement is about: immutable, so it has a digest."""

    digest: dict[str, str] = Field(min_length=1)


class Statement(_Frozen):
    """A claim about things."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(default="https://in-toto.io/Statement/v1", alias="_type")
    subject: tuple[Subject, ...] = Field(min_length=1)
    predicate_type: str = Field(min_length=1)
    predicate: dict[str, Any]

    @cached_property
    def content(self) -> bytes:
        """Return what is signed: canonical JSON (RFC 8785), the same for the same statement.

        Raises:
            InvalidInputError: It has a number that JSON cannot hold.
        """
        return canonical(self.model_dump(by_alias=True, exclude_none=True, mode="json"))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content, in hex."""
        return sha256(self.content).hexdigest()


def read_statement(content: bytes) -> Statement:
    """Read a statement; fields that it does not know are let be (in-toto's parsing rules).

    Raises:
        InvalidInputError: It is none.
    """
    try:
        document = json.loads(content)
        return Statement(
            type=document["_type"],
            subject=tuple(Subject(**_known(each)) for each in document["subject"]),
            predicate_type=document["predicateType"],
            predicate=document["predicate"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise InvalidInputError("the payload", content[:100], "it is no in-toto Statement v1") from error


def _known(resource: Mapping[str, Any]) -> dict[str, Any]:
    names = {to_camel(name): name for name in Subject.model_fields}
    return {names[name]: value for name, value in resource.items() if name in names}


def canonical(document: Any) -> bytes:
    """Return the one way to write a JSON value (RFC 8785); whole numbers that it cannot write become texts.

    Raises:
        InvalidInputError: It has a number that is none, or something that is no JSON.
    """
    try:
        content: bytes = rfc8785.dumps(_writable(document))
    except rfc8785.CanonicalizationError as error:
        raise InvalidInputError("the statement", document, f"{error}: it cannot be signed") from error
    return content


def _writable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _writable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE_INTEGER:
        return str(value)
    return value


def timestamp(at: datetime) -> str:
    """Return a time as in-toto writes it: RFC 3339, in UTC, ending in ``Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def snapshot_resource(key: str, name: str | None = None) -> Resource:
    """Return a dataset as lineage names it: ``s3://…#sha256:…``, or without a digest where nobody knows its content."""
    uri, _, digest = key.partition("#sha256:")
    return Resource(name=name, uri=uri, digest={SNAPSHOT_DIGEST: digest} if digest else None)
