"""Runs per second: from the text of an event to the graph, over the pipeline that ML Metadata was measured with.

Each run reads what its predecessor wrote and two of the fifty outputs before, and writes one.
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.recording.workload import ACCOUNT, training_event
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.lineage.model import NodeKind
from hallmark.lineage.ports import Listing, StoredObject
from hallmark.lineage.recording import Surroundings, record_event
from hallmark.pseudonyms import Trait

RUNS = 400
ROUNDS = 5
MLMD_RUNS_PER_SECOND = 739
MLMD = (
    "ML Metadata 1.17.1 (compiled), SQLite file, in process, on a 2-core x86-64 machine: figure of the project's issue"
)

_WRITTEN = datetime(2026, 10, 1, tzinfo=UTC)


class _World:
    """Describer, ContentReader, ImageResolver and ManifestStore of a world in which each URI holds one object."""

    def describe(self, _kind: NodeKind, _identifier: str) -> Mapping[str, Any] | None:
        return None

    def tags(self, _arn: str) -> Mapping[str, str]:
        return {}

    def listing(self, uri: str, _as_of: datetime | None, _limit: int) -> Listing:
        identity = f"sha256:{hashlib.sha256(uri.encode()).hexdigest()}"
        return Listing([StoredObject("", "1", identity, len(uri), _WRITTEN)], complete=True)

    def digest(self, _image_uri: str) -> str | None:
        return f"sha256:{'5' * 64}"

    def put(self, digest: str, _listing: Sequence[StoredObject]) -> str:
        return f"s3://lineage/manifests/{digest}"


class _Remembered:
    """Pseudonyms that a warm function remembers."""

    def tokens(self, traits: Sequence[Trait]) -> Mapping[Trait, str]:
        return {trait: f"person-{hashlib.sha256(trait.person.encode()).hexdigest()[:32]}" for trait in traits}


class _TakesAll:
    """DynamoDB, where it costs nothing."""

    @staticmethod
    def transact_write_items(TransactItems: Sequence[Mapping[str, Any]]) -> None:  # noqa: N803 # the client's name for it
        """Take all."""


def ingest(client: Any) -> Iterator[dict[str, Any]]:
    """Measure before DynamoDB, which is what the goal is about, then with its client, both without a network."""
    for name, dynamodb, goal in (
        ("before DynamoDB", _TakesAll(), 1.0),
        ("with DynamoDB's client, without network", client, None),
    ):
        rate = RUNS / statistics.median(_seconds(dynamodb) for _ in range(ROUNDS))
        yield {
            "area": "lineage",
            "name": f"runs per second into the graph, {name}",
            "ours": round(rate),
            "peer": MLMD_RUNS_PER_SECOND,
            "unit": "runs per second of CPU",
            "ratio": round(rate / MLMD_RUNS_PER_SECOND, 2),
            "goal": goal,
            "better": "higher",
            "met": rate / MLMD_RUNS_PER_SECOND >= goal if goal else None,
            "peer_source": MLMD,
        }


def _seconds(dynamodb: Any) -> float:
    world = _World()
    surroundings = Surroundings(
        store=DynamoLineageTable("lineage", dynamodb),
        describer=world,
        contents=world,
        images=world,
        manifests=world,
        people=_Remembered(),
        clock=lambda: datetime.now(UTC),
        account=ACCOUNT,
    )
    chance = random.Random(17)
    bodies = []
    for number in range(RUNS):
        read = {number - 1, *(chance.randrange(number - 50, number) for _ in range(2))}
        inputs = {f"input-{place}": f"s3://runs/output/{run + 100}" for place, run in enumerate(sorted(read))}
        bodies.append(json.dumps(training_event(number, "Completed", inputs, f"s3://runs/output/{number + 100}")))
    begun = time.process_time()  # one thread: other work of the machine does not count
    for body in bodies:
        record_event(json.loads(body), surroundings)
    return time.process_time() - begun
