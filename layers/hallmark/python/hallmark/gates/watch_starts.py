"""Which watches a training job's event begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.events.tags import parse_tags
from hallmark.events.times import parse_time
from hallmark.gates.watch_settings import TrainingWatch
from hallmark.gates.watching import StartedJob, is_watched

_RUNNING = "InProgress"


class Start(NamedTuple):
    """A watch to begin."""

    name: str
    """The same for every event of a job, so that it is watched once."""
    watch: str
    job: str
    interval_seconds: int

    def to_input(self) -> dict[str, Any]:
        """Return the workflow's input."""
        return {"watch": self.watch, "job": self.job, "interval": self.interval_seconds, "part": 1, "id": self.name}


def starts_of(event: Any, watches: Mapping[str, TrainingWatch]) -> Iterator[Start]:
    """Yield the watches that a job's event begins; none for a job that does not run.

    Raises:
        InvalidInputError: It is no event of a training job.
    """
    detail = event.get("detail") if isinstance(event, Mapping) else None
    if not isinstance(detail, Mapping):
        raise InvalidInputError("detail", detail, "send the event as EventBridge delivers it")
    arn = detail.get("TrainingJobArn")
    if not isinstance(arn, str) or ":training-job/" not in arn:
        raise InvalidInputError("detail.TrainingJobArn", arn, "send the event of a training job")
    if detail.get("TrainingJobStatus") != _RUNNING:
        return
    try:
        tags = parse_tags(detail.get("Tags")) or {}
    except ValueError as error:
        raise InvalidInputError("detail.Tags", detail.get("Tags"), str(error)) from None
    algorithm = detail.get("AlgorithmSpecification")
    algorithm = algorithm if isinstance(algorithm, Mapping) else {}
    job = StartedJob(
        # The name in AWS's samples is not always the one in the ARN.
        names=(arn.rpartition("/")[2], str(detail.get("TrainingJobName", ""))),
        tags=tags,
        image=str(algorithm.get("TrainingImage") or algorithm.get("AlgorithmName") or ""),
    )
    # Names can be used again after a deletion.
    born = detail.get("CreationTime")
    for key, watch in watches.items():
        if is_watched(watch, job):
            digest = sha256(f"{arn}\n{_seconds(born)}\n{key}".encode()).hexdigest()[:32]
            yield Start(f"watch-{digest}", key, arn, max(1, int(watch.interval.total_seconds())))


def _seconds(born: object) -> str:
    """Return a time in whole seconds: AWS's events write the same one as a number, as a text, and as ISO 8601."""
    try:
        time = parse_time(born)
    except ValueError:
        return ""
    return f"{time:%Y-%m-%dT%H:%M:%S}" if time is not None else ""
