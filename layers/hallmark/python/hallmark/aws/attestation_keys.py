"""The key of KMS that signs statements.

It is an ECDSA key on P-256. KMS signs at most 4,096 bytes with Ed25519 (API reference, Sign: a longer message needs
a digest, and of a digest KMS makes Ed25519ph, which verifiers of DSSE do not know); statements are longer. ECDSA signs
their SHA-256, and every verifier of DSSE knows it.
"""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from hallmark.attestations.envelopes import PublicKey
from hallmark.aws.failures import calling, error_code
from hallmark.errors import HallmarkError, UnavailableError

_SPEC = "ECC_NIST_P256"
_ALGORITHM = "ECDSA_SHA_256"
_INVALID = "KMSInvalidSignatureException"
_PASSING = frozenset({"DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"})
"""KMS's own words for "try again" (API reference, Sign)."""
_SHUT = frozenset({"DisabledException", "KMSInvalidStateException"})


class KmsStatementKey:
    """Signs statements, and checks signatures, with a key of KMS.

    Args:
        key_id: Its id or ARN.
        client: Of KMS.
    """

    def __init__(self, key_id: str, client: Any) -> None:
        self._key_id = key_id
        self._client = client

    @cached_property
    def key(self) -> PublicKey:
        """The key that verifies what it signs.

        Raises:
            UnavailableError: KMS did not answer.
            HallmarkError: It is a key of another kind.
        """
        answer = self._call("reading the public key of attestations", self._client.get_public_key, KeyId=self._key_id)
        if answer["KeySpec"] != _SPEC:
            raise HallmarkError(f"the key {self._key_id} is {answer['KeySpec']}: attestations are signed with {_SPEC}")
        return PublicKey(answer["PublicKey"])

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message.

        Raises:
            UnavailableError: KMS did not sign.
        """
        answer = self._call(
            "signing an attestation",
            self._client.sign,
            KeyId=self._key_id,
            Message=sha256(message).digest(),
            MessageType="DIGEST",
            SigningAlgorithm=_ALGORITHM,
        )
        signature: bytes = answer["Signature"]
        return signature

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Tell whether the key of KMS made a signature; of any other key, it did not.

        Raises:
            UnavailableError: KMS did not answer.
        """
        if key != self.key or not signature:
            return False
        try:
            answer = self._call(
                "verifying an attestation",
                self._client.verify,
                KeyId=self._key_id,
                Message=sha256(message).digest(),
                MessageType="DIGEST",
                Signature=signature,
                SigningAlgorithm=_ALGORITHM,
            )
        except ClientError as error:
            if error_code(error) == _INVALID:
                return False
            raise
        return bool(answer["SignatureValid"])

    def _call(self, what: str, operation: Any, **request: Any) -> dict[str, Any]:
        try:
            with calling(what):
                answer: dict[str, Any] = operation(**request)
        except ClientError as error:
            code = error_code(error)
            if code in _PASSING:
                raise UnavailableError(f"{what}: {code}") from error
            if code in _SHUT:
                raise UnavailableError(f"{what}: the key {self._key_id} is shut ({code}): enable it again") from error
            raise
        return answer
