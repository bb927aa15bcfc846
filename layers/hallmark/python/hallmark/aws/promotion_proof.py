"""What must be proved before a model is moved: a signed verdict about the model, data, policy and reports of now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

from botocore.exceptions import ClientError

from hallmark.attestations.envelopes import EnvelopeError, PublicKey, open_envelope
from hallmark.attestations.keeping import Attestation, Files, find, revocation_of
from hallmark.attestations.proving import Present, Refusal, check_override, check_verdict, reports_of
from hallmark.attestations.statements import OVERRIDE, VERIFICATION_SUMMARY, Statement, read_statement
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.gates.content import judged_data, policy_digest
from hallmark.gates.origins import LineageEvidence
from hallmark.gates.ports import Subject
from hallmark.gates.promoting import Order, PackageState
from hallmark.gates.settings import GatesPolicy

_UNREADABLE = frozenset({"NoSuchKey", "NoSuchBucket", "404", "403", "AccessDenied"})
_MOST_BYTES = 50_000_000


class Key(Protocol):
    """The key that attestations are signed with."""

    @property
    def key(self) -> PublicKey:
        """What verifies."""
        ...

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Tell whether a key made a signature."""
        ...


class Origins(Protocol):
    """What lineage is asked."""

    def provenance(self, subject: Subject, *, with_tags: bool) -> LineageEvidence | None:
        """Return where a model came from."""
        ...


class PromotionProof:
    """Checks what an order rests on.

    Args:
        files: Where attestations lie.
        key: Of KMS.
        origins: Lineage.
        s3: Client, for the reports.
        policy: The gates as they are deployed.
    """

    def __init__(self, files: Files, key: Key, origins: Origins, s3: Any, policy: GatesPolicy) -> None:
        self._files, self._key, self._origins, self._s3, self._policy = files, key, origins, s3, policy

    def refusal(
        self, order: Order, package: PackageState | None, now: datetime, *, by_person: bool = False
    ) -> Refusal | None:
        """Return why an order may not be followed; None where it may.

        Args:
            order: What is to be done.
            package: The model package as it is; None for a model that is not in the registry.
            now: When.
            by_person: Whether a person rejects what the gate let pass: then the gate's outcome does not matter.

        Raises:
            UnavailableError: KMS, S3 or lineage did not answer: nothing is known either way.
        """
        if order.cause != order.verdict:
            # An override stands against a verdict that need not be signed: one that decided nothing never is.
            override = self._opened(order.cause, OVERRIDE, f"the override {order.cause}")
            if isinstance(override, Refusal):
                return override
            present = self._present(order, package, now)
            return check_override(override, present, override=order.cause, verdict=order.verdict)
        verdict = self._opened(order.verdict, VERIFICATION_SUMMARY, f"the verdict {order.verdict}")
        if isinstance(verdict, Refusal):
            return verdict
        promotes = order.move == "promote"
        return check_verdict(
            verdict,
            self._present(order, package, now, verdict if promotes else None),
            verdict=order.verdict,
            gate=order.gate,
            outcome="passed" if promotes else None if by_person else "failed",
        )

    def _opened(self, node: str, predicate_type: str, what: str) -> Statement | Refusal:
        kept = self._read(node, predicate_type, what)
        if kept is None:
            return Refusal("unsigned", f"{what} is not signed: nobody vouches for it")
        if isinstance(kept, Refusal):
            return kept
        try:
            statement = read_statement(open_envelope(kept.envelope, [self._key.key], self._key))
        except (EnvelopeError, InvalidInputError) as error:
            return Refusal("forged", f"what is kept of {what} is not signed by Hallmark's key: {error}")
        if self._is_revoked(kept.digest):
            return Refusal("revoked", f"{what} was taken back: `hallmark attest show {kept.id}` says why")
        return statement

    def _read(self, node: str, predicate_type: str, what: str) -> Attestation | Refusal | None:
        try:
            return find(node, predicate_type, self._files)
        except EnvelopeError as error:
            return Refusal("forged", f"what is kept of {what} is no envelope: {error}")

    def _is_revoked(self, digest: str) -> bool:
        # Whatever lies there counts, signed or not: in doubt nothing is moved.
        try:
            return revocation_of(digest, self._files) is not None
        except EnvelopeError:
            return True

    def _present(
        self, order: Order, package: PackageState | None, now: datetime, statement: Statement | None = None
    ) -> Present:
        data: frozenset[str] = frozenset()
        reports: Mapping[str, str | None] = {}
        if statement is not None:
            reports = {uri: self._digest(uri) for uri in reports_of(statement)}
            if package is not None:
                subject = Subject(model=order.model, name=order.model_name, package=order.model)
                found = judged_data(self._origins.provenance(subject, with_tags=False))
                data = frozenset(f"{each.uri}#sha256:{each.digest}" if each.digest else each.uri for each in found)
        gate = self._policy.gates.get(order.gate)
        return Present(
            model=order.model,
            model_digest=package.fingerprint if package is not None else "",
            policy_digest=policy_digest(gate) if gate is not None else "",
            data=data,
            reports=reports,
            at=now,
        )

    def _digest(self, uri: str) -> str | None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            with calling(f"reading {uri}"):
                content = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read(_MOST_BYTES)
        except ClientError as error:
            if error_code(error) in _UNREADABLE:
                return None
            raise UnavailableError(f"reading {uri}: {describe_error(error)}") from error
        return sha256(content).hexdigest()
