"""Retraining: a pipeline that drift starts, as often as policy allows and once for each report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from hallmark.drift.settings import RetrainAction
from hallmark.errors import HallmarkError
from hallmark.events.drift import RetrainingSkipped, RetrainingStarted
from hallmark.events.records import LineageFlow, LineageNode, LineageSection, own_id

_WEEK = timedelta(days=7)


class Started(BaseModel):
    """A start of a pipeline, as it is remembered."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    report: str
    at: datetime
    execution: str = ""
    """ARN of what was started; empty as long as SageMaker has not said so."""


class Ledger(BaseModel):
    """The starts of a pipeline in the last week."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    starts: tuple[Started, ...] = ()

    def find(self, report: str) -> Started | None:
        """Return the start that a report has caused."""
        return next((start for start in self.starts if start.report == report), None)

    def objection(self, action: RetrainAction, at: datetime) -> str | None:
        """Return why policy does not allow a start now; None where it does."""
        recent = [start for start in self.starts if at - start.at < _WEEK]
        last = max((start.at for start in recent), default=None)
        # A cool-down may be longer than a week: what is kept reaches back as far.
        last = max((start.at for start in self.starts), default=last)
        if last is not None and at - last < action.cool_down:
            until = last + action.cool_down
            return f"it was started at {last:%Y-%m-%d %H:%M} UTC and cools down until {until:%Y-%m-%d %H:%M} UTC"
        if len(recent) >= action.at_most_per_week:
            return f"it was started {len(recent)} times within a week, and policy allows {action.at_most_per_week}"
        return None

    def with_start(self, report: str, at: datetime, cool_down: timedelta) -> Ledger:
        """Return the ledger with one more start; what counts no more is left out."""
        kept = [start for start in self.starts if at - start.at < max(_WEEK, cool_down)]
        return Ledger(starts=(*kept, Started(report=report, at=at)))

    def with_execution(self, report: str, execution: str) -> Ledger:
        """Return the ledger with what the start of a report has become."""
        changed = (
            start.model_copy(update={"execution": execution}) if start.report == report else start
            for start in self.starts
        )
        return Ledger(starts=tuple(changed))

    def without(self, report: str) -> Ledger:
        """Return the ledger without the start of a report."""
        return Ledger(starts=tuple(start for start in self.starts if start.report != report))


class PipelineRefusedError(HallmarkError):
    """SageMaker will never start the pipeline with these parameters; the message says why."""


class Ledgers(Protocol):
    """Starts of pipelines, with conditional writes."""

    def read(self, pipeline: str) -> tuple[Ledger, int]:
        """Return the ledger of a pipeline and its version."""
        ...

    def write(self, pipeline: str, ledger: Ledger, version: int) -> None:
        """Keep a ledger, or raise UnavailableError where another start came between."""
        ...


class Pipelines(Protocol):
    """SageMaker's pipelines."""

    def start(self, pipeline: str, token: str, name: str, parameters: Mapping[str, str]) -> str:
        """Start an execution once for a token; return its ARN, or raise PipelineRefusedError."""
        ...


class RetrainingOrder(NamedTuple):
    """A report that asks for retraining."""

    monitor: str
    report: str
    window: str
    """URI of the manifest of the window's files."""
    owners: Sequence[str] = ()


def start_retraining(
    order: RetrainingOrder, action: RetrainAction, ledgers: Ledgers, pipelines: Pipelines, now: datetime
) -> RetrainingStarted | RetrainingSkipped:
    """Start the pipeline where policy allows it.

    The place is taken before SageMaker is asked: what dies between the two takes it up again, with the same token. What
    was started is remembered, too: SageMaker knows a token for a while only.

    Raises:
        UnavailableError: Another start came between, or SageMaker did not answer; try again.
    """
    ledger, version = ledgers.read(action.pipeline)
    start = ledger.find(order.report)
    if start is None:
        objection = ledger.objection(action, now)
        if objection is not None:
            return _skipped(order, action, objection, now)
        start = Started(report=order.report, at=now)
        ledger = ledger.with_start(order.report, now, action.cool_down)
        ledgers.write(action.pipeline, ledger, version)
        version += 1
    token = sha256(f"{order.report}\n{action.pipeline}".encode()).hexdigest()
    parameters = {**action.parameters, action.parameter: order.window}
    name = f"drift-{order.monitor}-{token[:8]}"
    execution = start.execution
    if not execution:
        try:
            execution = pipelines.start(action.pipeline, token, name, parameters)
        except PipelineRefusedError as error:
            ledgers.write(action.pipeline, ledger.without(order.report), version)
            return _skipped(order, action, str(error), now)
        ledgers.write(action.pipeline, ledger.with_execution(order.report, execution), version)
    return RetrainingStarted(
        monitor=order.monitor,
        report=order.report,
        pipeline=action.pipeline,
        execution=execution,
        started_at=start.at,
        owners=list(order.owners),
        lineage=LineageSection(
            node=LineageNode(kind="action", id=own_id("action", f"retrain/{action.pipeline}/{token[:12]}")),
            at=start.at,
            status="Started",
            attributes={
                "name": f"retrain {action.pipeline}",
                "action": "retrain",
                "monitor": order.monitor,
                "pipeline": action.pipeline,
                "parameters": parameters,
            },
            flows=[
                LineageFlow(node=LineageNode(kind="drift-report", id=order.report), role="cause"),
                LineageFlow(node=LineageNode(kind="pipeline-execution", id=execution), direction="out", role="started"),
            ],
        ),
    )


def _skipped(order: RetrainingOrder, action: RetrainAction, reason: str, now: datetime) -> RetrainingSkipped:
    return RetrainingSkipped(
        monitor=order.monitor,
        report=order.report,
        pipeline=action.pipeline,
        reason=reason,
        skipped_at=now,
        owners=list(order.owners),
    )
