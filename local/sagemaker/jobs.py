"""The jobs that run now: a pool for those with a container, a thread each for those that only wait for others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from local.sagemaker.runner import Container, ContainerCommand, Outcome

_LOGGER = logging.getLogger(__name__)


class JobRun:
    """One run of a job, which somebody may want to stop."""

    def __init__(self, arn: str, stop_grace_seconds: float) -> None:
        self.arn = arn
        self.finished: Future[None] = Future()
        self._grace = stop_grace_seconds
        self._stopping = threading.Event()
        self._containers: set[Container] = set()
        self._lock = threading.Lock()
        self._on_stop: list[Callable[[], None]] = []

    @property
    def is_stopping(self) -> bool:
        """Whether the job is to end."""
        return self._stopping.is_set()

    def pause(self, seconds: float) -> None:
        """Let ``seconds`` pass, less where the job is to end."""
        self._stopping.wait(seconds)

    def run_container(
        self, command: ContainerCommand, on_line: Callable[[str], None], max_runtime_seconds: float | None = None
    ) -> Outcome:
        """Run a container in this thread; a stop of the job reaches it."""
        container = Container(self._grace)
        with self._lock:
            self._containers.add(container)
            if self.is_stopping:
                container.stop()
        try:
            return container.run(command, on_line, max_runtime_seconds)
        finally:
            with self._lock:
                self._containers.discard(container)

    @contextmanager
    def serve(self, command: ContainerCommand, on_line: Callable[[str], None]) -> Iterator[Future[Outcome]]:
        """Run a container beside this thread, until the block ends; a stop of the job reaches it."""
        container = Container(self._grace)
        with self._lock:
            self._containers.add(container)
            if self.is_stopping:
                container.stop()
        with ThreadPoolExecutor(1, thread_name_prefix="sagemaker-host") as executor:
            serving = executor.submit(container.run, command, on_line)
            try:
                yield serving
            finally:
                container.stop()
                serving.result()
                with self._lock:
                    self._containers.discard(container)

    def on_stop(self, act: Callable[[], None]) -> None:
        """Call ``act`` when the job is to end; at once where that is so already."""
        with self._lock:
            self._on_stop.append(act)
        if self.is_stopping:
            act()

    def stop(self) -> None:
        """Ask the job to end."""
        with self._lock:
            self._stopping.set()
            containers, acts = list(self._containers), list(self._on_stop)
        for container in containers:
            container.stop()
        for act in acts:
            act()

    def kill(self) -> None:
        """End the job's processes now."""
        with self._lock:
            self._stopping.set()
            containers = list(self._containers)
        for container in containers:
            container.kill()


class JobPool:
    """Runs jobs; containers at most so many at a time."""

    def __init__(self, parallel: int, stop_grace_seconds: float) -> None:
        self._parallel = parallel
        self._grace = stop_grace_seconds
        self._lock = threading.Lock()
        self._runs: dict[str, JobRun] = {}
        self._executor = self._new_executor()

    def start(self, arn: str, work: Callable[[JobRun], None], *, has_container: bool = True) -> JobRun:
        """Run ``work``; with a container when one of the pool's places is free, else in a thread of its own."""
        run = JobRun(arn, self._grace)
        with self._lock:
            self._runs[arn] = run
        if has_container:
            self._executor.submit(self._execute, run, work).add_done_callback(_log_crash)
        else:
            threading.Thread(target=self._execute, args=(run, work), name=arn, daemon=True).start()
        return run

    def find(self, arn: str) -> JobRun | None:
        """Return the run of the job with this ARN while it is running or waiting for its place."""
        with self._lock:
            return self._runs.get(arn)

    def end_all(self) -> None:
        """End every job now, wait until their threads are done, and take new ones afterwards."""
        with self._lock:
            runs, executor = list(self._runs.values()), self._executor
            self._executor = self._new_executor()
        for run in runs:
            run.kill()
        executor.shutdown(wait=True)
        wait((run.finished for run in runs), timeout=self._grace)

    def close(self) -> None:
        """End every job now and take no new ones."""
        self.end_all()
        self._executor.shutdown(wait=True)

    def _execute(self, run: JobRun, work: Callable[[JobRun], None]) -> None:
        try:
            work(run)
        finally:
            with self._lock:
                if self._runs.get(run.arn) is run:
                    del self._runs[run.arn]
            run.finished.set_result(None)

    def _new_executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._parallel, thread_name_prefix="sagemaker-job")


def _log_crash(done: Future[None]) -> None:
    error = done.exception()
    if error is not None:
        _LOGGER.error("a job's thread crashed", exc_info=error)
