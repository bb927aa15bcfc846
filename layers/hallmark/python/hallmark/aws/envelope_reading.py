"""Checking signatures of envelopes where a command runs, with the public key and nothing else."""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hallmark.attestations.envelopes import EnvelopeError, PublicKey

# Loading a key costs more than a check with it, and one key checks many envelopes.
_loaded = lru_cache(maxsize=16)(load_der_public_key)


class EnvelopeSignatures:
    """Checks signatures by ECDSA with SHA-256 (in DER), and by Ed25519."""

    def verify(self, key: PublicKey, message: bytes, signature: bytes) -> bool:
        """Tell whether a key made a signature.

        Raises:
            EnvelopeError: It is no key, or one of another kind.
        """
        try:
            public = _loaded(key.der)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise EnvelopeError(f"the public key cannot be read: {error}") from error
        try:
            if isinstance(public, EllipticCurvePublicKey):
                public.verify(signature, message, ECDSA(SHA256()))
            elif isinstance(public, Ed25519PublicKey):
                public.verify(signature, message)
            else:
                raise EnvelopeError(f"the public key is {type(public).__name__}: ECDSA and Ed25519 are checked here")
        except InvalidSignature:
            return False
        return True
