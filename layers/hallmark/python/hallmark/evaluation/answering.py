"""Answers to questions about evaluations."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from hallmark.errors import NotFoundError
from hallmark.evaluation.asking import LANES, priced
from hallmark.evaluation.batches import result_of
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.ports import (
    AnswerKey,
    Asked,
    Models,
    NoReplyError,
    Outcome,
    RefusedError,
    ThrottledError,
)
from hallmark.evaluation.questions import (
    REPORT_FORMS,
    ForecastQuestion,
    HistoryQuestion,
    Question,
    ReportQuestion,
    RunQuestion,
    RunsAnswer,
    RunsQuestion,
    StartAnswer,
    StartQuestion,
    SuitesQuestion,
    SuiteSummary,
    TryQuestion,
)
from hallmark.evaluation.results import Failure, FailureKind
from hallmark.evaluation.runs import Run, RunStatus, Trigger
from hallmark.evaluation.suites import EvaluationPolicy, Suite, find_suite

if TYPE_CHECKING:
    from hallmark.evaluation.foreseeing import Foresight
    from hallmark.evaluation.reports.history import MetricHistory

_READERS = 16
_RUNS_LOOKED_AT = 50
"""The last run that has a report is sought among so many."""


class Runs(Protocol):
    """Where runs are listed."""

    def find(self, run: str) -> Run:
        """Return a run, or raise NotFoundError."""
        ...

    def latest(self, limit: int, suite: str | None = None) -> Iterable[Run]:
        """Yield runs, the latest first."""
        ...


class Files(Protocol):
    """Files of one run."""

    def read_report(self, name: str) -> bytes:
        """Return one form of the report, or raise NotFoundError."""
        ...


class Starter(Protocol):
    """What starts runs."""

    def start(self, name: str, given: Mapping[str, Any]) -> bool:
        """Start a run of this name."""
        ...


class EvaluationDesk:
    """Answers questions."""

    def __init__(
        self,
        *,
        policy: EvaluationPolicy,
        runs: Runs,
        files: Callable[[str, str], Files],
        workflow: Starter,
        models: Models,
    ) -> None:
        self._policy = policy
        self._runs = runs
        self._files = files
        self._workflow = workflow
        self._models = models

    def answer(self, question: Question) -> dict[str, Any]:
        """Answer a question, as JSON.

        Raises:
            InvalidInputError: It names a suite, a model or a run that does not exist.
        """
        answer: dict[str, Any]
        match question:
            case StartQuestion():
                answer = self._start(question)
            case RunQuestion():
                answer = self._runs.find(question.run).model_dump(mode="json")
            case RunsQuestion():
                runs = tuple(self._runs.latest(question.limit, question.suite))
                answer = RunsAnswer(runs=runs).model_dump(mode="json")
            case ReportQuestion():
                answer = self._report(question)
            case SuitesQuestion():
                answer = {"suites": [_summary(name, self._policy) for name in sorted(self._policy.suites)]}
            case HistoryQuestion():
                answer = self._history(question).model_dump(mode="json")
            case ForecastQuestion():
                answer = self._forecast(question).model_dump(mode="json")
            case TryQuestion():
                answer = {"results": self._try(question)}
        return answer

    def _start(self, question: StartQuestion) -> dict[str, Any]:
        suite = find_suite(self._policy, question.suite)
        _check_models(question.models, suite.model_variants)
        now = datetime.now(UTC)
        name = f"{question.suite}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        trigger = Trigger(kind="manual", source=question.by)
        self._workflow.start(
            name, {"suite": question.suite, "trigger": trigger.model_dump(), "models": list(question.models)}
        )
        return StartAnswer(run=name, suite=question.suite, started_at=now).model_dump(mode="json")

    def _report(self, question: ReportQuestion) -> dict[str, Any]:
        run = self._runs.find(question.run)
        if run.report is None:
            why = run.reason or f"it is {run.status.value}"
            raise NotFoundError(f"run {run.run} has no report: {why}")
        content = self._files(run.suite, run.run).read_report(REPORT_FORMS[question.form]).decode()
        return {"run": run.run, "form": question.form, "report": content, "uri": run.report}

    def _history(self, question: HistoryQuestion) -> MetricHistory:
        from hallmark.evaluation.reports.history import history_of  # noqa: PLC0415 - few questions look back

        find_suite(self._policy, question.suite)
        runs = [run for run in self._runs.latest(question.limit, question.suite) if run.status is RunStatus.COMPLETED]

        def read(run: Run) -> dict[str, Any]:
            content: dict[str, Any] = json.loads(self._files(run.suite, run.run).read_report("report.json"))
            return content

        with ThreadPoolExecutor(_READERS) as readers:
            return history_of(list(readers.map(read, reversed(runs))), question.metric)

    def _forecast(self, question: ForecastQuestion) -> Foresight:
        from hallmark.evaluation.comparison.report import read_report  # noqa: PLC0415 - few questions look ahead
        from hallmark.evaluation.foreseeing import foresee  # noqa: PLC0415
        from hallmark.evaluation.scorers.registry import measured_by  # noqa: PLC0415

        suite = find_suite(self._policy, question.suite)
        measured = {
            metric.name: metric for choice in suite.scorers for metric in measured_by(choice, suite, self._policy)
        }
        primary = suite.comparison.primary or next(iter(measured))
        # What the suite's scorers do not measure is a judge's: from 0 to 1.
        metric = measured.get(primary) or Metric(name=primary, title=primary)
        ended = {RunStatus.COMPLETED, RunStatus.STOPPED}
        latest = self._runs.latest(_RUNS_LOOKED_AT, question.suite)
        run = next((run for run in latest if run.status in ended and run.report is not None), None)
        last = read_report(self._files(run.suite, run.run).read_report("report.json")) if run is not None else None
        return foresee(question.suite, suite, metric, last, cases=question.cases, difference=question.difference)

    def _labels(self, suite: Suite) -> tuple[str, ...]:
        return tuple(dict.fromkeys(label for name in suite.datasets for label in self._policy.datasets[name].labels))

    def _try(self, question: TryQuestion) -> list[dict[str, Any]]:
        from hallmark.evaluation.scorers.registry import make_scorer  # noqa: PLC0415 - few questions need scorers

        suite = find_suite(self._policy, question.suite)
        _check_models(question.models, suite.model_variants)
        labels = self._labels(suite)
        scorers = [make_scorer(choice, labels=labels) for choice in suite.scorers]
        asked = [
            Asked(AnswerKey(model, "", case.id, 0), self._policy.models[model], case)
            for case in question.cases
            for model in question.models or suite.model_variants
        ]
        with ThreadPoolExecutor(LANES) as lanes:
            outcomes = dict(zip((each.key for each in asked), lanes.map(self._ask_once, asked), strict=True))
        return [result_of(each, outcomes, scorers).model_dump(mode="json") for each in asked]

    def _ask_once(self, asked: Asked) -> Outcome:
        variant, case = asked.variant, asked.case
        system = case.system or variant.system
        try:
            answer = self._models.ask(variant.model_id, case.conversation, system, variant.inference, f"try/{case.id}")
        except ThrottledError as error:
            return _failed(FailureKind.THROTTLED, error)
        except RefusedError as error:
            return _failed(FailureKind.REFUSED, error)
        except NoReplyError as error:
            return _failed(FailureKind.TIMED_OUT, error)
        return Outcome(priced(answer, variant), None)


def _failed(kind: FailureKind, error: Exception) -> Outcome:
    return Outcome(None, Failure(kind=kind, reason=str(error)))


def _check_models(names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise NotFoundError(f"the suite has no variant {name!r}: name one of {', '.join(known)}")


def _summary(name: str, policy: EvaluationPolicy) -> dict[str, Any]:
    suite = policy.suites[name]
    return SuiteSummary(
        suite=name,
        description=suite.description,
        models=suite.model_variants,
        champion=suite.champion,
        datasets=suite.datasets,
        scorers=tuple(scorer.name for scorer in suite.scorers),
        frequency=suite.frequency,
        time_zone=suite.time_zone,
        budget_usd=suite.budget.usd,
        owners=suite.owners,
    ).model_dump(mode="json")
