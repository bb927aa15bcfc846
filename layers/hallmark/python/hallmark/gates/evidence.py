"""What a gate knows of a model when it judges: reports, lineage, drift; and what it could not learn."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hallmark.gates.origins import LineageEvidence, MonitorState
from hallmark.gates.uncertainty import Measured


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class MetricEvidence(_Frozen):
    """One metric of the model."""

    name: str
    lower_is_better: bool | None = None
    """None where the report does not say."""
    value: float | None = None
    """None where there is none, or it is no finite number."""
    cases: int | None = None
    measured: Measured | None = None
    """None where nothing says how sure the value is."""
    groups: dict[str, Measured] = {}
    silent_groups: dict[str, str] = {}
    """Groups of which nothing can be said, and why."""
    percentiles: dict[str, Measured] = {}
    """``p50``, ``p95``, ``p99``."""


class ChampionEvidence(_Frozen):
    """The model against another one on a metric."""

    metric: str
    champion: str
    champion_value: float | None = None
    difference: Measured | None = None
    """Model less champion on the cases of both; None where they were measured apart."""
    apart: Measured | None = None
    """The champion's own value, measured apart on the same data."""
    incomparable: tuple[str, ...] = ()


class CoverageEvidence(_Frozen):
    """How much of what was planned was answered."""

    planned: int = Field(ge=0)
    answered: int = Field(ge=0)


class Source(_Frozen):
    """A report that says something of the model."""

    kind: Literal["suite", "package"]
    name: str
    """Of the suite; ``package`` for the model package's own quality report."""
    uri: str
    node: str = ""
    """What it is in lineage: the ARN of a run's execution; empty for the package's report."""
    document: str = ""
    """URI of the file that was read."""
    digest: str = ""
    """SHA-256 of it, in hex."""
    completed_at: datetime | None = None
    """None where nobody can tell."""
    primary: str | None = None
    metrics: tuple[MetricEvidence, ...] = ()
    against: tuple[ChampionEvidence, ...] = ()
    coverage: CoverageEvidence | None = None
    notes: tuple[str, ...] = ()

    def find(self, metric: str) -> MetricEvidence | None:
        """Return what it says of a metric."""
        return next((each for each in self.metrics if each.name == metric), None)


class Evidence(_Frozen):
    """Everything that a verdict rests on."""

    model: str
    """As the request names it."""
    model_name: str
    """For people."""
    group: str = ""
    package: str = ""
    """ARN of the model package that is judged; that behind an endpoint."""
    endpoint: str = ""
    digest: str = ""
    """Of what the package consists of, SHA-256 in hex."""
    sources: tuple[Source, ...] = ()
    missing_suites: dict[str, str] = {}
    """Suites of the gate without a usable run, and why."""
    lineage: LineageEvidence | None = None
    monitors: tuple[MonitorState, ...] | None = None
    """None where lineage could not be asked."""
    problems: tuple[str, ...] = ()
    """What could not be read, and why."""

    def source(self, name: str) -> Source | None:
        """Return a source by its name."""
        return next((each for each in self.sources if each.name == name), None)
