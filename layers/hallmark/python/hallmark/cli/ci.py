"""``hallmark ci``: record the run of a CI pipeline, from within it."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hallmark.cli.openlineage import receive
from hallmark.cli.session import FAILED, fail, guard, print_json
from hallmark.errors import InvalidInputError
from hallmark.lineage.intake.ci import Artifact, Pipeline, artifact_uri, pipeline_fact, read_pipeline

ci = typer.Typer(help="CI pipelines: what they built, from which commit, and what they started.")


@ci.callback()
def group() -> None:
    """CI pipelines: what they built, from which commit, and what they started."""


@ci.command()
def record(
    context: typer.Context,
    status: Annotated[
        str | None, typer.Option(help="How the run stands: running, success, failure, cancelled, or as the tool says")
    ] = None,
    artifact: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH[=URI]", help="A file that was made; with URI: where it was put. May be repeated"),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--input", metavar="NAME", help="URI or ARN that was read. May be repeated")
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What else was made: ARN of a model, image@sha256:…, URI. May be repeated"),
    ] = None,
    started: Annotated[
        list[str] | None,
        typer.Option(metavar="ARN", help="Job or pipeline execution that was started. May be repeated"),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, in a person's words")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the fact and the answer as JSON")] = False,
) -> None:
    """Record this run: commit, pipeline, what it read, made and started. Parts may be told one after the other.

    Reads the variables that GitHub Actions, GitLab CI/CD and Jenkins set. Exit code 1: it could not be recorded.
    """
    # A variable of a step that did not run is empty: what it would have named does not exist.
    files = [each for each in artifact or () if each]
    missing = [path for path in (each.partition("=")[0] for each in files) if not Path(path).is_file()]
    try:
        pipeline = read_pipeline(os.environ)
        fact = pipeline_fact(
            pipeline,
            at=datetime.now(UTC),
            status=status,
            reason=reason,
            inputs=[each for each in source or () if each],
            artifacts=[_artifact(context, pipeline, each) for each in files if each.partition("=")[0] not in missing],
            outputs=[each for each in output or () if each],
            started=[each for each in started or () if each],
        )
    except InvalidInputError as error:
        fail(context, str(error))
    if missing:
        fact["attributes"]["missing_artifacts"] = missing
    by = guard(context, lambda service: service.caller())
    answer = receive(context, [fact], by)
    if as_json:
        print_json({"fact": fact, "answer": answer})
    else:
        told = f"{fact['node']['id']} {fact['status'] or 'noted'}: {len(fact['flows'])} flows"
        context.obj.screen.print(told, markup=False, soft_wrap=True)
    for path in missing:
        context.obj.errors.print(f"--artifact {path}: there is no such file", style="yellow", markup=False)
    # Of a run that failed, nobody expects all files.
    if missing and fact["status"] not in {"Failed", "Stopped"}:
        raise typer.Exit(FAILED)


def _artifact(context: typer.Context, pipeline: Pipeline, text: str) -> Artifact:
    path, _, uri = text.partition("=")
    try:
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        fail(context, f"--artifact {path}: {error.strerror}: name a file that this job made")
    return Artifact(uri or artifact_uri(pipeline, path), f"sha256:{digest}", Path(path).name)
