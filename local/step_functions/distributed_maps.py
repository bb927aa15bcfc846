"""Map states whose items are child workflow executions of a map run.

Source: "Using Map state in Distributed mode", "Setting failure thresholds for Distributed Map states", "Redriving Map
Runs", developer guide.
"""

from __future__ import annotations

import contextvars
import copy
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from ministack.services import stepfunctions

from local.patches.permissions import role_allows
from local.step_functions.cancellation import Cancellation
from local.step_functions.checkpoints import Checkpoint
from local.step_functions.documents import Document, limited_text, timestamp, to_text
from local.step_functions.evaluations import Evaluation
from local.step_functions.failures import EXCEEDED_FAILURES, PERMISSIONS, ExecutionEnded, StateFailure
from local.step_functions.history import History
from local.step_functions.map_items import ChildInput, batched, given_items, read_items, selected_item
from local.step_functions.map_results import entry, transformed, write_results
from local.step_functions.running import Identity, Scope, Visit

# AWS runs up to 10,000 children at once; they are threads here.
MOST_CHILDREN = 64
_PENDING = "PENDING"
_RUNNING = "RUNNING"
_COUNTED = {
    _PENDING: "pending",
    _RUNNING: "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timedOut",
    "ABORTED": "aborted",
}
RunScope = Callable[[Scope, Any, Checkpoint, int], Any]


@dataclass
class Child:
    """A child workflow execution.

    Attributes:
        input: What it works on.
        record: As ``DescribeExecution`` knows it; its status is ``PENDING`` before it starts.
        checkpoint: Where it stands.
        attempt: How often it was begun or redriven; a thread of an earlier attempt says nothing any more.
    """

    input: ChildInput
    record: dict[str, Any]
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    attempt: int = 0


@dataclass
class MapRun:
    """A map run with its children, kept as long as the execution, since a redrive goes on with it.

    Attributes:
        arn: Of the map run.
        record: As ``DescribeMapRun`` knows it.
        children: In the order of their items.
    """

    arn: str
    record: dict[str, Any]
    children: list[Child]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def turn(self, child: Child, status: str, **more: Any) -> None:
        """Put a child into another status, and count it there."""
        with self.lock:
            self._count(child, -1)
            child.record.update(status=status, **more)
            self._count(child, +1)

    def count_all(self) -> None:
        """Count the children anew."""
        with self.lock:
            for counts in (self.record["itemCounts"], self.record["executionCounts"]):
                counts.update(dict.fromkeys([*_COUNTED.values(), "total"], 0))
            self.record["itemCounts"]["total"] = sum(child.input.items for child in self.children)
            self.record["executionCounts"]["total"] = len(self.children)
            for child in self.children:
                self._count(child, +1)

    def failed_items(self) -> int:
        """Return how many items failed."""
        counts = self.record["itemCounts"]
        return int(counts["failed"] + counts["timedOut"])

    def _count(self, child: Child, change: int) -> None:
        name = _COUNTED[child.record["status"]]
        self.record["itemCounts"][name] += change * child.input.items
        self.record["executionCounts"][name] += change


_map_runs: dict[str, MapRun] = {}


def forget_map_runs() -> None:
    """Drop the map runs, when all state goes."""
    _map_runs.clear()


def run_map(visit: Visit, fields: Evaluation, processor: Document, run_scope: RunScope) -> Any:
    """Run a Map state's children, or those of its map run that did not succeed, and return the state's result.

    Args:
        visit: The state.
        fields: Its fields.
        processor: ``ItemProcessor``.
        run_scope: Runs the states of a child.

    Raises:
        StateFailure: The items cannot be read, too many failed, or the results cannot be written.
        ExecutionEnded: It was cancelled.
    """
    identity = visit.scope.identity
    _require_permission(identity)
    run = _map_runs.get(visit.checkpoint.map_run_arn or "")
    if run is None:
        run = _begin(visit, fields)
    else:
        _redrive(visit, run)
    _work(visit, processor, run, run_scope)
    return _end(visit, fields, run)


def _require_permission(identity: Identity) -> None:
    arn = f"{identity.state_machine_arn.partition('/')[0]}"
    if not role_allows(identity.role_arn, identity.session, "states:StartExecution", arn):
        raise StateFailure(
            PERMISSIONS, f"{identity.role_arn} is not authorized to perform: states:StartExecution on resource: {arn}"
        )


def _begin(visit: Visit, fields: Evaluation) -> MapRun:
    identity, state = visit.scope.identity, visit.state
    history = visit.scope.history
    inputs = _child_inputs(visit, fields)
    label = state.get("Label") or uuid.uuid4().hex
    machine = f"{identity.state_machine_arn.partition('/')[0]}/{label}"
    arn = f"{machine.replace(':stateMachine:', ':mapRun:')}:{uuid.uuid4()}"
    zero = dict.fromkeys([*_COUNTED.values(), "total", "resultsWritten", "failuresNotRedrivable", "pendingRedrive"], 0)
    record = {
        "mapRunArn": arn,
        "executionArn": identity.arn,
        "status": _RUNNING,
        "startDate": timestamp(),
        "maxConcurrency": int(fields.number("MaxConcurrency", 0)),
        "toleratedFailurePercentage": float(fields.number("ToleratedFailurePercentage", 0)),
        "toleratedFailureCount": int(fields.number("ToleratedFailureCount", 0)),
        "itemCounts": dict(zero),
        "executionCounts": dict(zero),
        "redriveCount": 0,
        "_stateMachineArn": machine,
    }
    run = MapRun(arn, record, [Child(value, _child_record(value, machine, arn)) for value in inputs])
    run.count_all()
    stepfunctions._map_runs[arn] = record
    _map_runs[arn] = run
    visit.checkpoint.map_run_arn = arn
    started = history.add("MapStateStarted", visit.event, {"length": len(inputs)})
    history.add("MapRunStarted", started, {"mapRunArn": arn})
    return run


def _child_inputs(visit: Visit, fields: Evaluation) -> list[ChildInput]:
    state = visit.state
    reader = state.get("ItemReader")
    items = read_items(reader, fields, visit.scope.identity.role_arn) if reader else given_items(state, fields)
    source = {"Source": "STATE_DATA"} if not reader else {}
    chosen = [
        selected_item(
            state, fields, {**visit.context(), "Map": {"Item": {"Index": index, "Value": item, **source}}}, item
        )
        for index, item in enumerate(items)
    ]
    if "ItemBatcher" in state:
        return batched(chosen, state["ItemBatcher"], fields)
    return [ChildInput(item, 1) for item in chosen]


def _child_record(child_input: ChildInput, machine: str, map_run_arn: str) -> dict[str, Any]:
    name = str(uuid.uuid4())
    return {
        "executionArn": f"{machine.replace(':stateMachine:', ':execution:')}:{name}",
        "stateMachineArn": machine,
        "name": name,
        "status": _PENDING,
        "startDate": None,
        "stopDate": None,
        "input": to_text(child_input.value),
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": {"included": True},
        "mapRunArn": map_run_arn,
        "events": [],
        "testCase": "",
        "mockAttempts": {},
    }


def _redrive(visit: Visit, run: MapRun) -> None:
    """Let a map run go on: children that succeeded stay, the others go on from where they failed."""
    express = visit.state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("ExecutionType") == "EXPRESS"
    for child in run.children:
        record = child.record
        if record["status"] == "SUCCEEDED":
            continue
        if record["startDate"] is not None:
            record["redriveCount"] = record.get("redriveCount", 0) + 1
            record["redriveDate"] = timestamp()
        child.checkpoint = Checkpoint() if express else copy.deepcopy(child.checkpoint)
        record.update(status=_PENDING, stopDate=None, error=None, cause=None)
    run.count_all()
    run.record.update(status=_RUNNING, redriveCount=run.record["redriveCount"] + 1, redriveDate=timestamp())
    run.record.pop("stopDate", None)
    visit.scope.history.add(
        "MapRunRedriven", visit.event, {"mapRunArn": run.arn, "redriveCount": run.record["redriveCount"]}
    )


def _work(visit: Visit, processor: Document, run: MapRun, run_scope: RunScope) -> None:
    """Run the children that are pending, until all are done or too many failed."""
    waiting = [child for child in run.children if child.record["status"] == _PENDING]
    if not waiting:
        return
    cancellation = Cancellation(visit.scope.cancellation)

    def work(child: Child) -> None:
        if cancellation.is_cancelled:
            return
        _run_child(visit, processor, run, child, cancellation, run_scope)
        if _is_exceeded(visit.state, run):
            cancellation.cancel()

    _side_by_side(work, waiting, run.record["maxConcurrency"] or MOST_CHILDREN, cancellation)
    for child in run.children:
        if child.record["status"] == _RUNNING:
            run.turn(child, "ABORTED", stopDate=timestamp())
    if visit.scope.cancellation.is_cancelled:
        run.record.update(status="ABORTED", stopDate=timestamp())
        raise ExecutionEnded


def _side_by_side(
    work: Callable[[Child], None], waiting: Sequence[Child], most: int, cancellation: Cancellation
) -> None:
    """Work on all that wait, ``most`` at a time, until it is done or cancelled; what is under way is not awaited."""
    pool = ThreadPoolExecutor(min(most, MOST_CHILDREN, len(waiting)), thread_name_prefix="map-run")
    futures = [pool.submit(contextvars.copy_context().run, work, child) for child in waiting]
    settled = threading.Event()
    cancellation.on_cancel(settled.set)

    def settle() -> None:
        wait(futures)
        settled.set()

    threading.Thread(target=settle, name="map-run", daemon=True).start()
    settled.wait()
    pool.shutdown(wait=False, cancel_futures=True)
    cancellation.cancel()
    cancellation.release()
    for future in futures:
        if future.done() and not future.cancelled():
            future.result()


def _run_child(
    visit: Visit, processor: Document, run: MapRun, child: Child, cancellation: Cancellation, run_scope: RunScope
) -> None:
    record = child.record
    child.attempt += 1
    attempt = child.attempt
    redriven = record["startDate"] is not None
    run.turn(child, _RUNNING, startDate=record["startDate"] or timestamp())
    stepfunctions._executions[record["executionArn"]] = record
    parent = visit.scope.identity
    identity = Identity(
        arn=record["executionArn"],
        name=record["name"],
        role_arn=parent.role_arn,
        input=child.input.value,
        start_time=record["startDate"],
        state_machine_arn=record["stateMachineArn"],
        state_machine_name=parent.state_machine_name,
        redrive_count=record.get("redriveCount", 0),
    )
    history = History(record["events"])
    details = (
        {"redriveCount": identity.redrive_count}
        if redriven
        else {"input": record["input"], "inputDetails": {"truncated": False}, "roleArn": parent.role_arn}
    )
    event = history.add("ExecutionRedriven" if redriven else "ExecutionStarted", 0, details)
    scope = Scope(
        identity=identity,
        history=history,
        states=processor["States"],
        start_at=processor["StartAt"],
        language=processor.get("QueryLanguage", visit.scope.language),
        cancellation=cancellation,
    )
    try:
        result = run_scope(scope, child.input.value, child.checkpoint, event)
        output = limited_text(result, "The output of a child workflow execution")
    except StateFailure as failure:
        _close(run, child, attempt, "FAILED", error=failure.error, cause=failure.cause)
        history.add("ExecutionFailed", event, {"error": failure.error, "cause": failure.cause})
    except ExecutionEnded:
        _close(run, child, attempt, "ABORTED")
        history.add("ExecutionAborted", event)
    else:
        _close(run, child, attempt, "SUCCEEDED", output=output)
        history.add("ExecutionSucceeded", event, {"output": output, "outputDetails": {"truncated": False}})


def _close(run: MapRun, child: Child, attempt: int, status: str, **more: Any) -> None:
    """Say how a child ended, unless the map run has ended it before."""
    if child.record["status"] == _RUNNING and child.attempt == attempt:
        run.turn(child, status, stopDate=timestamp(), **more)


def _is_exceeded(state: Document, run: MapRun) -> bool:
    """Tell whether more items failed than the state tolerates."""
    failed, record = run.failed_items(), run.record
    if not failed:
        return False
    by_count = any(name in state for name in ("ToleratedFailureCount", "ToleratedFailureCountPath"))
    by_percentage = any(name in state for name in ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"))
    if by_count and failed > record["toleratedFailureCount"]:
        return True
    if by_percentage and failed * 100 > record["toleratedFailurePercentage"] * record["itemCounts"]["total"]:
        return True
    return not (by_count or by_percentage)


def _end(visit: Visit, fields: Evaluation, run: MapRun) -> Any:
    history = visit.scope.history
    exceeded = _is_exceeded(visit.state, run)
    try:
        result = _result(visit, fields, run)
    except StateFailure as unwritten:
        if not exceeded:
            _fail_run(visit, run, unwritten)
            raise
        result = None
    if exceeded:
        failure = StateFailure(EXCEEDED_FAILURES, "The specified tolerated failure threshold was exceeded")
        _fail_run(visit, run, failure)
        raise failure
    run.record.update(status="SUCCEEDED", stopDate=timestamp())
    succeeded = history.add("MapRunSucceeded", visit.event)
    history.add("MapStateSucceeded", succeeded)
    return result


def _fail_run(visit: Visit, run: MapRun, failure: StateFailure) -> None:
    run.record.update(status="FAILED", stopDate=timestamp())
    failed = visit.scope.history.add("MapRunFailed", visit.event, {"error": failure.error, "cause": failure.cause})
    visit.scope.history.add("MapStateFailed", failed)


def _result(visit: Visit, fields: Evaluation, run: MapRun) -> Any:
    writer = visit.state.get("ResultWriter", {})
    if "Resource" in writer:
        children = [entry(child.record) for child in run.children]
        written = write_results(writer, fields, run.arn, children, visit.scope.identity.role_arn)
        run.record["itemCounts"]["resultsWritten"] = run.record["itemCounts"]["succeeded"]
        run.record["executionCounts"]["resultsWritten"] = run.record["executionCounts"]["succeeded"]
        return written
    config = fields.template(writer.get("WriterConfig", {}), "ResultWriter/WriterConfig")
    return transformed([entry(child.record) for child in run.children], config)
