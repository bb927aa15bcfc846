"""The demonstration's second half: suites that run by themselves, on demand, through a crash, and on a budget."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from local.bedrock.faults import Fault
from local.cloud import LocalCloud
from local.demo_headings import heading

SCHEDULED, COMPARED, CAPPED = "sentiment", "translation", "translation-for-a-cent"
_ENDED = frozenset({"completed", "failed", "stopped"})
_SYSTEMS = tuple(f"hallmark.wmt17-{name}-v1:0" for name in ("lium-nmt", "uedin-nmt", "xmu"))
_SLOW = Fault(latency_seconds=0.2)
_KILLED_AFTER = 200
_WAIT_SECONDS = 300.0
"""A schedule of a minute, and a run behind it."""
_POLL_SECONDS = 0.5

Hallmark = Callable[[Sequence[str]], None]


class Part(Protocol):
    """Tells that a part of the demonstration is under way, and how long it took."""

    def __call__(self, name: str, *, quiet: bool = False) -> AbstractContextManager[None]:
        """Leave the screen to what runs in a quiet one."""
        ...


class EvaluationError(RuntimeError):
    """A run did not go as it should; the message says how it stands."""


class Evaluations:
    """Shows evaluations.

    Args:
        cloud: Where the app is deployed, with the datasets of ``local.evaluation_datasets``.
        outputs: Of the stack ``HallmarkEvaluation``.
        screen: Where to say what happens.
        hallmark: Runs the command line with these arguments.
        part: Tells that a part is under way.
        folder: Where pages go.
    """

    def __init__(
        self,
        cloud: LocalCloud,
        outputs: Mapping[str, str],
        *,
        screen: Console,
        hallmark: Hallmark,
        part: Part,
        folder: Path,
    ) -> None:
        self._cloud = cloud
        self._outputs = outputs
        self._screen = screen
        self._hallmark = hallmark
        self._part = part
        self._folder = folder

    @property
    def pages(self) -> tuple[Path, ...]:
        """The reports, to be opened in a browser."""
        return tuple(self._folder / f"evaluation-{suite}.html" for suite in (SCHEDULED, COMPARED))

    def show(self) -> None:
        """Show all of it.

        Raises:
            EvaluationError: A run failed, or took too long.
        """
        self._say("suites of the policy, their models, and what starts them")
        self._hallmark(("suites",))
        self._say("three systems of WMT17 on sentences of newstest2017: which can be told apart?")
        with self._part(f"evaluate {COMPARED} by hand", quiet=True):
            self._hallmark(("evaluate", COMPARED, "--wait"))
        compared = self._await(lambda: self._latest(COMPARED))
        self._hallmark(("report", compared["run"], "-o", str(self._folder / f"evaluation-{COMPARED}.html")))
        self._kill_and_resume()
        self._spend_a_cent()
        with self._part(f"wait until the suite {SCHEDULED} has run by itself, as it does once a minute"):
            scheduled = self._await(self._completed_by_schedule)
        self._hallmark(("runs", "--suite", SCHEDULED))
        self._hallmark(("report", scheduled["run"], "-o", str(self._folder / f"evaluation-{SCHEDULED}.html")))
        self._say("the run in lineage: its models, its data, and what it found")
        self._hallmark(("trace", compared["execution"], "--up"))

    def _kill_and_resume(self) -> None:
        self._say("a run is killed in the middle and resumed: no call is made twice")
        workflow, faults = self._cloud.client("stepfunctions"), self._cloud.bedrock().faults
        faults.forget_calls()
        for model in _SYSTEMS:
            faults.set(model, _SLOW)
        name = f"{COMPARED}-{uuid.uuid4().hex[:8]}"
        execution = self._start(COMPARED, name)
        self._await(lambda: {"asked": True} if self._answers() >= _KILLED_AFTER else None)
        workflow.stop_execution(executionArn=execution)
        killed = self._cloud.kill_function("AskModels")
        self._screen.print(f"  stopped after {self._answers()} answers, {killed} processes of ask_models killed")
        for model in _SYSTEMS:
            faults.set(model, Fault())
        self._await(lambda: _unless_running(workflow.describe_execution(executionArn=execution)))
        with self._part("redrive the killed run"):
            workflow.redrive_execution(executionArn=execution)
            # It is listed as stopped until the redrive is heard of.
            run = self._ended(name, _ENDED - {"stopped"})
        table = Table(box=None, header_style="bold")
        for title in ("model", "requests", "answers", "repeated"):
            table.add_column(title, justify="left" if title == "model" else "right")
        for model in _SYSTEMS:
            calls = faults.calls(model)
            table.add_row(model, str(calls.requests), str(calls.answered), str(calls.repeated))
        self._screen.print(table)
        self._screen.print(
            f"  {run['answered']} of {run['planned']} recorded. The other {run['failed']} were on their way when the "
            "functions were killed: they may have been paid for, so they are not asked again, and the report says so."
        )

    def _spend_a_cent(self) -> None:
        self._say("a run that may spend one cent stops before the next call would cost more")
        name = f"{CAPPED}-{uuid.uuid4().hex[:8]}"
        self._start(CAPPED, name)
        with self._part("ask for one cent"):
            self._ended(name)
        self._hallmark(("runs", name))

    def _answers(self) -> int:
        return sum(self._cloud.bedrock().faults.calls(model).answered for model in _SYSTEMS)

    def _start(self, suite: str, name: str) -> str:
        given = {"suite": suite, "trigger": {"kind": "manual"}}
        started = self._cloud.client("stepfunctions").start_execution(
            stateMachineArn=self._outputs["EvaluationWorkflowArn"], name=name, input=json.dumps(given)
        )
        return str(started["executionArn"])

    def _completed_by_schedule(self) -> dict[str, Any] | None:
        runs = self._runs(SCHEDULED)
        return next((run for run in runs if (run["trigger"]["kind"], run["status"]) == ("schedule", "completed")), None)

    def _latest(self, suite: str) -> dict[str, Any] | None:
        return next(iter(self._runs(suite)), None)

    def _ended(self, name: str, how: Collection[str] = _ENDED) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            return next((run for run in self._runs() if run["run"] == name and run["status"] in how), None)

        run = self._await(look)
        if run["status"] == "failed":
            raise EvaluationError(f"{name} failed: {run['reason']}")
        return run

    def _await(self, look: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        deadline = time.monotonic() + _WAIT_SECONDS
        while (found := look()) is None:
            if time.monotonic() > deadline:
                runs = [f"{run['run']} {run['status']} {run['reason'] or ''}".strip() for run in self._runs()]
                raise EvaluationError(
                    f"nothing came within {_WAIT_SECONDS:.0f} s; {self._folder}/cloud.log may say why. "
                    f"The latest runs: {'; '.join(runs) or 'none'}"
                )
            time.sleep(_POLL_SECONDS)
        return found

    def _runs(self, suite: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask({"ask": "runs", "suite": suite, "limit": 50})["runs"]
        return found

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            answer = self._cloud.client("lambda").invoke(
                FunctionName=self._outputs["QueryEvaluationsFunctionName"], Payload=json.dumps(question).encode()
            )
            payload: dict[str, Any] = json.loads(answer["Payload"].read())
            if "FunctionError" not in answer:
                return payload
            # What a busy machine does not answer in time is no failure: it is asked again.
            if payload.get("errorType") != "UnavailableError" or time.monotonic() > deadline:
                raise EvaluationError(f"query_evaluations failed: {payload.get('errorMessage', payload)}")
            time.sleep(_POLL_SECONDS)

    def _say(self, what: str) -> None:
        heading(self._screen, what, "magenta")


def _unless_running(execution: dict[str, Any]) -> dict[str, Any] | None:
    return None if execution["status"] == "RUNNING" else execution
