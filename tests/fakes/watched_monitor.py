"""A monitor with everything that it needs, in memory: captured requests, memory, endpoints, what it published."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.drift.following import MonitorState
from hallmark.drift.looking import Looked, Told, Watcher
from hallmark.drift.planning import LookRequest, Place, Planner, WindowPlan
from hallmark.drift.ports import EndpointInfo, Look, SourceFile
from hallmark.drift.reading import Readers, profile_part
from hallmark.drift.settings import CloudWatchMetrics, Monitor
from hallmark.errors import NotFoundError, UnavailableError
from hallmark.sentence_encoder import encoder

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/live"
CAPTURED = "s3://team/captured"


class MemoryTeamFiles:
    """SourceFiles."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.reads: list[str] = []

    def put(self, uri: str, content: bytes, modified: datetime) -> None:
        self.objects[uri] = (content, modified)

    def list(self, prefix: str) -> Iterable[SourceFile]:
        for uri, (content, modified) in sorted(self.objects.items()):
            if uri.startswith(prefix):
                yield SourceFile(uri, len(content), modified, f"etag-{hash(content)}")

    def folders(self, prefix: str) -> Sequence[str]:
        inside = [uri.removeprefix(prefix) for uri in self.objects if uri.startswith(prefix)]
        return sorted({rest.partition("/")[0] for rest in inside if "/" in rest})

    def read(self, uri: str) -> bytes:
        self.reads.append(uri)
        if uri not in self.objects:
            raise NotFoundError(f"there is no {uri}")
        return self.objects[uri][0]


class MemoryFiles:
    """OwnFiles."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def find(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def has(self, key: str) -> bool:
        return key in self.objects

    def put(self, key: str, content: bytes, content_type: str = "application/json") -> str:
        self.objects[key] = content
        return f"s3://own/{key}"


class MemoryOfMonitors:
    """Memory; a version that is not the last one is refused."""

    def __init__(self) -> None:
        self.states: dict[str, tuple[MonitorState, int]] = {}
        self.kept: dict[tuple[str, datetime], Look] = {}

    def state(self, monitor: str) -> tuple[MonitorState, int]:
        return self.states.get(monitor, (MonitorState(), 0))

    def look(self, monitor: str, end: datetime) -> Look | None:
        return self.kept.get((monitor, end))

    def looks(self, monitor: str, limit: int, before: datetime | None = None) -> Sequence[Look]:
        found = [look for (name, _), look in self.kept.items() if name == monitor]
        earlier = [look for look in found if before is None or look.end < before]
        return sorted(earlier, key=lambda look: look.end, reverse=True)[:limit]

    def remember(self, look: Look | None, state: MonitorState, monitor: str, version: int) -> None:
        if self.state(monitor)[1] != version:
            raise UnavailableError("another look came between")
        self.states[monitor] = (state, version + 1)
        if look is not None:
            self.kept[monitor, look.end] = look


class Nowhere:
    """Sources that a monitor of captured requests does not ask."""

    def read(
        self, source: CloudWatchMetrics, subject: Mapping[str, str], start: datetime, end: datetime
    ) -> Sequence[Mapping[str, Any]]:
        raise AssertionError("not asked")

    def history(self, suite: str, metric: str) -> Mapping[str, Any]:
        raise AssertionError("not asked")

    def between(self, subject: str, start: datetime, end: datetime) -> Iterable[Mapping[str, Any]]:
        raise AssertionError("not asked")


class OneEndpoint:
    """Endpoints."""

    def __init__(self) -> None:
        self.info: EndpointInfo | None = EndpointInfo(ARN, "live-v1", NOON - timedelta(days=30), CAPTURED)

    def find(self, name: str) -> EndpointInfo | None:
        return self.info


class Watched:
    """A monitor that looks, step by step as the workflow does."""

    def __init__(self, **settings: Any) -> None:
        self.monitor = Monitor.model_validate(
            {
                "endpoint": "live",
                "source": {"kind": "data_capture", "location": CAPTURED},
                "features": {
                    "size": {"select": "$.input[0]"},
                    "colour": {"kind": "categorical", "select": "$.input[1]"},
                },
                "checks": ["jensen_shannon"],
                "every": "1 hour",
                "delay": "0 minutes",
                "looks": 1000,
                "actions": ["alert"],
                **settings,
            }
        )
        self.team, self.own, self.memory = MemoryTeamFiles(), MemoryFiles(), MemoryOfMonitors()
        self.endpoints = OneEndpoint()
        self.told: list[Told] = []

    def call(self, hour: datetime, count: int = 200, *, shift: float = 0.0, red: float = 0.3, seed: int = 0) -> None:
        """Capture requests of an hour."""
        draw = random.Random(f"{hour}{seed}")  # noqa: S311 - the same traffic each time
        lines = []
        for place in range(count):
            row = f"{draw.gauss(10 + shift, 2):.3f},{'red' if draw.random() < red else 'blue'}"
            at = hour + timedelta(seconds=3600 * place / count)
            side = {"observedContentType": "text/csv", "mode": "INPUT", "data": row, "encoding": "CSV"}
            lines.append(
                {
                    "captureData": {"endpointInput": side},
                    "eventMetadata": {"eventId": f"{seed}-{place}", "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"},
                }
            )
        content = "\n".join(map(json.dumps, lines)).encode()
        self.team.put(f"{CAPTURED}/live/All/{hour:%Y/%m/%d/%H}/{seed}.jsonl", content, hour + HOUR)

    def plan(self, at: datetime) -> WindowPlan:
        place = Place("123456789012", "eu-west-1")
        planner = Planner(place, self.memory, self.team, self.own, self.endpoints)
        return planner.plan(LookRequest(monitor="sizes", at=at), self.monitor)

    def look(self, at: datetime) -> Looked:
        """Plan, profile, judge."""
        plan = self.plan(at)
        nowhere = Nowhere()
        readers = Readers(self.team, nowhere, nowhere, nowhere, encoder)
        for part in plan.parts:
            self.own.put(part.profile, profile_part(part, self.monitor, readers).model_dump_json().encode())
        return Watcher(self.memory, self.own, self.told.extend).look(plan, self.monitor, at)

    def names(self) -> list[str]:
        """Return the names of what was published so far, and forget them."""
        names = [told.detail_type for told in self.told]
        self.told.clear()
        return names
