"""Lines that are gathered for a moment and written as one object, as AWS's services deliver their records."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

_LOGGER = logging.getLogger(__name__)
_MOST_LINES = 500

Write = Callable[[Sequence[bytes]], None]


@dataclass
class _Pending:
    write: Write
    lines: list[bytes] = field(default_factory=list)


class LineBuffer:
    """Gathers lines by where they go; safe for threads.

    Args:
        seconds: How long a line waits for others.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._pending: dict[Hashable, _Pending] = {}
        self._timer: threading.Timer | None = None

    def add(self, place: Hashable, line: bytes, write: Write) -> None:
        """Keep a line for ``place``; ``write`` gets all lines of a place together."""
        with self._lock:
            pending = self._pending.setdefault(place, _Pending(write))
            pending.lines.append(line)
            is_full = len(pending.lines) >= _MOST_LINES
            if self._timer is None:
                self._timer = threading.Timer(self._seconds, self.flush)
                self._timer.daemon = True
                self._timer.start()
        if is_full:
            self.flush()

    def flush(self) -> None:
        """Write what waits, now. Records that cannot be written are lost, as AWS loses them: the caller is served."""
        with self._writing:
            with self._lock:
                pending, self._pending = self._pending, {}
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None
            for each in pending.values():
                try:
                    each.write(each.lines)
                except Exception:  # whatever a service says: nobody waits for these records
                    _LOGGER.warning("records could not be delivered", exc_info=True)

    def discard(self) -> None:
        """Forget what waits."""
        with self._lock:
            self._pending.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
