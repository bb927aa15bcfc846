"""Reading a log from wherever a copy of it lies, and checking signatures: what an auditor needs, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from hallmark.aws.ledger_files import S3LogFiles
from hallmark.errors import HallmarkError
from hallmark.ledger.notes import ED25519, ML_DSA_44, VerifierKey
from hallmark.ledger.tiles import Read


class NoteSignatures:
    """Checks the signatures that notes carry: Ed25519, and cosignatures by ML-DSA-44."""

    def verify(self, key: VerifierKey, message: bytes, signature: bytes) -> bool:
        """Tell whether a key made a signature.

        Raises:
            HallmarkError: The key is of another type, or the library on this machine cannot check it.
        """
        make = _PUBLIC_KEYS.get(key.kind)
        if make is None:
            known = ", ".join(map(str, _PUBLIC_KEYS))
            raise HallmarkError(f"the key {key.name} is of type {key.kind}: signatures of types {known} are checked")
        try:
            make(key.key).verify(signature, message)
        except UnsupportedAlgorithm as error:
            raise HallmarkError(
                f"the signature of {key.name} cannot be checked here: {error} Install the library cryptography "
                "from its wheels, or leave this key out"
            ) from error
        except (InvalidSignature, ValueError):
            return False
        return True


_PUBLIC_KEYS: Mapping[int, Callable[[bytes], Ed25519PublicKey | MLDSA44PublicKey]] = {
    ED25519: Ed25519PublicKey.from_public_bytes,
    # With an empty context (tlog-cosignature, "ML-DSA-44 signed message").
    ML_DSA_44: MLDSA44PublicKey.from_public_bytes,
}


def log_reader(place: str, s3: Callable[[], Any]) -> Read:
    """Return what reads the files of a log: from ``s3://bucket/prefix``, or from a folder.

    Args:
        place: Where they are.
        s3: Makes the client of S3, where they are there.

    Raises:
        HallmarkError: There is no such folder.
    """
    if place.startswith("s3://"):
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        prefix = prefix.rstrip("/")
        return S3LogFiles(bucket, s3(), f"{prefix}/" if prefix else "").read
    folder = Path(place)
    if not folder.is_dir():
        raise HallmarkError(f"{place} is no folder: name one with a copy of the log, or s3://bucket/prefix")

    def read(path: str) -> bytes | None:
        file = folder / path
        return file.read_bytes() if file.is_file() else None

    return read
