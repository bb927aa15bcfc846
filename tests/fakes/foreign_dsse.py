"""What somebody else's verifier says of an envelope: securesystemslib's."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.serialization import load_der_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined] # it says so in its own documentation

from hallmark.attestations.envelopes import PublicKey


def accepts(envelope: bytes, key: PublicKey) -> bool:
    """Tell whether securesystemslib accepts an envelope by a key."""
    foreign = SSlibKey.from_crypto(load_der_public_key(key.der), keyid=key.key_id)
    try:
        Envelope.from_dict(json.loads(envelope)).verify([foreign], threshold=1)
    except VerificationError:
        return False
    return True
