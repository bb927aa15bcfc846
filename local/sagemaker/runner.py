"""Container processes: started without Docker, ended with the server, stopped as SageMaker stops a container."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TextIO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_NOT_STARTED = 127  # what a shell returns for a command that it cannot find


class Ending(Enum):
    """Why a container process is no more."""

    EXITED = "exited"
    STOPPED = "stopped"
    TIMED_OUT = "timed out"


@dataclass(frozen=True)
class ContainerCommand:
    """What runs in the place of a container: arguments, environment and folder are those of the host."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    working_directory: Path
    log: Path


@dataclass(frozen=True)
class Outcome:
    """How a container process ended; ``exit_code`` is negative for a signal, as ``subprocess`` has it."""

    ending: Ending
    exit_code: int


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the thread that started it ends, a crash of the server included."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Container:
    """One container process in a process group of its own."""

    def __init__(self, stop_grace_seconds: float) -> None:
        self._grace = stop_grace_seconds
        # What wakes the waiting thread: the process ended, or somebody wants it stopped.
        self._wake: queue.SimpleQueue[Ending] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._ended = False

    def run(
        self, command: ContainerCommand, on_line: Callable[[str], None], max_runtime_seconds: float | None = None
    ) -> Outcome:
        """Run ``command`` to its end in this thread.

        Args:
            command: What to run.
            on_line: Called with every line that the process writes, without its end.
            max_runtime_seconds: Time after which the process is stopped.

        Returns:
            Why and how it ended. A command that cannot be started exits with 127 and says so in its log.
        """
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("a", encoding="utf-8") as log:
            try:
                process = self._start(command)
            except OSError as error:
                line = f"{command.arguments[0]}: {error.strerror}"
                log.write(f"{line}\n")
                on_line(line)
                return Outcome(Ending.EXITED, _NOT_STARTED)
            reader = threading.Thread(target=_copy_lines, args=(process, log, on_line), daemon=True)
            reader.start()
            threading.Thread(target=self._wait_for_exit, args=(process,), daemon=True).start()
            ending = self._wait(process, max_runtime_seconds)
            self._signal_group(process, signal.SIGKILL)  # whatever the process left behind
            reader.join(timeout=self._grace)
        return Outcome(ending, process.wait())

    def stop(self) -> None:
        """Ask the process to end; it has the grace period to do so. Before its start, it will be stopped at once."""
        self._wake.put(Ending.STOPPED)

    def kill(self) -> None:
        """End the process now."""
        self.stop()
        with self._lock:
            process = self._process
        if process is not None:
            self._signal_group(process, signal.SIGKILL)

    def _start(self, command: ContainerCommand) -> subprocess.Popen[str]:
        with self._lock:
            self._process = subprocess.Popen(
                list(command.arguments),
                env=dict(command.environment),
                cwd=command.working_directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                # One system call on a library that is loaded already: nothing that a fork in a thread could break.
                preexec_fn=_die_with_parent,  # noqa: PLW1509
            )
        return self._process

    def _wait(self, process: subprocess.Popen[str], max_runtime_seconds: float | None) -> Ending:
        deadline = None if max_runtime_seconds is None else time.monotonic() + max_runtime_seconds
        try:
            ending = self._wake.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            ending = Ending.TIMED_OUT
        if ending is Ending.EXITED:
            return ending
        process.terminate()  # the first process alone, as a container engine does
        patience = time.monotonic() + self._grace
        while not self._ended:
            try:
                self._wake.get(timeout=max(0.0, patience - time.monotonic()))
            except queue.Empty:
                self._signal_group(process, signal.SIGKILL)
                patience = time.monotonic() + self._grace
        return ending

    def _wait_for_exit(self, process: subprocess.Popen[str]) -> None:
        process.wait()
        self._ended = True
        self._wake.put(Ending.EXITED)

    def _signal_group(self, process: subprocess.Popen[str], number: signal.Signals) -> None:
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):  # the group is gone; macOS says EPERM for zombies
            return


def _copy_lines(process: subprocess.Popen[str], log: TextIO, on_line: Callable[[str], None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        log.write(line)
        log.flush()
        on_line(line.rstrip("\n"))
    process.stdout.close()


def map_paths(text: str, root: Path) -> str:
    """Return ``text`` with the container's ``/opt/ml`` replaced by its place on the host."""
    return text.replace("/opt/ml", f"{root}/opt/ml")
