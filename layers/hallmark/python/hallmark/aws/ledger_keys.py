"""The ledger's keys in KMS."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from hallmark.aws.failures import calling
from hallmark.errors import HallmarkError
from hallmark.ledger.notes import ED25519, ML_DSA_44, VerifierKey

# Key and signature types: KMS developer guide, key spec reference; a SubjectPublicKeyInfo ends with the key itself.
_KINDS: Mapping[str, tuple[int, str, int]] = {
    "ECC_NIST_EDWARDS25519": (ED25519, "ED25519_SHA_512", 32),
    "ML_DSA_44": (ML_DSA_44, "ML_DSA_SHAKE_256", 1312),
}


class KmsSigner:
    """Signs with a key of KMS.

    Args:
        key_id: Its id or ARN.
        name: Under which it signs.
        client: Of KMS.
    """

    def __init__(self, key_id: str, name: str, client: Any) -> None:
        self._key_id = key_id
        self._name = name
        self._client = client

    @cached_property
    def _public_key(self) -> tuple[VerifierKey, str]:
        with calling("reading the public key of the ledger"):
            answer = self._client.get_public_key(KeyId=self._key_id)
        found = _KINDS.get(answer["KeySpec"])
        if found is None:
            raise HallmarkError(f"the key {self._key_id} is {answer['KeySpec']}: use one of {', '.join(_KINDS)}")
        kind, algorithm, length = found
        return VerifierKey(self._name, kind, answer["PublicKey"][-length:]), algorithm

    @property
    def key(self) -> VerifierKey:
        """The key that verifies what it signs."""
        return self._public_key[0]

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        with calling("signing the checkpoint"):
            answer = self._client.sign(
                KeyId=self._key_id,
                Message=message,
                MessageType="RAW",
                SigningAlgorithm=self._public_key[1],
            )
        signature: bytes = answer["Signature"]
        return signature
