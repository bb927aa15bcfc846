"""The process in which ``costs_of_events`` measures; its argument is the file for the results."""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import botocore.session

from benchmarks.recording.ingest import ingest
from benchmarks.recording.network import NoNetwork
from benchmarks.recording.workload import ACCOUNT, KINDS, REGION, answers, events
from hallmark.aws import clients

ROOT = Path(__file__).parents[2]
BATCH = 10
ROUNDS = 15
BATCHES = 6

CPU_GOAL = 4.2
"""What a usual handler costs (Powertools batch and idempotency, pydantic, one transaction), for an event that says all.

What must be read besides, and the objects that lie under its URIs, come on top; there is no usual handler that reads.
"""
TRAINING_GOAL = 21.0
"""For a training job that reads 60 objects, each of which becomes a node with two edges: the CPU of 21 puts."""
WRITES_GOAL = 3

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
    ours = _our_handler()
    bare = _bare_handler(clients._session())
    lines: Lines = []
    for kind in KINDS:
        ours(events(kind, BATCH), _Context)  # makes the clients
        network.clear()
        one = events(kind, 1, first=BATCH)
        ours(one, _Context)
        lines.append(_calls(kind, network.calls, network.items))
        lines.append(_cpu(kind, ours, bare, calls=network.calls.total()))
    lines += ingest(clients.client("dynamodb"))
    return lines


def _our_handler() -> Callable[[Sequence[str], Any], Any]:
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

    return handle


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
    goal = TRAINING_GOAL if kind.startswith("training job") else CPU_GOAL if calls == 1 else None
    return {
        "area": "lineage",
        "name": f"CPU per event, {kind}",
        "ours": round(mine * 1e6),
        "peer": round(peer * 1e6),
        "unit": f"µs without network (ours: {calls} AWS calls; peer: json.loads + put_item)",
        "ratio": round(mine / peer, 2),
        "goal": goal,
        "met": mine / peer <= goal if goal else None,
    }


def _calls(kind: str, calls: Counter[str], items: int) -> dict[str, Any]:
    reads = {name: count for name, count in sorted(calls.items()) if name.partition(".")[2].startswith(_READS)}
    writes = calls.total() - sum(reads.values())
    return {
        "area": "lineage",
        "name": f"AWS calls that write, {kind}",
        "ours": writes,
        "peer": 1,
        "unit": f"calls ({items} items; peer: put_item)",
        "ratio": float(writes),
        "goal": WRITES_GOAL,
        "met": writes <= WRITES_GOAL,
        "reads": reads,
    }


_READS = ("Describe", "List", "Get", "Head", "Query", "BatchGet")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(_measure()))
