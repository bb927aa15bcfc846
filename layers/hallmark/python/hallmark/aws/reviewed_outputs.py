"""What models answered, where AWS keeps it: in production, and in runs of evaluations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hallmark.aws.failures import calling
from hallmark.aws.production_files import ProductionFiles, variant_of, within
from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError
from hallmark.reviews.outputs import Output, read_captures, read_invocation_logs, shortened
from hallmark.reviews.settings import EndpointCapture, EvaluationOutputs, InvocationLogs, ReviewedSource

_RUNS = 50


class S3Outputs:
    """OutputReader.

    Args:
        files: Logs and captures.
        s3: Client of S3, for runs.
        functions: Client of Lambda.
        query_evaluations: Name of the function that tells of runs.
        evaluation_bucket: Where runs are kept.
    """

    def __init__(
        self, files: ProductionFiles, s3: Any, functions: Any, query_evaluations: str, evaluation_bucket: str
    ) -> None:
        self._files = files
        self._s3 = s3
        self._functions = functions
        self._query_evaluations = query_evaluations
        self._bucket = evaluation_bucket

    def read(self, source: ReviewedSource, start: datetime, end: datetime) -> tuple[str, Iterator[Output]]:
        """Return where the outputs of a time lie, and the outputs.

        Raises:
            InvalidInputError: They may not be read, or the suite has no completed run.
            UnavailableError: What holds them did not answer.
        """
        match source:
            case EvaluationOutputs():
                return self._of_run(source)
            case InvocationLogs():
                found = self._logged(source, start, end)
                return source.location, found
            case EndpointCapture():
                return source.location, self._captured(source, start, end)

    def _logged(self, source: InvocationLogs, start: datetime, end: datetime) -> Iterator[Output]:
        for file in self._files.logs(source.location, start, end):
            for output in read_invocation_logs(self._files.text(file)):
                names = {output.model, output.model.rpartition("/")[2]}
                if source.model in names and within(output, start, end) and output.answer:
                    yield output

    def _captured(self, source: EndpointCapture, start: datetime, end: datetime) -> Iterator[Output]:
        for file in self._files.captures(source.location, source.endpoint, start, end):
            variant = variant_of(file.key)
            for output in read_captures(self._files.text(file), source.endpoint):
                if within(output, start, end) and output.answer:
                    yield output.model_copy(update={"labels": {**output.labels, "variant": variant}})

    def _of_run(self, source: EvaluationOutputs) -> tuple[str, Iterator[Output]]:
        from hallmark.aws.evaluation_files import RunFiles  # noqa: PLC0415 - most programs review production

        run = self._newest_run(source.suite)
        files = RunFiles(self._bucket, self._s3, source.suite, run)
        try:
            plan = files.read_plan()
        except NotFoundError as error:
            raise InvalidInputError("source.suite", source.suite, f"{error}: start it again") from None
        if source.variant not in plan.asked:
            remedy = f"the newest run asked {', '.join(plan.asked)}: name one of them"
            raise InvalidInputError("source.variant", source.variant, remedy)
        model = plan.models[source.variant].model_id

        def outputs() -> Iterator[Output]:
            for number in range(plan.batches):
                batch = files.read_batch(number)
                questions = {case.id: case.question for case in batch.cases}
                for result in files.all_results([source.variant], [number]):
                    if result.answer is None or result.case not in questions or result.copy_of is not None:
                        continue
                    labels = {
                        "group": result.group or "",
                        "category": result.category or "",
                        "difficulty": result.difficulty or "",
                    }
                    yield Output(
                        id=f"{result.dataset}/{result.case}/{result.epoch}",
                        model=model,
                        prompt=shortened(questions[result.case]),
                        answer=shortened(result.answer.text),
                        request_id=result.answer.request_id or "",
                        at=result.answer.answered_at,
                        labels=labels,
                    )

        return files.uri, outputs()

    def _newest_run(self, suite: str) -> str:
        question = {"ask": "runs", "suite": suite, "limit": _RUNS}
        with calling("asking for runs of evaluations"):
            answer = self._functions.invoke(FunctionName=self._query_evaluations, Payload=json.dumps(question).encode())
        document = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise UnavailableError(f"asking for runs of evaluations: {document.get('errorMessage', document)}")
        completed = [run["run"] for run in document["runs"] if run["status"] == "completed"]
        if not completed:
            raise InvalidInputError("source.suite", suite, f"it has no completed run yet: `hallmark evaluate {suite}`")
        return str(completed[0])
