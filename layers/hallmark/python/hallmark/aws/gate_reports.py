"""Reports that gates judge by: the newest run of a suite that includes the model, and the package's own report."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.evaluation_runs import DynamoRuns
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.aws.gate_measurements import source_of_report
from hallmark.aws.gate_models import SageMakerModels
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.evaluation.runs import Run, RunStatus
from hallmark.gates.evidence import Source
from hallmark.gates.ports import RunFound, Subject

if TYPE_CHECKING:
    from hallmark.evaluation.comparison.report import Report

_RUNS = 100
_REPORTS = 10
_CANDIDATE = "candidate"


class _Read(NamedTuple):
    """A report and the file that it was read from."""

    report: Report
    uri: str
    digest: str


class EvaluationReports:
    """Reports over the evaluation table, its bucket and SageMaker's registry."""

    def __init__(self, runs: DynamoRuns, s3: Any, models: SageMakerModels) -> None:
        self._runs, self._s3, self._models = runs, s3, models

    def of_suite(self, suite: str, subject: Subject) -> RunFound:
        """Return the newest completed run of a suite that includes the model."""
        is_running = has_failed = False
        reason = "no completed run of it includes this model"
        looked = 0
        for run in self._runs.latest(_RUNS, suite):
            is_own = bool(run.trigger.source) and run.trigger.source in {subject.package, subject.model}
            if run.status in {RunStatus.PLANNING, RunStatus.RUNNING}:
                is_running = is_running or is_own or (not subject.package and run.trigger.kind != "gate")
                continue
            if run.status is not RunStatus.COMPLETED or run.report is None:
                if is_own and run.status is RunStatus.FAILED and not has_failed:
                    has_failed = True
                    reason = f"its run {run.run} failed: {run.reason or 'no reason is recorded'}"
                continue
            if not is_own and (not subject.model_id or looked >= _REPORTS):
                continue
            looked += 1
            read = self._read(run)
            model = None if read is None else _model_in(read.report, subject, is_own=is_own)
            if read is not None and model is not None:
                found = source_of_report(read.report, model, uri=run.report, node=run.execution)
                found = found.model_copy(update={"document": read.uri, "digest": read.digest})
                return RunFound(source=found, is_running=is_running, has_failed=has_failed)
        if not subject.model_id and not is_running:
            reason += ", and the model names nothing that could be asked (property hallmark:model-id)"
        return RunFound(reason=reason, is_running=is_running, has_failed=has_failed)

    def of_package(self, subject: Subject) -> tuple[Source | None, tuple[str, ...]]:
        """Return the package's own quality report, and what could not be read."""
        return self._models.quality_report(subject)

    def _read(self, run: Run) -> _Read | None:
        uri = f"{run.report}report.json"
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            with calling(f"reading {uri}"):
                content = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) in {"NoSuchKey", "404"}:
                return None
            raise UnavailableError(f"reading {uri}: {describe_error(error)}") from error
        from hallmark.evaluation.comparison.report import read_report  # noqa: PLC0415 - loaded with the first report

        try:
            return _Read(read_report(content), uri, sha256(content).hexdigest())
        except InvalidInputError:
            # Of another version: as good as none.
            return None


def _model_in(report: Report, subject: Subject, *, is_own: bool) -> str | None:
    """Return the variant that stands for the model."""
    names = {model.name: model.model_id for model in report.models}
    if subject.model_id:
        asked = [name for name, model_id in names.items() if model_id == subject.model_id]
        if asked:
            return _CANDIDATE if _CANDIDATE in asked else asked[0]
    return _CANDIDATE if is_own and _CANDIDATE in names else None
