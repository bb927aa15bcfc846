"""DSSE envelopes, against the protocol's own vectors and against securesystemslib."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as ForeignEnvelope
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined] # it says so in its own documentation

from hallmark.attestations.envelopes import (
    PAYLOAD_TYPE,
    Envelope,
    EnvelopeError,
    PublicKey,
    Signed,
    encode,
    open_envelope,
    read_envelope,
    read_public_key,
    seal,
)
from hallmark.aws.envelope_reading import EnvelopeSignatures
from tests.fakes.foreign_dsse import accepts
from tests.fakes.statement_keys import StatementKey

STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'
# DSSE protocol, test vector: its signature is r and s as they are; ours and KMS's are in DER.
X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
HELLO = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
# Keys A and B of RFC 8032's first two vectors, with which the vectors of DSSE are signed.
ED25519 = {
    "A": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "B": "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
}
BY_A = "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="
BY_B = "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw=="
URL_SAFE = "P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw=="
FOREIGN_TYPE = "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw=="
EMPTY = "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg=="
NO_TYPE = "iC3q/+3Rm0+lpAJRueDmDh15PnwCfxKmS0NAfKsbv+zgulXQC/WM9trc+j1XEqlwDIg/vf/uNfebeD6sxInrDg=="
BODY = "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ=="


def ed25519(name: str) -> PublicKey:
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(ED25519[name]))
    return PublicKey(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def test_what_is_signed_is_the_protocols_encoding() -> None:
    assert encode("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_the_protocols_own_vector_is_verified() -> None:
    public = EllipticCurvePublicNumbers(X, Y, SECP256R1()).public_key()
    key = PublicKey(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    raw = b64decode(HELLO)
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    envelope = Envelope(b"hello world", "http://example.com/HelloWorld", (Signed("", signature),))
    types = ("http://example.com/HelloWorld",)

    assert open_envelope(envelope, [key], EnvelopeSignatures(), payload_types=types) == b"hello world"
    with pytest.raises(EnvelopeError, match="0 of them"):
        open_envelope(envelope._replace(payload=b"hello World"), [key], EnvelopeSignatures(), payload_types=types)


@pytest.mark.parametrize(
    ("payload", "kind", "signatures", "threshold", "is_accepted"),
    [
        pytest.param(BODY, PAYLOAD_TYPE, [BY_A], 1, True, id="single-signature"),
        pytest.param("-_-_Pj8=", PAYLOAD_TYPE, [URL_SAFE], 1, True, id="url-safe-base64"),
        pytest.param(BODY, "application/vnd.example.other+json", [BY_A], 1, False, id="payload-type-swapped"),
        pytest.param(BODY, "application/vnd.exämple+json", [FOREIGN_TYPE], 1, True, id="non-ascii-payload-type"),
        pytest.param("", PAYLOAD_TYPE, [EMPTY], 1, True, id="empty-payload"),
        pytest.param(BODY, "", [NO_TYPE], 1, False, id="empty-payload-type"),
        pytest.param(BODY, PAYLOAD_TYPE, [BY_A, BY_B], 2, True, id="threshold-two-distinct-keys"),
        pytest.param(BODY, PAYLOAD_TYPE, [BY_A, BY_A], 2, False, id="threshold-two-one-key-twice"),
    ],
)
def test_the_vectors_of_dsse_are_judged_as_they_should_be(
    payload: str, kind: str, signatures: list[str], threshold: int, is_accepted: bool
) -> None:
    document = {"payload": payload, "payloadType": kind, "signatures": [{"sig": each} for each in signatures]}
    envelope = read_envelope(json.dumps(document).encode())
    known = (PAYLOAD_TYPE, "application/vnd.exämple+json", "application/vnd.example.other+json")

    def opened() -> bytes:
        keys = [ed25519("A"), ed25519("B")]
        return open_envelope(envelope, keys, EnvelopeSignatures(), threshold=threshold, payload_types=known)

    if is_accepted:
        assert opened() == envelope.payload
    else:
        with pytest.raises(EnvelopeError):
            opened()


def test_what_is_sealed_here_is_accepted_by_securesystemslib_and_nothing_else_is() -> None:
    signer, other = StatementKey(), StatementKey(8)
    envelope = seal(STATEMENT, signer)
    changed = envelope._replace(payload=STATEMENT + b" ")
    swapped = envelope._replace(payload_type="application/json")

    assert accepts(envelope.to_json(), signer.key)
    assert not accepts(envelope.to_json(), other.key)
    assert not accepts(changed.to_json(), signer.key)
    assert not accepts(swapped.to_json(), signer.key)
    assert open_envelope(read_envelope(envelope.to_json()), [signer.key], EnvelopeSignatures()) == STATEMENT


@pytest.mark.parametrize("make", [CryptoSigner.generate_ecdsa, CryptoSigner.generate_ed25519])
def test_what_securesystemslib_signs_is_accepted_here(make: Any) -> None:
    signer = make()
    foreign = ForeignEnvelope(STATEMENT, PAYLOAD_TYPE, {})
    foreign.sign(signer)
    key = read_public_key(signer.public_key.keyval["public"]) if "BEGIN" in signer.public_key.keyval["public"] else None
    if key is None:
        raw = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer.public_key.keyval["public"]))
        key = PublicKey(raw.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    envelope = read_envelope(json.dumps(foreign.to_dict()).encode())

    assert open_envelope(envelope, [key], EnvelopeSignatures()) == STATEMENT


def test_whose_signature_it_says_it_is_does_not_count() -> None:
    signer, other = StatementKey(), StatementKey(8)
    envelope = seal(STATEMENT, other)
    lying = envelope._replace(signatures=(envelope.signatures[0]._replace(key_id=signer.key.key_id),))
    unnamed = seal(STATEMENT, signer)
    unnamed = unnamed._replace(signatures=(unnamed.signatures[0]._replace(key_id=""),))

    with pytest.raises(EnvelopeError, match="forged"):
        open_envelope(lying, [signer.key], EnvelopeSignatures())
    assert open_envelope(unnamed, [other.key, signer.key], EnvelopeSignatures()) == STATEMENT


def test_a_public_key_is_read_back_from_pem() -> None:
    key = StatementKey().key

    assert read_public_key(f"the key of our account:\n{key.pem}") == key


@pytest.mark.parametrize("text", ["", "-----BEGIN PUBLIC KEY-----\nAAAA", "-----BEGIN CERTIFICATE-----\nAA==\n"])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(EnvelopeError, match="PEM"):
        read_public_key(text)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"payload": "e30=", "payloadType": "x"}',
        b'{"payload": "e30", "payloadType": "x", "signatures": []}',
        b'{"payload": "e30=!", "payloadType": "x", "signatures": []}',
        b'{"payload": "e30=", "payloadType": "x", "signatures": [{"keyid": "a"}]}',
        b'{"payload": 1, "payloadType": "x", "signatures": []}',
        b'{"payload": "e30=", "payloadType": "x", "signatures": ["a"]}',
    ],
)
def test_what_is_no_envelope_is_refused(content: bytes) -> None:
    with pytest.raises(EnvelopeError):
        read_envelope(content)


@given(st.binary(max_size=200), st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_byte_of_a_payload_can_be_changed_unseen(payload: bytes, place: int, change: int) -> None:
    signer = StatementKey()
    envelope = seal(payload, signer)
    at = place % (len(payload) + 1)
    other = payload + b"x" if at == len(payload) else payload[:at] + bytes([payload[at] ^ change]) + payload[at + 1 :]
    document = json.loads(envelope.to_json()) | {"payload": b64encode(other).decode()}

    with pytest.raises(EnvelopeError):
        open_envelope(read_envelope(json.dumps(document).encode()), [signer.key], EnvelopeSignatures())
