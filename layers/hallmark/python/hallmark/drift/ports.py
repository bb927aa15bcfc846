"""What monitors need of the outside: files, their own memory, endpoints, and what other parts of Hallmark know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from hallmark.drift.following import MonitorState, Tells
from hallmark.drift.settings import CloudWatchMetrics


class SourceFile(NamedTuple):
    """An object in S3."""

    uri: str
    size: int
    modified: datetime
    etag: str


class EndpointInfo(NamedTuple):
    """What an endpoint serves."""

    arn: str
    config: str
    since: datetime
    """When it was changed last."""
    captures_to: str | None
    """Where its data capture writes; None where it is off."""


class Endpoints(Protocol):
    """SageMaker's endpoints."""

    def find(self, name: str) -> EndpointInfo | None:
        """Return what an endpoint serves; None where there is none."""
        ...


class SourceFiles(Protocol):
    """Objects of the team's buckets."""

    def list(self, prefix: str) -> Iterable[SourceFile]:
        """Yield the objects under a URI."""
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names of the folders directly under a URI that ends with ``/``."""
        ...

    def read(self, uri: str) -> bytes:
        """Return an object, or raise NotFoundError."""
        ...


class OwnFiles(Protocol):
    """Objects of the bucket of monitors."""

    def find(self, key: str) -> bytes | None:
        """Return an object; None where there is none."""
        ...

    def has(self, key: str) -> bool:
        """Tell whether there is an object."""
        ...

    def put(self, key: str, content: bytes, content_type: str = "application/json") -> str:
        """Keep an object; return its URI."""
        ...


class Look(NamedTuple):
    """What came of a look, as it is remembered: enough to answer a repeat of it."""

    monitor: str
    start: datetime
    end: datetime
    outcome: str
    """``clear``, ``drifted`` or ``failed``."""
    at: datetime
    report: str | None = None
    key: str | None = None
    """Folder of the report in the bucket of monitors."""
    reason: str | None = None
    tells: tuple[Tells, ...] = ()
    baseline: str | None = None


class Memory(Protocol):
    """States and looks of monitors."""

    def state(self, monitor: str) -> tuple[MonitorState, int]:
        """Return the state and its version; the first state and 0 where there is none."""
        ...

    def look(self, monitor: str, end: datetime) -> Look | None:
        """Return what came of the look at a window."""
        ...

    def looks(self, monitor: str, limit: int, before: datetime | None = None) -> Sequence[Look]:
        """Return looks, the latest first."""
        ...

    def remember(self, look: Look | None, state: MonitorState, monitor: str, version: int) -> None:
        """Keep a look and the state after it, or raise UnavailableError where another look came between."""
        ...


class Scores(Protocol):
    """Scores of people and of production's feedback."""

    def between(self, subject: str, start: datetime, end: datetime) -> Iterable[Mapping[str, Any]]:
        """Yield records with ``at``, ``id`` and ``score``."""
        ...


class MetricSource(Protocol):
    """CloudWatch."""

    def read(
        self, source: CloudWatchMetrics, subject: Mapping[str, str], start: datetime, end: datetime
    ) -> Sequence[Mapping[str, Any]]:
        """Return the ``MetricDataResults`` of an interval."""
        ...


class Histories(Protocol):
    """What evaluations found."""

    def history(self, suite: str, metric: str) -> Mapping[str, Any]:
        """Return the history of a metric."""
        ...
