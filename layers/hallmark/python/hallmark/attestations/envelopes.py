"""DSSE envelopes (secure-systems-lab/dsse, 1.0): a payload, and signatures over its type and its bytes."""

from __future__ import annotations

import json
import textwrap
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from hallmark.errors import HallmarkError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
_LINE = 64


class EnvelopeError(HallmarkError):
    """An envelope is malformed, or nobody whom we trust has signed it."""


class PublicKey(NamedTuple):
    """A key that verifies: its SubjectPublicKeyInfo in DER."""

    der: bytes

    @property
    def key_id(self) -> str:
        """The SHA-256 of it, in hex: a hint, and nothing that anybody may rely on (DSSE protocol, KEYID)."""
        return sha256(self.der).hexdigest()

    @property
    def pem(self) -> str:
        """The key as other tools read it."""
        return "\n".join([_BEGIN, *textwrap.wrap(b64encode(self.der).decode(), _LINE), _END, ""])


def read_public_key(text: str) -> PublicKey:
    """Read a public key in PEM.

    Raises:
        EnvelopeError: It is none.
    """
    _, begin, rest = text.partition(_BEGIN)
    body, end, _ = rest.partition(_END)
    if not begin or not end:
        raise EnvelopeError("this is no public key in PEM: `hallmark attest key` prints the one that signs")
    return PublicKey(_decoded(body, "the public key"))


class Signed(NamedTuple):
    """A signature, and a hint whose it is."""

    key_id: str
    signature: bytes


class Envelope(NamedTuple):
    """What is signed, and by whom."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signed, ...]

    def to_json(self) -> bytes:
        """Return the envelope as it is kept."""
        document = {
            "payload": b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": each.key_id, "sig": b64encode(each.signature).decode()} for each in self.signatures
            ],
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def read_envelope(content: bytes) -> Envelope:
    """Read an envelope; both alphabets of base64 are good (DSSE protocol).

    Raises:
        EnvelopeError: It is none.
    """
    try:
        document = json.loads(content)
        signatures = tuple(
            Signed(str(each.get("keyid", "")), _decoded(each["sig"], "a signature")) for each in document["signatures"]
        )
        return Envelope(_decoded(document["payload"], "the payload"), str(document["payloadType"]), signatures)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnvelopeError(f"this is no DSSE envelope: {type(error).__name__} {error}") from error


class Signer(Protocol):
    """Signs with one key."""

    @property
    def key(self) -> PublicKey:
        """The key that verifies what it signs."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        ...


class Verifier(Protocol):
    """Checks signatures."""

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Tell whether a key made a signature."""
        ...


def encode(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: the pre-authentication encoding (DSSE protocol, PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, signer: Signer, payload_type: str = PAYLOAD_TYPE) -> Envelope:
    """Return a payload in an envelope that is signed."""
    signature = signer.sign(encode(payload_type, payload))
    return Envelope(payload, payload_type, (Signed(signer.key.key_id, signature),))


def open_envelope(
    envelope: Envelope,
    keys: Sequence[PublicKey],
    verifier: Verifier,
    *,
    threshold: int = 1,
    payload_types: Collection[str] = (PAYLOAD_TYPE,),
) -> bytes:
    """Return the payload of an envelope that enough of these keys have signed.

    Whose a signature says that it is does not count: each is held against each key.

    Args:
        envelope: What came.
        keys: Whom we trust.
        verifier: Checks signatures.
        threshold: How many different keys must have signed.
        payload_types: What we understand.

    Raises:
        EnvelopeError: Too few have signed, or it says something that we do not understand.
    """
    message = encode(envelope.payload_type, envelope.payload)
    accepted = {
        key.der for each in envelope.signatures for key in keys if verifier.verify(key, message, each.signature)
    }
    if len(accepted) < threshold:
        count = len(envelope.signatures)
        raise EnvelopeError(
            f"{count} signatures, {len(accepted)} of them by a key that is trusted here, {threshold} needed: "
            "it is forged, was changed, or is signed with another key"
        )
    if envelope.payload_type not in payload_types:
        kind = envelope.payload_type or "of no type"
        raise EnvelopeError(f"its payload is {kind}: {', '.join(payload_types)} is read")
    return envelope.payload


def _decoded(text: object, what: str) -> bytes:
    if not isinstance(text, str):
        raise EnvelopeError(f"{what} is no text in base64")
    plain = "".join(text.split()).translate(str.maketrans("+/", "-_"))
    try:
        found = urlsafe_b64decode(plain)
    except ValueError as error:
        raise EnvelopeError(f"{what} is no base64: {error}") from error
    if b64encode(found).decode().translate(str.maketrans("+/", "-_")) != plain:
        raise EnvelopeError(f"{what} is no base64: it has characters that do not belong there")
    return found
