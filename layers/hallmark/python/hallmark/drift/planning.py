"""Planning a look: its window, its baseline, and which files are new since the last look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from hallmark.drift.following import MonitorState
from hallmark.drift.ports import EndpointInfo, Endpoints, Look, Memory, OwnFiles, SourceFile, SourceFiles
from hallmark.drift.reports import digest_of
from hallmark.drift.settings import (
    DataCapture,
    DeploymentBaseline,
    DriftPolicy,
    FixedBaseline,
    InvocationLogs,
    Monitor,
    RollingBaseline,
    monitor_settings,
)
from hallmark.drift.sources.places import capture_prefix, hours_of, is_record_file, log_prefix, variants_prefix
from hallmark.drift.windows import Interval, baseline_after, baseline_before, slices_of, window_at
from hallmark.errors import InvalidInputError

PART_BYTES = 48_000_000
"""What one function reads at most; a larger object is a part of its own."""
PART_FILES = 200
INLINE_PARTS = 20
"""More than these are worked off by a distributed map, in executions of their own."""


class LookRequest(BaseModel):
    """A look that somebody or a schedule asks for."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    monitor: str
    at: datetime


class Part(BaseModel):
    """What one function reads and profiles."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: Literal["files", "dataset", "query"]
    start: datetime
    end: datetime
    uris: tuple[str, ...] = ()
    profile: str
    """Key of the profile that it makes."""


class PlannedSlice(BaseModel):
    """A slice of time: the key of its whole profile, and the profiles that it is made of where it is new."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    key: str
    parts: tuple[str, ...] = ()
    is_known: bool = False


class PlannedBaseline(BaseModel):
    """What the window is compared with."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    key: str
    """What it is of: it is captured anew where this changes."""
    is_known: bool = False
    """It is the one that the state names."""
    start: datetime
    end: datetime
    slices: tuple[PlannedSlice, ...] = ()
    source: str = ""
    """URI of a fixed dataset."""
    skipped: int = 0
    deployed_at: datetime | None = None
    """When the configuration came into service, as it was seen first."""


class WindowPlan(BaseModel):
    """A look, planned."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    monitor: str
    at: datetime
    start: datetime
    end: datetime
    status: Literal["ready", "known", "failed", "waiting"]
    reason: str = ""
    subject: str
    config: str = ""
    """Configuration that the endpoint serves."""
    captures_to: str | None = None
    window: tuple[PlannedSlice, ...] = ()
    baseline: PlannedBaseline | None = None
    parts: tuple[Part, ...] = ()
    files: tuple[str, ...] = ()
    """URIs of the window's files."""


class Place(NamedTuple):
    """Where this runs."""

    account: str
    region: str


def find_monitor(policy: DriftPolicy, name: str) -> Monitor:
    """Return a monitor of the policy.

    Raises:
        InvalidInputError: There is none of this name.
    """
    if name not in policy.monitors:
        known = ", ".join(sorted(policy.monitors)) or "none"
        raise InvalidInputError("monitor", name, f"there is no such monitor in hallmark.yaml; there are: {known}")
    return policy.monitors[name]


class Planner:
    """Plans looks.

    Args:
        place: Account and Region.
        memory: What monitors remember.
        sources: The team's files.
        files: Hallmark's own.
        endpoints: SageMaker's.
    """

    def __init__(
        self, place: Place, memory: Memory, sources: SourceFiles, files: OwnFiles, endpoints: Endpoints
    ) -> None:
        self._place = place
        self._memory = memory
        self._sources = sources
        self._files = files
        self._endpoints = endpoints

    def plan(self, request: LookRequest, monitor: Monitor) -> WindowPlan:
        """Plan a look; a window that was looked at already is known."""
        window = window_at(monitor, request.at)
        state, _ = self._memory.state(request.monitor)
        known = self._memory.look(request.monitor, window.end)
        endpoint = self._endpoints.find(monitor.endpoint) if monitor.endpoint else None
        subject = endpoint.arn if endpoint else self._subject(monitor)
        plan = WindowPlan(
            monitor=request.monitor,
            at=request.at,
            start=window.start,
            end=window.end,
            status="ready",
            subject=subject,
            config=endpoint.config if endpoint else "",
            captures_to=endpoint.captures_to if endpoint else None,
        )
        if _is_final(known):
            return plan.model_copy(update={"status": "known"})
        if monitor.endpoint and endpoint is None:
            reason = (
                f"the endpoint {monitor.endpoint} does not exist: deploy it, or remove the monitor from hallmark.yaml"
            )
            return plan.model_copy(update={"status": "failed", "reason": reason})
        return self._planned(plan, monitor, window, state, endpoint)

    def _planned(
        self, plan: WindowPlan, monitor: Monitor, window: Interval, state: MonitorState, endpoint: EndpointInfo | None
    ) -> WindowPlan:
        reader = _PartMaker(plan.monitor, monitor, self._place, self._sources, self._files)
        baseline, reason = self._baseline(monitor, window, state, endpoint, reader)
        if baseline is None:
            return plan.model_copy(update={"status": "failed", "reason": reason})
        if isinstance(monitor.baseline, DeploymentBaseline) and window.start < baseline.end:
            # The window belongs to the baseline, or to what was deployed before.
            why = f"the baseline is captured until {baseline.end:%Y-%m-%d %H:%M} UTC"
            return plan.model_copy(update={"status": "waiting", "reason": why, "baseline": baseline})
        slices = tuple(reader.slice(each) for each in slices_of(monitor, window))
        return plan.model_copy(
            update={
                "window": slices,
                "baseline": baseline,
                "parts": tuple(reader.parts),
                "files": tuple(reader.files_of(window)),
            }
        )

    def _baseline(
        self,
        monitor: Monitor,
        window: Interval,
        state: MonitorState,
        endpoint: EndpointInfo | None,
        reader: _PartMaker,
    ) -> tuple[PlannedBaseline | None, str]:
        setting, settings = monitor.baseline, digest_of(monitor_settings(monitor))
        if isinstance(setting, FixedBaseline):
            return self._fixed(setting, settings, window, state, reader)
        if isinstance(setting, RollingBaseline):
            interval = baseline_before(window, setting.windows)
            key = digest_of({"window": [*map(str, interval)], "settings": settings})
            return self._captured(key, interval, state, monitor, reader), ""
        if endpoint is None:
            return None, "only an endpoint has a baseline that is captured on deployment"
        return self._deployed(setting, settings, monitor, window, state, endpoint, reader), ""

    def _fixed(
        self, setting: FixedBaseline, settings: str, window: Interval, state: MonitorState, reader: _PartMaker
    ) -> tuple[PlannedBaseline | None, str]:
        files = sorted(self._sources.list(setting.location))
        if not files:
            return None, f"the baseline {setting.location} is empty: put the dataset there"
        key = digest_of({"files": [(file.uri, file.etag) for file in files], "settings": settings})
        is_known = state.baseline_key == key and state.baseline is not None
        slices = () if is_known else (reader.dataset(key, files, window),)
        found = PlannedBaseline(
            key=key, is_known=is_known, start=window.start, end=window.start, slices=slices, source=setting.location
        )
        return found, ""

    def _deployed(
        self,
        setting: DeploymentBaseline,
        settings: str,
        monitor: Monitor,
        window: Interval,
        state: MonitorState,
        endpoint: EndpointInfo,
        reader: _PartMaker,
    ) -> PlannedBaseline:
        of = digest_of({"config": endpoint.config, "settings": settings})
        same = state.baseline_key.partition("/")[0] == of
        if same and state.baseline is not None:
            # An endpoint that only changed its capacity keeps its baseline.
            kept = Interval(state.baseline_since or window.start, state.baseline_end or window.start)
            return self._captured(state.baseline_key, kept, state, monitor, reader)
        skipped = state.baseline_skipped if same else 0
        deployed_at = state.baseline_since if same and state.baseline_since is not None else endpoint.since
        interval = baseline_after(monitor, deployed_at, setting.windows, skipped)
        key = f"{of}/{interval.start:%Y%m%dT%H%MZ}"
        planned = PlannedBaseline(
            key=key, start=interval.start, end=interval.end, skipped=skipped, deployed_at=deployed_at
        )
        if window.start < interval.end:
            return planned
        captured = self._captured(key, interval, state, monitor, reader)
        return captured.model_copy(update={"skipped": skipped, "deployed_at": deployed_at})

    @staticmethod
    def _captured(
        key: str, interval: Interval, state: MonitorState, monitor: Monitor, reader: _PartMaker
    ) -> PlannedBaseline:
        is_known = state.baseline_key == key and state.baseline is not None
        slices = () if is_known else tuple(reader.slice(each) for each in slices_of(monitor, interval))
        return PlannedBaseline(key=key, is_known=is_known, start=interval.start, end=interval.end, slices=slices)

    def _subject(self, monitor: Monitor) -> str:
        if monitor.endpoint:
            return f"arn:aws:sagemaker:{self._place.region}:{self._place.account}:endpoint/{monitor.endpoint.lower()}"
        return monitor.subject_name


def _is_final(look: Look | None) -> bool:
    """Tell whether a look has a report; one that failed is tried again."""
    return look is not None and look.report is not None


class _PartMaker:
    """Finds the files of slices that have no profile yet."""

    def __init__(self, name: str, monitor: Monitor, place: Place, sources: SourceFiles, files: OwnFiles) -> None:
        self._monitor = monitor
        self._place = place
        self._sources = sources
        self._own = files
        self._folder = f"profiles/{name}/{digest_of(monitor_settings(monitor))}"
        self._seen: dict[datetime, PlannedSlice] = {}
        self._listed: dict[str, list[SourceFile]] = {}
        self.parts: list[Part] = []

    def slice(self, interval: Interval) -> PlannedSlice:
        """Plan a slice, once."""
        found = self._seen.get(interval.start)
        if found is None:
            found = self._seen[interval.start] = self._planned(interval)
        return found

    def dataset(self, key: str, files: Sequence[SourceFile], window: Interval) -> PlannedSlice:
        """Plan to profile a fixed baseline."""
        folder = f"{self._folder}/baseline-{key}"
        parts = [
            self._part("dataset", window, chunk, f"{folder}/{number}.json")
            for number, chunk in enumerate(_chunks(files))
        ]
        return PlannedSlice(key=f"{folder}/whole.json", parts=tuple(parts))

    def files_of(self, interval: Interval) -> list[str]:
        """Return the URIs of the files that an interval was read from."""
        if not isinstance(self._monitor.source, DataCapture | InvocationLogs):
            return []
        return [file.uri for file in self._files_in(interval)]

    def _planned(self, interval: Interval) -> PlannedSlice:
        folder = f"{self._folder}/{interval.name}"
        whole = f"{folder}/whole.json"
        if self._own.has(whole):
            return PlannedSlice(key=whole, is_known=True)
        if not isinstance(self._monitor.source, DataCapture | InvocationLogs):
            return PlannedSlice(key=whole, parts=(self._part("query", interval, (), f"{folder}/0.json"),))
        chunks = _chunks(self._files_in(interval))
        parts = [self._part("files", interval, chunk, f"{folder}/{number}.json") for number, chunk in enumerate(chunks)]
        return PlannedSlice(key=whole, parts=tuple(parts))

    def _part(
        self,
        kind: Literal["files", "dataset", "query"],
        interval: Interval,
        files: Sequence[SourceFile],
        profile: str,
    ) -> str:
        uris = tuple(file.uri for file in files)
        self.parts.append(Part(kind=kind, start=interval.start, end=interval.end, uris=uris, profile=profile))
        return profile

    def _files_in(self, interval: Interval) -> list[SourceFile]:
        # What was finished before the interval began holds nothing of it.
        return [
            file
            for prefix in self._prefixes(interval)
            for file in self._list(prefix)
            if file.modified >= interval.start and is_record_file(file.uri)
        ]

    def _prefixes(self, interval: Interval) -> Iterator[str]:
        source = self._monitor.source
        hours = hours_of(*interval)
        if isinstance(source, InvocationLogs):
            yield from (log_prefix(source, self._place.account, self._place.region, hour) for hour in hours)
        elif isinstance(source, DataCapture):
            endpoint = self._monitor.endpoint or ""
            variants = [source.variant] if source.variant else self._folders(variants_prefix(source, endpoint))
            for variant in variants:
                yield from (capture_prefix(source, endpoint, variant, hour) for hour in hours)

    def _folders(self, prefix: str) -> Sequence[str]:
        return self._sources.folders(prefix)

    def _list(self, prefix: str) -> list[SourceFile]:
        if prefix not in self._listed:
            self._listed[prefix] = sorted(self._sources.list(prefix))
        return self._listed[prefix]


def _chunks(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    """Yield files in groups that a function can read."""
    chunk: list[SourceFile] = []
    size = 0
    for file in files:
        if chunk and (len(chunk) == PART_FILES or size + file.size > PART_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += file.size
    if chunk:
        yield chunk
