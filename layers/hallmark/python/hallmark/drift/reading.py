"""Reading a part of a window from wherever its source keeps it, and profiling it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from hallmark.drift.planning import Part
from hallmark.drift.ports import Histories, MetricSource, Scores, SourceFiles
from hallmark.drift.profiling import PartProfile, merge_parts, profile_dataset, profile_records
from hallmark.drift.settings import CloudWatchMetrics, EvaluationHistory, InvocationLogs, Monitor, read_selector
from hallmark.drift.sources.data_capture import read_capture
from hallmark.drift.sources.datasets import read_dataset
from hallmark.drift.sources.evaluations import read_histories
from hallmark.drift.sources.invocation_logs import read_invocations
from hallmark.drift.sources.metrics import read_metrics
from hallmark.drift.sources.records import Reading, read_instant
from hallmark.drift.statistics.samples import Encoder
from hallmark.errors import NotFoundError

_READERS = 8


class Readers(NamedTuple):
    """Where sources are read."""

    files: SourceFiles
    metrics: MetricSource
    histories: Histories
    scores: Scores
    encoder: Callable[[], Encoder]
    """Loaded where a monitor asks for vectors of texts."""


def profile_part(part: Part, monitor: Monitor, readers: Readers) -> PartProfile:
    """Read and profile a part. What cannot be read is counted; a file that is gone is, too."""
    if part.kind == "query":
        return profile_records(monitor, _query(part, monitor, readers).within(part.start, part.end), readers.encoder)
    if part.kind == "dataset":
        read = [read_dataset(uri, readers.files.read(uri)) for uri in part.uris]
        return merge_parts(profile_dataset(monitor, reading, readers.encoder) for reading in read)

    def one(uri: str) -> Reading:
        try:
            content = readers.files.read(uri)
        except NotFoundError:
            gone = Reading()
            gone.broken["a file is gone"] += 1
            return gone
        return _read_file(content, monitor, readers).within(part.start, part.end)

    whole = Reading()
    with ThreadPoolExecutor(_READERS) as pool:
        for reading in pool.map(one, part.uris):
            whole.records += reading.records
            whole.broken.update(reading.broken)
    return profile_records(monitor, whole, readers.encoder)


def _read_file(content: bytes, monitor: Monitor, readers: Readers) -> Reading:
    if isinstance(monitor.source, InvocationLogs):

        def read_body(uri: str) -> bytes | None:
            try:
                return readers.files.read(uri)
            except NotFoundError:
                return None

        return read_invocations(content, read_body, monitor.model)
    return read_capture(content)


def _query(part: Part, monitor: Monitor, readers: Readers) -> Reading:
    source = monitor.source
    if isinstance(source, CloudWatchMetrics):
        found = readers.metrics.read(source, _dimension(monitor, source), part.start, part.end)
        return read_metrics(source, found)
    if isinstance(source, EvaluationHistory):
        asked = {str(read_selector(feature.select)[0]) for feature in monitor.features.values()}
        histories = {metric: readers.histories.history(monitor.suite or "", metric) for metric in sorted(asked)}
        return read_histories(histories, source.variant)
    scores = readers.scores.between(monitor.subject_name, part.start, part.end)
    return Reading([{**score, "at": read_instant(score["at"])} for score in scores])


def _dimension(monitor: Monitor, source: CloudWatchMetrics) -> Mapping[str, str]:
    if monitor.model:
        return {"ModelId": monitor.model}
    if monitor.endpoint:
        variant = {} if "VariantName" in source.dimensions else {"VariantName": "AllTraffic"}
        return {"EndpointName": monitor.endpoint, **variant}
    return {}
