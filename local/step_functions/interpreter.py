"""Running the states of a scope, one after the other.

Source: Amazon States Language, states-language.net/spec.html, and the developer guide's pages on each state.
"""

from __future__ import annotations

import contextvars
from collections import ChainMap
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any

from local.step_functions import choice_rules, distributed_maps, map_items, tasks
from local.step_functions.cancellation import Cancellation
from local.step_functions.checkpoints import Checkpoint
from local.step_functions.documents import limited_text, timestamp
from local.step_functions.evaluations import (
    Evaluation,
    JsonPathEvaluation,
    Outcome,
    StateView,
    evaluation,
)
from local.step_functions.failures import (
    NO_CHOICE_MATCHED,
    QUERY_EVALUATION,
    RUNTIME,
    ExecutionEnded,
    StateFailure,
)
from local.step_functions.json_paths import Surroundings
from local.step_functions.retrying import Retries, catcher_of
from local.step_functions.running import Scope, Visit

_INLINE_CONCURRENCY = 40  # "Inline mode", developer guide: concurrent iterations
_Step = tuple[Outcome, str | None]


def run_scope(scope: Scope, scope_input: Any, checkpoint: Checkpoint, event: int) -> Any:
    """Run states from a checkpoint to the end of their scope and return the output.

    Args:
        scope: The states.
        scope_input: Input of the first one, where the scope has not begun.
        checkpoint: Where the scope stands; it is kept up to date.
        event: Id of the event that led here.

    Raises:
        StateFailure: A state failed and nothing caught it; the checkpoint stands at that state.
        ExecutionEnded: It was cancelled; likewise.
    """
    if checkpoint.finished:
        return checkpoint.result
    if checkpoint.state is None:
        checkpoint.enter(scope.start_at, scope_input)
    while True:
        scope.cancellation.check()
        if scope.history.is_full:
            raise StateFailure(RUNTIME, "The execution reached the maximum number of history events (25000).")
        (outcome, following), event = _visit(scope, checkpoint, event)
        checkpoint.variables = {**checkpoint.variables, **outcome.assigned}
        if following is None:
            checkpoint.finish(outcome.output)
            return outcome.output
        checkpoint.enter(following, outcome.output)


def _visit(scope: Scope, checkpoint: Checkpoint, event: int) -> tuple[_Step, int]:
    name = str(checkpoint.state)
    state = scope.states[name]
    kind = state["Type"]
    text = limited_text(checkpoint.input, f"The input of the state '{name}'")
    entered = scope.history.add(
        f"{kind}StateEntered",
        event,
        {"name": name, "input": text, "inputDetails": {"truncated": False}},
        "stateEnteredEventDetails",
    )
    visit = Visit(
        scope=scope,
        checkpoint=checkpoint,
        name=name,
        state=state,
        raw_input=checkpoint.input,
        variables=ChainMap(checkpoint.variables, dict(scope.outer_variables)),
        entered=timestamp(),
        event=entered,
    )
    step = _KINDS[kind](visit)
    outcome, _ = step
    if outcome.assigned:
        limited_text(outcome.assigned, f"What the state '{name}' assigns")
    left = scope.history.add(
        f"{kind}StateExited",
        entered,
        {
            "name": name,
            "output": limited_text(outcome.output, f"The output of the state '{name}'"),
            "outputDetails": {"truncated": False},
        },
        "stateExitedEventDetails",
    )
    return step, left


def _evaluated(visit: Visit, retry_count: int = 0, token: str | None = None) -> Evaluation:
    view = StateView(visit.state, visit.raw_input, visit.context(retry_count, token), visit.variables)
    return evaluation(view, visit.scope.language)


def _following(visit: Visit) -> str | None:
    following: str | None = visit.state.get("Next")
    return following


def _pass(visit: Visit) -> _Step:
    fields = _evaluated(visit)
    if isinstance(fields, JsonPathEvaluation):
        result = visit.state["Result"] if "Result" in visit.state else fields.arguments()
        return fields.outcome(result), _following(visit)
    return fields.passed_on(), _following(visit)


def _succeed(visit: Visit) -> _Step:
    return _evaluated(visit).passed_on(), None


def _fail(visit: Visit) -> _Step:
    fields = _evaluated(visit)
    error, cause = fields.value("Error", ""), fields.value("Cause", "")
    for field, value in (("Error", error), ("Cause", cause)):
        if not isinstance(value, str):
            wrong = RUNTIME if isinstance(fields, JsonPathEvaluation) else QUERY_EVALUATION
            raise StateFailure(wrong, f"The field '{field}' of the state '{visit.name}' is no string")
    raise StateFailure(error, cause)


def _choice(visit: Visit) -> _Step:
    fields = _evaluated(visit)
    for rule in visit.state["Choices"]:
        if _holds(rule, fields, visit):
            return fields.passed_on(rule), rule["Next"]
    if "Default" not in visit.state:
        raise StateFailure(NO_CHOICE_MATCHED, f"No rule of the state '{visit.name}' holds, and it has no Default")
    return fields.passed_on(), visit.state["Default"]


def _holds(rule: Any, fields: Evaluation, visit: Visit) -> bool:
    if isinstance(fields, JsonPathEvaluation):
        around = Surroundings(visit.context(), visit.variables)
        return choice_rules.holds(rule, fields.effective_input(), around)
    met = fields.value("Condition", owner=rule)
    if not isinstance(met, bool):
        raise StateFailure(
            QUERY_EVALUATION,
            "The JSONata expression specified for the field 'Condition' returned an unexpected result type. "
            f"Expected 'boolean', but was: {met!r}",
        )
    return met


def _wait(visit: Visit) -> _Step:
    fields = _evaluated(visit)
    seconds = fields.number("Seconds")
    if seconds is None:
        moment = fields.value("Timestamp")
        try:
            until = datetime.fromisoformat(moment)
        except (TypeError, ValueError) as error:
            raise StateFailure(RUNTIME, f"The Timestamp field is no ISO 8601 timestamp: {moment}") from error
        seconds = (until - datetime.now(UTC)).total_seconds()
    elif seconds < 0:
        raise StateFailure(QUERY_EVALUATION, f"Seconds cannot be negative but was: {seconds}")
    visit.scope.cancellation.wait(seconds)
    return fields.passed_on(), _following(visit)


def _with_retry_and_catch(visit: Visit, attempt: Callable[[int], Outcome]) -> _Step:
    """Run a state's attempts; the attempt gets how often the state was retried."""
    retries = Retries(visit.state.get("Retry", []))
    while True:
        try:
            return attempt(retries.count), _following(visit)
        except StateFailure as failure:
            delay = retries.delay_seconds(failure)
            if delay is None:
                catcher = catcher_of(visit.state, failure)
                if catcher is None:
                    raise
                error_output = {"Error": failure.error, "Cause": failure.cause}
                return _evaluated(visit, retries.count).caught(catcher, error_output), catcher["Next"]
        visit.scope.cancellation.wait(delay)
        visit.checkpoint.forget_inner()


def _task(visit: Visit) -> _Step:
    def attempt(retry_count: int) -> Outcome:
        return tasks.run_task(visit, lambda token: _evaluated(visit, retry_count, token))

    return _with_retry_and_catch(visit, attempt)


def _parallel(visit: Visit) -> _Step:
    branches = visit.state["Branches"]

    def attempt(retry_count: int) -> Outcome:
        fields = _evaluated(visit, retry_count)
        branch_input = fields.arguments()
        event = visit.scope.history.add("ParallelStateStarted", visit.event)

        def run(index: int, cancellation: Cancellation) -> Any:
            scope = visit.scope.inside(branches[index], visit.variables, cancellation=cancellation)
            return run_scope(scope, branch_input, _inner(visit, index), event)

        results = _side_by_side(visit, len(branches), len(branches), run, "ParallelStateFailed")
        visit.scope.history.add("ParallelStateSucceeded", event)
        return fields.outcome(results)

    return _with_retry_and_catch(visit, attempt)


def _map(visit: Visit) -> _Step:
    processor = visit.state.get("ItemProcessor") or visit.state["Iterator"]
    distributed = processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"

    def attempt(retry_count: int) -> Outcome:
        fields = _evaluated(visit, retry_count)
        if distributed:
            result = distributed_maps.run_map(visit, fields, processor, run_scope)
        else:
            result = _iterate(visit, fields, processor)
        limited_text(result, f"The result of the state '{visit.name}'")
        return fields.outcome(result)

    return _with_retry_and_catch(visit, attempt)


def _iterate(visit: Visit, fields: Evaluation, processor: Any) -> list[Any]:
    items = map_items.given_items(visit.state, fields)
    concurrency = int(fields.number("MaxConcurrency", 0)) or _INLINE_CONCURRENCY
    history = visit.scope.history
    started = history.add("MapStateStarted", visit.event, {"length": len(items)})

    def run(index: int, cancellation: Cancellation) -> Any:
        item = {"Item": {"Index": index, "Value": items[index]}}
        item_input = map_items.selected_item(visit.state, fields, {**visit.context(), "Map": item}, items[index])
        details = {"name": visit.name, "index": index}
        event = history.add("MapIterationStarted", started, details)
        scope = visit.scope.inside(processor, visit.variables, cancellation=cancellation, map_item=item)
        try:
            result = run_scope(scope, item_input, _inner(visit, index), event)
        except StateFailure:
            history.add("MapIterationFailed", event, details)
            raise
        history.add("MapIterationSucceeded", event, details)
        return result

    results = _side_by_side(visit, len(items), concurrency, run, "MapStateFailed")
    history.add("MapStateSucceeded", started)
    return results


def _inner(visit: Visit, index: int) -> Checkpoint:
    return visit.checkpoint.inner.setdefault(index, Checkpoint())


def _side_by_side(
    visit: Visit, count: int, concurrency: int, run: Callable[[int, Cancellation], Any], failed: str
) -> list[Any]:
    """Run branches or iterations; the first that fails ends the others and fails the state."""
    if not count:
        return []
    cancellation = Cancellation(visit.scope.cancellation)
    pool = ThreadPoolExecutor(min(concurrency, count), thread_name_prefix="states")
    try:
        futures = [pool.submit(contextvars.copy_context().run, run, index, cancellation) for index in range(count)]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        failures = [error for future in done if (error := future.exception()) is not None]
        if failures:
            cancellation.cancel()
            _raise_first(visit, failures, failed)
        return [future.result() for future in futures]
    finally:
        # What the others call cannot be taken back; nobody waits for it.
        pool.shutdown(wait=False, cancel_futures=True)
        cancellation.release()


def _raise_first(visit: Visit, failures: Sequence[BaseException], failed: str) -> None:
    """Raise what failed; that the others were ended by it is not the reason."""
    visit.scope.cancellation.check()
    reasons = [failure for failure in failures if not isinstance(failure, ExecutionEnded)] or failures
    if isinstance(reasons[0], StateFailure):
        visit.scope.history.add(failed, visit.event)
    raise reasons[0]


_KINDS: dict[str, Callable[[Visit], _Step]] = {
    "Choice": _choice,
    "Fail": _fail,
    "Map": _map,
    "Parallel": _parallel,
    "Pass": _pass,
    "Succeed": _succeed,
    "Task": _task,
    "Wait": _wait,
}
