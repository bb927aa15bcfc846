"""What is known on disk of the local cloud of a checkout: ``.local/state.json``, and a lock for as long as it runs."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class AlreadyRunningError(RuntimeError):
    """The checkout's local cloud runs already."""


class NotRunningError(RuntimeError):
    """The checkout's local cloud does not run."""


class RunningState(BaseModel):
    """A local cloud that runs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    port: int
    endpoint: str
    account: str
    region: str
    started_at: str


class StateFolder:
    """The folder ``.local`` of a checkout.

    The process that runs the cloud holds a lock on ``lock`` until it ends, however it ends.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / ".local"
        self._file = self.path / "state.json"
        self._lock = self.path / "lock"

    @property
    def log(self) -> Path:
        """Where a cloud in the background writes."""
        return self.path / "cloud.log"

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the lock until this process ends: who waits for it knows then that nothing of the cloud is left.

        Raises:
            AlreadyRunningError: Another process holds it.
        """
        self.path.mkdir(exist_ok=True)
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise AlreadyRunningError(self._already()) from None
        try:
            yield
        finally:
            self._file.unlink(missing_ok=True)

    def write(self, state: RunningState) -> None:
        """Tell other processes what runs."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(state.model_dump_json(indent=2) + "\n", encoding="utf-8")
        draft.replace(self._file)

    def read(self) -> RunningState:
        """Return what runs.

        Raises:
            NotRunningError: Nothing does.
        """
        if self._is_free() or not self._file.is_file():
            raise NotRunningError("the local cloud does not run: start it with `python -m local up --detach`")
        return RunningState.model_validate_json(self._file.read_bytes())

    def wait_until_stopped(self, timeout_seconds: float) -> bool:
        """Wait until the process that holds the lock has ended; tell whether it has."""
        freed = threading.Event()

        def wait() -> None:
            with self._lock.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH)  # others wait, too
            freed.set()

        threading.Thread(target=wait, daemon=True).start()
        return freed.wait(timeout_seconds)

    def _is_free(self) -> bool:
        if not self._lock.is_file():
            return True
        with self._lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def _already(self) -> str:
        known = RunningState.model_validate_json(self._file.read_bytes()) if self._file.is_file() else None
        where = f" at {known.endpoint} (process {known.pid})" if known else ""
        return f"the local cloud runs already{where}: use it, or stop it with `python -m local down`"
