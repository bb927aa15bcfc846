"""Python functions start at once: as copies of a process that has read the SDK, with code that is unpacked once.

MiniStack starts an interpreter for each execution environment and unpacks function and layers for it, without their
bytecode: half a second of computing, which on AWS another machine does. A process that is copied cannot be had
everywhere, so elsewhere than on Linux functions start as they do in MiniStack; so does one whose code brings a package
that the copied process has read already.
"""

from __future__ import annotations

import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
import zipfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import new_uuid
from ministack.services import lambda_svc

from local.patches.replacement import replace_function, replace_method

_STEM = Path(__file__).with_name("worker_stem.py")
_MESSAGE_BYTES = 1 << 17
_STOP_SECONDS = 2.0
_LOST = "the process that functions are copied from is gone"


def apply() -> None:
    """Start Python functions by copying, where this machine can.

    Raises:
        EmulatorChangedError: MiniStack's workers are no longer what they were.
    """
    if sys.platform != "linux":
        return
    replace_method(lambda_runtime.Worker, "_spawn", ("self",), _with_copies)
    replace_function(lambda_runtime, "reset", (), _with_end)


def _with_copies(original: Any) -> Any:
    def spawn(worker: Any) -> None:
        if not worker.config.get("Runtime", "").startswith("python"):
            original(worker)
            return
        folders = [_shared.unpack(worker.code_zip), *(_shared.unpack(content) for content in _layers(worker.config))]
        if any(_names(folder) & _shared.modules() for folder in folders):
            original(worker)
            return
        _start(worker, folders[0], folders[1:])

    return spawn


def _with_end(original: Any) -> Any:
    def reset() -> None:
        original()
        _shared.end()

    return reset


def _layers(config: dict[str, Any]) -> list[bytes]:
    found = (lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers", []))
    return [content for content in found if content]


def _names(folder: Path) -> set[str]:
    """Return what can be imported from a folder or from its part for Python."""
    return {found.stem for inside in (folder, folder / "python") if inside.is_dir() for found in inside.iterdir()}


def _start(worker: Any, code: Path, layers: list[Path]) -> None:
    """Start a worker's process and wait until it is ready.

    Raises:
        RuntimeError: It ended before it was; says what it printed.
    """
    config = worker.config
    own = {
        name: value
        for name, value in config.get("Environment", {}).get("Variables", {}).items()
        if name not in lambda_runtime._RESERVED_RUNTIME_ENV_VARS
    }
    process = _shared.copy(code, {**os.environ, **own, **_runtime_variables(config, code, layers)})
    worker._proc = process
    worker._stderr_queue = lambda_runtime.queue.Queue()
    worker._stderr_thread = threading.Thread(target=worker._read_stderr, daemon=True, name=f"log-{worker.func_name}")
    worker._stderr_thread.start()
    module, _, handler = config.get("Handler", "index.handler").rpartition(".")
    begin = {
        "code_dir": str(code),
        "module": module.replace("/", "."),
        "handler": handler,
        "env": own,
        "function_name": config.get("FunctionName", ""),
        "memory": config.get("MemorySize", 128),
        "arn": config.get("FunctionArn", ""),
    }
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(begin) + "\n")
        process.stdin.flush()
    if not process.stdout.readline():
        raise RuntimeError(f"Worker process exited immediately. stderr: {worker._drain_stderr()}")
    worker._start_time = time.time()


def _runtime_variables(config: dict[str, Any], code: Path, layers: list[Path]) -> dict[str, str]:
    """Return what the runtime tells a function, as MiniStack does."""
    _, region = lambda_runtime._account_region_from_function_config(config)
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **lambda_runtime.execution_credentials(config),
        lambda_runtime.HOST_PREFIX_ENV: "true",
        "LAMBDA_TASK_ROOT": str(code),
        "AWS_LAMBDA_FUNCTION_NAME": config.get("FunctionName", ""),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_LOG_STREAM_NAME": new_uuid(),
        "_LAMBDA_FUNCTION_ARN": config.get("FunctionArn", ""),
        "_LAMBDA_TIMEOUT": str(config.get("Timeout", 30)),
        "_LAMBDA_LAYERS_DIRS": os.pathsep.join(map(str, layers)),
    }


class _Copy:
    """A copied process, as :class:`subprocess.Popen` shows one; it is no child of this process."""

    def __init__(self, pid: int, streams: tuple[int, int, int]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        stdin, stdout, stderr = streams
        self.stdin = open(stdin, "w", buffering=1, encoding="utf-8")  # noqa: PTH123, SIM115 - a descriptor, kept
        self.stdout = open(stdout, encoding="utf-8", errors="replace")  # noqa: PTH123, SIM115 - likewise
        self.stderr = open(stderr, encoding="utf-8", errors="replace")  # noqa: PTH123, SIM115 - likewise
        self._handle: int | None = None
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self.returncode = 0
        else:
            weakref.finalize(self, os.close, self._handle)

    def poll(self) -> int | None:
        """Return 0 once it has ended; how it ended is not known here."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: It has not ended in time.
        """
        if self._look(None if timeout is None else 1000 * timeout) is None:
            raise subprocess.TimeoutExpired(str(_STEM), timeout or 0)
        return 0

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._handle is not None and self.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def _look(self, milliseconds: float | None) -> int | None:
        if self.returncode is None and self._handle is not None:
            ends = select.poll()
            ends.register(self._handle, select.POLLIN)
            if ends.poll(milliseconds):
                self.returncode = 0
        return self.returncode


class _Stem:
    """The process that is copied."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Not from its own folder is it to import anything.
            command = [sys.executable, "-P", str(_STEM), str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._socket = ours
        self.modules = frozenset(json.loads(self._answer()))

    def copy(self, folder: Path, variables: dict[str, str]) -> _Copy:
        """Start a copy with these variables in this folder."""
        theirs, ours = _pipes()
        try:
            request = json.dumps({"folder": str(folder), "variables": variables}).encode()
            socket.send_fds(self._socket, [request], theirs)
            return _Copy(int(self._answer()), ours)
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def end(self) -> None:
        """End it; its copies end when their streams do."""
        self._socket.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> bytes:
        answer = self._socket.recv(_MESSAGE_BYTES)
        if not answer:
            raise RuntimeError(_LOST)
        return answer


def _pipes() -> tuple[list[int], tuple[int, int, int]]:
    """Return the ends of three pipes that a process has as its standard streams, and our ends of them."""
    (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = os.pipe(), os.pipe(), os.pipe()
    return [stdin, stdout, stderr], (to_stdin, from_stdout, from_stderr)


class _Shared:
    """What the functions of this process share: the process that they are copies of, and unpacked archives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stem: _Stem | None = None
        self._folder: TemporaryDirectory[str] | None = None

    def modules(self) -> frozenset[str]:
        """Return the names of the packages that are read before a function's code is."""
        with self._lock:
            return self._running().modules

    def copy(self, folder: Path, variables: dict[str, str]) -> _Copy:
        """Start a process; where the one that it is to be a copy of has been killed, from a new one."""
        with self._lock:
            try:
                return self._running().copy(folder, variables)
            except (OSError, RuntimeError):
                self._stem = None
                return self._running().copy(folder, variables)

    def unpack(self, archive: bytes) -> Path:
        """Return a folder with the content of an archive; nobody writes to it, as on AWS."""
        name = sha256(archive).hexdigest()
        with self._lock:
            if self._folder is None:
                self._folder = TemporaryDirectory(prefix="hallmark-functions-")
            folder = Path(self._folder.name) / name
            if not folder.is_dir():
                draft = folder.with_suffix(".draft")
                with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
                    zipped.extractall(draft)
                draft.rename(folder)
            return folder

    def end(self) -> None:
        """End the process and remove the folders."""
        with self._lock:
            if self._stem is not None:
                self._stem.end()
            if self._folder is not None:
                self._folder.cleanup()
            self._stem = self._folder = None

    def _running(self) -> _Stem:
        if self._stem is None:
            self._stem = _Stem()
        return self._stem


_shared = _Shared()
