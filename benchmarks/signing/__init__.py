"""What signed statements cost: building and sealing a gate's verdict, and checking it, beside securesystemslib.

CPU time of one process. With a key in KMS that is a local cloud's, in the same process: its own time is in both sides,
and AWS's network and KMS in neither.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from securesystemslib.dsse import Envelope as ForeignEnvelope
from securesystemslib.signer import AWSSigner, CryptoSigner, SSlibKey  # type: ignore[attr-defined] # it says so in its own documentation

from hallmark.attestations.envelopes import PAYLOAD_TYPE, PublicKey, open_envelope, read_envelope, seal
from hallmark.attestations.statements import read_statement
from hallmark.attestations.verdicts import verdict_statement
from hallmark.aws.attestation_keys import KmsStatementKey
from hallmark.aws.envelope_reading import EnvelopeSignatures
from local.cloud import LocalCloud
from local.settings import CloudSettings
from tests.fakes.proved_orders import ATTESTOR, World

_TIMES = 500
_TIMES_OF_KMS = 100


class _Key:
    """A key on P-256 in memory."""

    def __init__(self) -> None:
        self.private = derive_private_key(1_000_003, SECP256R1())
        self.key = PublicKey(self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message, ECDSA(SHA256()))


def run() -> Iterator[dict[str, Any]]:
    """Build, seal and check a verdict; by a key in memory, then by one of KMS."""
    told = World().verdict()
    statement = verdict_statement(told, ATTESTOR)
    payload = statement.content
    building = _seconds(lambda: verdict_statement(told, ATTESTOR).content, _TIMES)
    yield _line(f"build the statement of a verdict, {len(payload):,} bytes", building, None, "key in memory")
    reading = _seconds(lambda: read_statement(payload), _TIMES)
    yield _line("read it", reading, None, "key in memory")
    key = _Key()
    foreign = SSlibKey.from_crypto(load_der_public_key(key.key.der), keyid=key.key.key_id)
    signer = CryptoSigner(key.private, foreign)
    yield from _measured(payload, key, EnvelopeSignatures(), signer, foreign, "key in memory", _TIMES)
    with LocalCloud(CloudSettings()) as cloud, patch.dict(os.environ, cloud.environment()):
        kms = cloud.client("kms")
        made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        ours = KmsStatementKey(made, kms)
        public = SSlibKey.from_crypto(load_der_public_key(ours.key.der), keyid=ours.key.key_id)
        theirs = AWSSigner(made, public)
        yield from _measured(payload, ours, ours, theirs, public, "key in a local KMS", _TIMES_OF_KMS)


def _measured(
    payload: bytes,
    ours: Any,
    verifier: Any,
    signer: Any,
    foreign: SSlibKey,
    where: str,
    times: int,
) -> Iterator[dict[str, Any]]:
    """Seal and check by both, once each accepts what the other sealed."""

    def seal_ours() -> bytes:
        return seal(payload, ours).to_json()

    def seal_theirs() -> bytes:
        envelope = ForeignEnvelope(payload, PAYLOAD_TYPE, {})
        envelope.sign(signer)
        return json.dumps(envelope.to_dict()).encode()

    def check_ours(content: bytes) -> bytes:
        return open_envelope(read_envelope(content), [ours.key], verifier)

    def check_theirs(content: bytes) -> bytes:
        envelope = ForeignEnvelope.from_dict(json.loads(content))
        envelope.verify([foreign], threshold=1)
        return bytes(envelope.payload)

    mine, other = seal_ours(), seal_theirs()
    if not payload == check_ours(other) == check_theirs(mine):
        raise RuntimeError("the two do not accept each other's envelopes")
    yield _line(
        f"seal it in an envelope of {len(mine):,} bytes",
        _seconds(seal_ours, times),
        _seconds(seal_theirs, times),
        where,
    )
    yield _line(
        "check the envelope",
        _seconds(lambda: check_ours(mine), times),
        _seconds(lambda: check_theirs(mine), times),
        where,
    )


def _seconds(work: Callable[[], object], times: int) -> float:
    """Return the median of five rounds, a call."""
    rounds = []
    for _ in range(5):
        begun = process_time()
        for _ in range(times // 5):
            work()
        rounds.append((process_time() - begun) / (times // 5))
    return statistics.median(rounds)


def _line(name: str, ours: float, peer: float | None, where: str) -> dict[str, Any]:
    return {
        "area": "attestations",
        "name": f"{name} ({where}), against securesystemslib" if peer is not None else f"{name} ({where})",
        "ours": round(ours * 1e6),
        "peer": None if peer is None else round(peer * 1e6),
        "unit": "µs",
        "ratio": None if peer is None else round(peer / ours, 2),
        "goal": None,
        "met": None,
    }
