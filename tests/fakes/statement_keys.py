"""Keys that sign statements: one in memory, and KMS's three operations with one, in the shapes of its API."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hallmark.attestations.envelopes import PublicKey

_DIGEST_BYTES = 32


class FakeKms:
    """KMS with one key on P-256; ``down`` is raised by each call while it is set."""

    def __init__(self, seed: int = 7) -> None:
        self._private = derive_private_key(seed + 1_000_003, SECP256R1())
        self.der = self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.down: Exception | None = None
        self.signed = 0

    def shut(self, code: str = "KMSInternalException") -> None:
        status = 500 if code == "KMSInternalException" else 409
        response: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
        self.down = ClientError(response, "Sign")

    def unplug(self) -> None:
        self.down = EndpointConnectionError(endpoint_url="https://kms.eu-central-1.amazonaws.com")

    def get_public_key(self, **request: Any) -> dict[str, Any]:
        self._answer()
        return {
            "KeyId": request["KeyId"],
            "KeySpec": "ECC_NIST_P256",
            "KeyUsage": "SIGN_VERIFY",
            "PublicKey": self.der,
            "SigningAlgorithms": ["ECDSA_SHA_256"],
        }

    def sign(self, **request: Any) -> dict[str, Any]:
        self._answer()
        self._check(request)
        self.signed += 1
        signature = self._private.sign(request["Message"], ECDSA(Prehashed(SHA256())))
        return {"KeyId": request["KeyId"], "Signature": signature, "SigningAlgorithm": "ECDSA_SHA_256"}

    def verify(self, **request: Any) -> dict[str, Any]:
        self._answer()
        self._check(request)
        try:
            self._private.public_key().verify(request["Signature"], request["Message"], ECDSA(Prehashed(SHA256())))
        except InvalidSignature:
            response: Any = {"Error": {"Code": "KMSInvalidSignatureException", "Message": ""}}
            raise ClientError(response, "Verify") from None
        return {"KeyId": request["KeyId"], "SignatureValid": True, "SigningAlgorithm": "ECDSA_SHA_256"}

    def _check(self, request: dict[str, Any]) -> None:
        assert (request["MessageType"], request["SigningAlgorithm"]) == ("DIGEST", "ECDSA_SHA_256")
        assert len(request["Message"]) == _DIGEST_BYTES

    def _answer(self) -> None:
        if self.down is not None:
            raise self.down


class StatementKey:
    """A signer in memory."""

    def __init__(self, seed: int = 7) -> None:
        self._kms = FakeKms(seed)
        self.key = PublicKey(self._kms.der)

    def sign(self, message: bytes) -> bytes:
        answer = self._kms.sign(
            KeyId="k", Message=sha256(message).digest(), MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
        )
        signature: bytes = answer["Signature"]
        return signature
