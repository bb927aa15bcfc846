"""Files of a log in memory, and a key that signs as KMS's would."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hallmark.ledger.notes import ED25519, VerifierKey
from hallmark.ledger.ports import Stored


class LogFiles:
    """LogStore in memory; ``fail`` is called before each write and may raise."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.versions: dict[str, int] = {}
        self.fail: Callable[[str], None] = lambda _path: None

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def create(self, path: str, content: bytes) -> bool:
        self.fail(path)
        if path in self.files:
            return False
        self.files[path] = content
        return True

    def read_version(self, path: str) -> Stored | None:
        if path not in self.files:
            return None
        return Stored(self.files[path], str(self.versions[path]))

    def replace(self, path: str, content: bytes, version: str | None) -> bool:
        self.fail(path)
        found = self.read_version(path)
        if (found.version if found else None) != version:
            return False
        self.files[path] = content
        self.versions[path] = self.versions.get(path, 0) + 1
        return True


class LogKey:
    """An Ed25519 key."""

    def __init__(self, name: str = "hallmark.test/ledger", seed: int = 7) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key = VerifierKey(name, ED25519, public)

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


class Ed25519Verifier:
    """Verifier by the library cryptography."""

    def verify(self, key: VerifierKey, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(key.key).verify(signature, message)
        except InvalidSignature:
            return False
        return True
