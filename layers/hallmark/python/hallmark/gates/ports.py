"""What gates need of what lies elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from hallmark.gates.evidence import Source
    from hallmark.gates.origins import LineageEvidence, MonitorState
    from hallmark.gates.requests import GateRequest
    from hallmark.gates.verdicts import RequestState, Verdict


class Subject(NamedTuple):
    """The model that is judged, as its registry knows it."""

    model: str
    """As the request names it."""
    name: str
    """For people."""
    group: str = ""
    package: str = ""
    endpoint: str = ""
    model_id: str = ""
    """What can be asked: of a foundation or custom model, or what the package names."""
    problems: tuple[str, ...] = ()
    digest: str = ""
    """Of what the package consists of, SHA-256 in hex."""


class RunFound(NamedTuple):
    """What there is of a suite on a model."""

    source: Source | None = None
    reason: str = ""
    """Why there is no source."""
    is_running: bool = False
    """A run that includes the model is on its way."""
    has_failed: bool = False
    """The newest run for the sake of the model failed."""


class Registry(Protocol):
    """Where models are registered."""

    def describe(self, model: str) -> Subject:
        """Return what is known of a model."""
        ...


class Reports(Protocol):
    """Where reports are."""

    def of_suite(self, suite: str, subject: Subject) -> RunFound:
        """Return the newest completed run of a suite that includes the model."""
        ...

    def of_package(self, subject: Subject) -> tuple[Source | None, tuple[str, ...]]:
        """Return the package's own quality report, and what could not be read."""
        ...


class Lineage(Protocol):
    """What lineage is asked."""

    def provenance(self, subject: Subject, *, with_tags: bool) -> LineageEvidence | None:
        """Return where a model came from; None where lineage does not know it."""
        ...

    def monitors(self, subject: Subject) -> tuple[MonitorState, ...] | None:
        """Return what watches a model or its endpoints."""
        ...


class VerdictStore(Protocol):
    """Where verdicts are kept."""

    def add(self, verdict: Verdict) -> Verdict:
        """Keep a verdict unless its request has one; return the one that is kept."""
        ...

    def find(self, request: GateRequest) -> Verdict | None:
        """Return the verdict of a request."""
        ...

    def note(self, state: RequestState) -> None:
        """Keep how a request stands; one that is decided stays so."""
        ...


class Listing(Protocol):
    """What can be asked of kept verdicts."""

    def latest(self, limit: int, model: str | None = None) -> Sequence[Verdict]:
        """Return verdicts, the latest first."""
        ...

    def verdict(self, verdict: str) -> Verdict:
        """Return a verdict by its id."""
        ...

    def state(self, request: str) -> RequestState | None:
        """Return how a request stands."""
        ...


class Announcer(Protocol):
    """Who tells the hallmark bus."""

    def request_evaluation(self, suite: str, subject: Subject, request_id: str) -> None:
        """Ask for a run of a suite on a model."""
        ...

    def tell(self, verdict: Verdict) -> None:
        """Tell of a verdict, and whoever waits for it."""
        ...


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return now, in UTC."""
        ...
