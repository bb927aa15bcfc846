"""What a SageMaker Processing job runs for heavy scorers: ``python -m hallmark.evaluation.jobs.scoring_program``.

It reads a run's plan, batches and results, adds what the named scorers say, and writes the results again. Folders are
those of SageMaker's Processing containers (SageMaker developer guide, "How Amazon SageMaker Processing configures input
and output for your processing container").
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hallmark.evaluation.batches import score
from hallmark.evaluation.cases import Case
from hallmark.evaluation.plans import Batch, Plan
from hallmark.evaluation.results import CaseResult
from hallmark.evaluation.scorers.contract import Scorer

INPUT = Path("/opt/ml/processing/input")
OUTPUT = Path("/opt/ml/processing/output")


def score_run(scorers: Sequence[Scorer], given: Path, written: Path) -> Iterator[str]:
    """Score all results of a run; yield a line of progress for each file.

    Args:
        scorers: What to score with; what they said before is replaced.
        given: Folder with ``batches/<number>.json`` and ``results/<variant>/<number>.jsonl``.
        written: Folder for ``<variant>/<number>.jsonl``.

    Raises:
        FileNotFoundError: The batch of a result is missing.
    """
    files = sorted((given / "results").glob("*/*.jsonl"))
    for place, file in enumerate(files, start=1):
        batch = Batch.model_validate_json((given / "batches" / f"{file.stem}.json").read_bytes())
        cases = {case.id: case for case in batch.cases}
        results = [CaseResult.model_validate_json(line) for line in file.read_bytes().splitlines() if line]
        target = written / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        scored = (_scored(result, cases[result.case], scorers) for result in results)
        target.write_text("".join(f"{each.model_dump_json(exclude_defaults=True)}\n" for each in scored), "utf-8")
        yield f"{place} of {len(files)}: {len(results)} results of {file.parent.name}, batch {file.stem}"


def _scored(result: CaseResult, case: Case, scorers: Sequence[Scorer]) -> CaseResult:
    if result.answer is None:
        return result
    new = score(case, result.answer, scorers)
    names = {each.metric for each in new}
    kept = (each for each in result.scores if each.metric not in names)
    return result.model_copy(update={"scores": (*kept, *new)})


def heavy_scorers(plan: Plan) -> tuple[Scorer, ...]:
    """Return the scorers of a run that need a job of their own."""
    from hallmark.evaluation.scorers.registry import make_scorer  # noqa: PLC0415 - few runs have such scorers

    heavy = plan.settings.processing.scorers if plan.settings.processing is not None else ()
    return tuple(make_scorer(choice, labels=plan.labels) for choice in plan.settings.scorers if choice.name in heavy)


def main(arguments: Sequence[str] | None = None) -> None:
    """Score, and tell of it on standard output, which SageMaker keeps in the job's log."""
    import argparse  # noqa: PLC0415 - functions take scorers from here, and read no command line

    parser = argparse.ArgumentParser(description="Adds what a suite's heavy scorers say to the results of a run.")
    parser.add_argument("--input", type=Path, default=INPUT, help="folder of plan, batches and results")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for the results")
    told = parser.parse_args(arguments)
    plan = Plan.model_validate_json((told.input / "plan" / "plan.json").read_bytes())
    scorers = heavy_scorers(plan)
    metrics = ", ".join(metric.name for scorer in scorers for metric in scorer.metrics)
    print(f"run {plan.run} of {plan.suite}: {metrics}", flush=True)  # noqa: T201 - the job's log
    for line in score_run(scorers, told.input, told.output):
        print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
