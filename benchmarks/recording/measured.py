"""The process in which ``costs_of_events`` measures; its argument is the file for the results."""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.session

from benchmarks.recording.network import NoNetwork
from benchmarks.recording.workload import ACCOUNT, KINDS, REGION, answers, events
from hallmark.aws import clients
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.lineage.model import Fact
from hallmark.lineage.recording import Surroundings, record_event

ROOT = Path(__file__).parents[2]
BATCH = 10
ROUNDS = 15
BATCHES = 6

CPU_GOAL_ONE_CALL = 3.0
"""A usual handler (Powertools batch and idempotency, pydantic, one transaction) costs four bare ones."""
WRITES_GOAL = 3
FACTS = 60
MLMD_RUNS_PER_SECOND = 739

Lines = list[dict[str, Any]]


class _Context:
    function_name = "record_lineage"
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:record_lineage"
    aws_request_id = "0"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 120_000


def _measure() -> Lines:
    network = NoNetwork(answers())
    network.watch(clients._session())
    ours, surroundings = _our_handler()
    bare = _bare_handler(clients._session())
    lines: Lines = []
    for kind in KINDS:
        ours(events(kind, BATCH), _Context)  # makes the clients
        network.calls.clear()
        one = events(kind, 1, first=BATCH)
        ours(one, _Context)
        lines += _calls(kind, network.calls)
        lines.append(_cpu(kind, ours, bare, calls=network.calls.total()))
    lines.append(_ingest(surroundings()))
    return lines


def _our_handler() -> tuple[Callable[[Sequence[str], Any], Any], Callable[[], Surroundings]]:
    spec = importlib.util.spec_from_file_location(
        "record_lineage", ROOT / "functions" / "record_lineage" / "handler.py"
    )
    if spec is None or spec.loader is None:
        raise FileNotFoundError("functions/record_lineage/handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def handle(bodies: Sequence[str], context: Any) -> None:
        answer = module.handler(_batch(bodies), context)
        if answer["batchItemFailures"]:
            raise RuntimeError(f"not recorded: {answer}")

    return handle, module.surroundings


def _bare_handler(session: botocore.session.Session) -> Callable[[Sequence[str], Any], Any]:
    dynamodb: Any = session.create_client("dynamodb")

    def handle(bodies: Sequence[str], _context: Any) -> None:
        for record in _batch(bodies)["Records"]:
            event = json.loads(record["body"])
            item = {"pk": {"S": event["resources"][0]}, "sk": {"S": event["time"]}, "body": {"S": record["body"]}}
            dynamodb.put_item(TableName="bare", Item=item)

    return handle


def _batch(bodies: Sequence[str]) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1"}
    return {
        "Records": [
            {"messageId": str(number), "body": body, "attributes": attributes} for number, body in enumerate(bodies)
        ]
    }


def _cpu(kind: str, ours: Callable[..., Any], bare: Callable[..., Any], *, calls: int) -> dict[str, Any]:
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    number = 10 * BATCH
    for _ in range(ROUNDS):
        batches = [events(kind, BATCH, first=number + BATCH * place) for place in range(BATCHES)]
        number += BATCH * BATCHES
        for name, handler in (("ours", ours), ("bare", bare)):
            begun = time.process_time()
            for bodies in batches:
                handler(bodies, _Context)
            taken[name].append((time.process_time() - begun) / (BATCH * BATCHES))
    mine, peer = statistics.median(taken["ours"]), statistics.median(taken["bare"])
    goal = CPU_GOAL_ONE_CALL * max(calls, 1)
    return {
        "area": "lineage",
        "name": f"CPU per event, {kind}",
        "ours": round(mine * 1e6),
        "peer": round(peer * 1e6),
        "unit": f"µs without network (ours: {calls} AWS calls; peer: json.loads + put_item)",
        "ratio": round(mine / peer, 2),
        "goal": goal,
        "met": mine / peer <= goal,
    }


def _calls(kind: str, calls: Counter[str]) -> Lines:
    writes = sum(count for name, count in calls.items() if name.partition(".")[2].startswith(("Put", "Transact")))
    return [
        {
            "area": "lineage",
            "name": f"AWS calls that write, {kind}",
            "ours": writes,
            "peer": 1,
            "unit": "calls (peer: put_item)",
            "ratio": float(writes),
            "goal": WRITES_GOAL,
            "met": writes <= WRITES_GOAL,
            "reads": {name: count for name, count in sorted(calls.items()) if not name.startswith("dynamodb.")},
        }
    ]


class _Collected:
    """A store that only keeps what recording makes."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def add(self, fact: Fact, _recorded_at: datetime) -> bool:
        self.facts.append(fact)
        return True

    def contains(self, _fact_ids: Sequence[str]) -> frozenset[str]:
        return frozenset()


def _ingest(surroundings: Surroundings) -> dict[str, Any]:
    """Add facts of finished training jobs, each with its data, image and code, to the store."""
    collected = _Collected()
    collecting = replace(surroundings, store=collected)
    for body in events("training job completed", FACTS):
        record_event(json.loads(body), collecting)
    seconds = []
    for _ in range(ROUNDS):
        facts = [fact.model_copy() for fact in collected.facts]  # without what the last round has computed
        table = DynamoLineageTable("lineage", clients.client("dynamodb"))
        begun = time.perf_counter()
        for fact in facts:
            table.add(fact, surroundings.clock())
        seconds.append(time.perf_counter() - begun)
    rate = FACTS / statistics.median(seconds)
    return {
        "area": "lineage",
        "name": "facts per second into the store",
        "ours": round(rate),
        "peer": MLMD_RUNS_PER_SECOND,
        "unit": "runs/s, one thread, without network",
        "ratio": round(rate / MLMD_RUNS_PER_SECOND, 2),
        "goal": 1.0,
        "better": "higher",
        "met": rate >= MLMD_RUNS_PER_SECOND,
        "peer_source": "ML Metadata 1.17.1, SQLite file, in process, on a 2-core x86-64 machine (published in issue 2)",
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(_measure()))
