"""What can be asked of attestations, and the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hallmark.attestations.envelopes import PublicKey
from hallmark.attestations.keeping import Files, find, read_attestation, revocation_of
from hallmark.attestations.statements import OVERRIDE, PROVENANCE, TEST_RESULT, VERIFICATION_SUMMARY
from hallmark.errors import InvalidInputError, NotFoundError

_SAID = (VERIFICATION_SUMMARY, TEST_RESULT, PROVENANCE, OVERRIDE)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class KeyQuestion(_Frozen):
    """Which key verifies what is signed."""

    ask: Literal["key"] = "key"


class ShowQuestion(_Frozen):
    """An attestation: its id or digest, or the id of what it is about."""

    ask: Literal["show"] = "show"
    attestation: str = Field(min_length=1, max_length=2000)


AttestationQuestion = Annotated[KeyQuestion | ShowQuestion, Field(discriminator="ask")]
_QUESTION: TypeAdapter[AttestationQuestion] = TypeAdapter(AttestationQuestion, config=ConfigDict(defer_build=True))


def read_attestation_question(event: object) -> AttestationQuestion:
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


def answer(question: AttestationQuestion, files: Files, key: Callable[[], PublicKey]) -> dict[str, Any]:
    """Answer a question about attestations; signatures are for whoever asks to check.

    Raises:
        NotFoundError: There is no such attestation.
    """
    if isinstance(question, KeyQuestion):
        found = key()
        return {"answer": "key", "key_id": found.key_id, "pem": found.pem}
    about = [kept for kind in _SAID if (kept := find(question.attestation, kind, files)) is not None]
    kept = about[0] if about else _named(question.attestation, files)
    revoked = revocation_of(kept.digest, files)
    return {
        "answer": "show",
        "attestation": kept.id,
        "digest": kept.digest,
        "envelope": kept.envelope.to_json().decode(),
        "revocation": None if revoked is None else revoked.to_json().decode(),
    }


def _named(attestation: str, files: Files) -> Any:
    try:
        return read_attestation(attestation, files)
    except NotFoundError:
        raise NotFoundError(
            f"nothing is signed about {attestation}: `hallmark attest list` shows what is, "
            "`hallmark attest sign NODE` signs a verdict, an evaluation or a training job"
        ) from None
