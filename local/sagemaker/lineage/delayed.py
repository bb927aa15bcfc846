"""Work that one background thread does in order, each piece some time after it was asked for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class DelayedWork(Generic[Item]):
    """A queue whose thread lives only while there is work.

    Args:
        act: What is done with each item; never by two threads at once.
        delay_seconds: Time between :meth:`put` and ``act``.
    """

    def __init__(self, act: Callable[[Item], None], delay_seconds: float) -> None:
        self._act = act
        self._delay_seconds = delay_seconds
        self._pending: deque[tuple[float, Item]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._acting = False

    def put(self, item: Item) -> None:
        """Ask for work on ``item``."""
        with self._changed:
            self._pending.append((time.monotonic() + self._delay_seconds, item))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="sagemaker-lineage", daemon=True)
                self._thread.start()

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until nothing is left to do; tell whether that came within the time."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout_seconds)

    def discard(self) -> None:
        """Forget what is not done yet; afterwards nothing is being done."""
        with self._changed:
            self._pending.clear()
            self._changed.notify_all()
            self._changed.wait_for(self._is_idle)

    def _is_idle(self) -> bool:
        return not self._pending and not self._acting

    def _work(self) -> None:
        while (item := self._next()) is not None:
            done = False
            try:
                self._act(item[0])
                done = True
            finally:
                with self._changed:
                    self._acting = False
                    if not done:
                        self._thread = None  # the error ends this thread; the next item starts another
                    self._changed.notify_all()

    def _next(self) -> tuple[Item] | None:
        """Wait for the next item that is due; ``None`` when nothing is left, and then the thread ends."""
        with self._changed:
            while self._pending:
                due, item = self._pending[0]
                rest = due - time.monotonic()
                if rest <= 0:
                    self._pending.popleft()
                    self._acting = True
                    return (item,)
                self._changed.wait(rest)
            self._thread = None
            return None
