"""What a statement says, in a few lines for people; and what a signed answer must keep to."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

from hallmark.attestations.statements import (
    ANSWER,
    OVERRIDE,
    PROVENANCE,
    REVOCATION,
    TEST_RESULT,
    VERIFICATION_SUMMARY,
    Statement,
    canonical,
)
from hallmark.attestations.verdicts import JUDGED
from hallmark.errors import InvalidInputError


class Summary(NamedTuple):
    """A statement in short."""

    what: str
    lines: tuple[tuple[str, str], ...]


def summarize(statement: Statement) -> Summary:
    """Return what a statement says.

    Raises:
        InvalidInputError: It is a signed answer whose digest is another answer's.
    """
    said = statement.predicate
    kind = statement.predicate_type
    if kind == VERIFICATION_SUMMARY:
        return Summary("a gate's verdict", _verdict(said))
    if kind == TEST_RESULT:
        tests = [f"{len(said.get(name, ()))} {word}" for name, word in _TESTS]
        return Summary("an evaluation", (("result", str(said.get("result"))), ("tests", ", ".join(tests)), *_url(said)))
    if kind == PROVENANCE:
        return Summary("how a model was trained", _provenance(said))
    if kind in {OVERRIDE, REVOCATION}:
        what = "a person's word against a verdict" if kind == OVERRIDE else "an attestation that is taken back"
        names = ("verdict", "revokes", "by", "reason")
        return Summary(what, tuple((name, str(said[name])) for name in names if name in said))
    if kind == ANSWER:
        return Summary("an answer", _answer(statement))
    return Summary("a statement of another kind", ())


_CHECKPOINT_LINES = 3
_TESTS = (("passedTests", "passed"), ("warnedTests", "with a warning"), ("failedTests", "failed"))


def _url(said: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return (("report", str(said["url"])),) if said.get("url") else ()


def _verdict(said: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    judged = said.get(JUDGED) or {}
    lines = [
        ("result", f"{said.get('verificationResult')} at {said.get('timeVerified')}"),
        ("verdict", str(judged.get("verdict", ""))),
        ("policy", f"{said['policy']['uri']}  sha256:{said['policy'].get('digest', {}).get('sha256', '')}"),
    ]
    lines += [("data", _resource(each)) for each in judged.get("data", ())]
    lines += [("report", _resource(each)) for each in judged.get("reports", ())]
    if judged.get("expiresAt"):
        lines.append(("good until", str(judged["expiresAt"])))
    return tuple(lines)


def _provenance(said: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    definition, details = said.get("buildDefinition") or {}, said.get("runDetails") or {}
    metadata = details.get("metadata") or {}
    lines = [("job", str(metadata.get("invocationId", "")))]
    lines += [("made from", _resource(each)) for each in definition.get("resolvedDependencies", ())]
    lines.append(("when", f"{metadata.get('startedOn', '')} to {metadata.get('finishedOn', '')}"))
    return tuple(lines)


def _answer(statement: Statement) -> tuple[tuple[str, str], ...]:
    said = statement.predicate
    found = sha256(canonical(said.get("answer"))).hexdigest()
    if statement.subject[0].digest.get("sha256") != found:
        raise InvalidInputError("subject", statement.subject[0].digest, "it is the digest of another answer")
    checkpoint = str((said.get("ledger") or {}).get("checkpoint", "")).splitlines()
    seen = f"{checkpoint[1]} entries, root {checkpoint[2]}" if len(checkpoint) >= _CHECKPOINT_LINES else "none yet"
    return (
        ("question", canonical(said.get("question")).decode()),
        ("answered", str(said.get("answeredAt"))),
        ("ledger", seen),
    )


def _resource(resource: dict[str, Any]) -> str:
    digests = ", ".join(f"{name}:{value}" for name, value in (resource.get("digest") or {}).items())
    return f"{resource.get('uri') or resource.get('name')}  {digests or 'content not known'}"
