"""A key of KMS that makes codes: who may make them cannot verify, who may verify cannot make, nobody sees the key."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code

_ALGORITHM = "HMAC_SHA_256"
_LONGEST = 4096
"""Bytes that GenerateMac takes (KMS API reference)."""


class MacKey:
    """An HMAC key of KMS."""

    def __init__(self, key_id: str, client: Any) -> None:
        self._key_id = key_id
        self._client = client

    def sign(self, message: bytes) -> bytes:
        """Return the code of a message, 32 bytes."""
        with calling("asking KMS for a code"):
            answer = self._client.generate_mac(KeyId=self._key_id, MacAlgorithm=_ALGORITHM, Message=message)
        code: bytes = answer["Mac"]
        return code

    def verify(self, message: bytes, code: bytes) -> bool:
        """Tell whether a code is the message's."""
        if not 0 < len(message) <= _LONGEST:
            return False
        try:
            with calling("asking KMS about a code"):
                answer = self._client.verify_mac(KeyId=self._key_id, MacAlgorithm=_ALGORITHM, Message=message, Mac=code)
        except ClientError as error:
            if error_code(error) in {"KMSInvalidMacException", "ValidationException"}:
                return False
            raise
        return bool(answer["MacValid"])
