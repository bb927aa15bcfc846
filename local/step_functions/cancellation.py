"""Ending work from outside: an execution with all that it started, or the branches of a state that failed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from local.step_functions.failures import ExecutionEnded


class Cancellation:
    """Tells threads to end; what is cancelled cancels all that was made from it.

    Args:
        parent: Its cancellation reaches this one.
    """

    def __init__(self, parent: Cancellation | None = None) -> None:
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._reactions: list[Callable[[], None]] = []
        self._parent = parent
        if parent is not None:
            parent.on_cancel(self.cancel)

    def cancel(self) -> None:
        """End the work; a second time changes nothing."""
        with self._lock:
            self._ended.set()
            reactions, self._reactions = self._reactions, []
        for react in reactions:
            react()

    def on_cancel(self, react: Callable[[], None]) -> None:
        """Call ``react`` when this is cancelled, at once if it is already."""
        with self._lock:
            if not self._ended.is_set():
                self._reactions.append(react)
                return
        react()

    def forget(self, react: Callable[[], None]) -> None:
        """Take back what :meth:`on_cancel` was told."""
        with self._lock:
            self._reactions = [known for known in self._reactions if known != react]

    def release(self) -> None:
        """Say that the work is done: its parent need not remember it."""
        if self._parent is not None:
            self._parent.forget(self.cancel)

    @property
    def is_cancelled(self) -> bool:
        """Whether the work was told to end."""
        return self._ended.is_set()

    def check(self) -> None:
        """Raise where the work was told to end.

        Raises:
            ExecutionEnded: It was.
        """
        if self._ended.is_set():
            raise ExecutionEnded

    def wait(self, seconds: float) -> None:
        """Wait, and end with the work.

        Raises:
            ExecutionEnded: The work was told to end before.
        """
        if self._ended.wait(max(0.0, seconds)):
            raise ExecutionEnded
