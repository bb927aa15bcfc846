"""``hallmark reproduce``: the manifest of a run, what of it still exists, and the run once more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from hallmark.cli import rerun, screens
from hallmark.cli.asking import AsOf, KnownAt, time_of
from hallmark.cli.repositories import ask_commit
from hallmark.cli.session import fail, guard, print_json
from hallmark.errors import HallmarkError
from hallmark.lineage.exports.material import document_text
from hallmark.lineage.questions import Candidates
from hallmark.lineage.reproduction.checking import Finding, check_manifest
from hallmark.lineage.reproduction.manifest import Manifest
from hallmark.lineage.reproduction.writing import Choices, write_manifest

reproductions = typer.Typer(rich_markup_mode=None)
"""The command ``reproduce``."""

NOT_TOLD = 2
UNLIKE = 3
"""Something is not as it was: gone, changed, not reproduced."""
UNSURE = 4
"""Nobody can tell: something is not known, could not be looked at, or could not be compared."""

_COLOURS = {"same": "green", "changed": "red", "gone": "red", "unknown": "yellow"}


@reproductions.command("reproduce")
def reproduce(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A training, processing, transform or tuning job")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the manifest; else the screen")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say what of it still exists with the same content")] = False,
    again: Annotated[bool, typer.Option("--run", help="Start it, wait, and say whether it came to the same")] = False,
    tolerance: Annotated[
        float | None, typer.Option(min=0, max=1, help="How far metrics may differ, as a share; else by rule")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="With --run: how long to wait at most")] = 24 * 60,
    name: Annotated[str | None, typer.Option(help="Name of the second run; the first one's with an ending")] = None,
    staging: Annotated[
        str | None, typer.Option(metavar="URI", help="Where copies and outputs go; a folder of the run's own bucket")
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Put a value into the request")
    ] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON")] = False,
) -> None:
    """Write what runs a job again: its request, data by version and digest, image by digest, code, seed; and the holes.

    Exit code 0: there is a request; all is there; it is reproduced. 3: something is gone or changed; it is not
    reproduced. 4: what is needed is not known, could not be looked at or could not be compared.
    """
    ending = f"{datetime.now(UTC):%m%d%H%M%S}" if again else None
    choices = Choices(name, staging, _values(values), ending, tolerance)
    manifest = _manifest(context, run, choices, (time_of(as_of), time_of(known_at)), as_json=as_json)
    if output is not None:
        _write(context, output, manifest)
    if check:
        code = _check(context, manifest, as_json=as_json)
        if code or not again:
            raise typer.Exit(code)
    if again:
        _say_holes(context, manifest)
        raise typer.Exit(rerun.run_again(context, manifest, minutes=minutes, as_json=as_json))
    if output is None:
        print_json(manifest.model_dump(mode="json"))
    _say_holes(context, manifest)
    if manifest.request is None:
        raise typer.Exit(UNSURE)


def _manifest(
    context: typer.Context,
    run: str,
    choices: Choices,
    times: tuple[datetime | None, datetime | None],
    *,
    as_json: bool,
) -> Manifest:
    """Return the manifest as lineage had it at a time, as it was known at another."""
    then = dict(zip(("as_of", "known_at"), times, strict=True))
    found = guard(
        context,
        lambda service: write_manifest(lambda question: service.ask(question.model_copy(update=then)), run, choices),
    )
    if isinstance(found, Candidates):
        if as_json:
            print_json(found.model_dump(mode="json"))
        else:
            context.obj.errors.print(screens.candidates_screen(found), soft_wrap=True)
        raise typer.Exit(NOT_TOLD)
    manifest: Manifest = found
    return manifest


def _values(given: Iterable[str] | None) -> Mapping[str, str]:
    pairs = {}
    for text in given or ():
        path, mark, value = text.partition("=")
        if not mark or not path:
            raise typer.BadParameter(f"{text!r}: write PATH=VALUE", param_hint="--set")
        pairs[path] = value
    return pairs


def _write(context: typer.Context, output: Path, manifest: Manifest) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(document_text(manifest.model_dump(mode="json")).encode())
    except OSError as error:
        fail(context, f"{output}: {error.strerror}: choose another --output")
    said = (
        f"{output}: {manifest.operation} of {manifest.run.name}, {len(manifest.data)} data, {len(manifest.holes)} holes"
    )
    context.obj.errors.print(said, markup=False, soft_wrap=True)


def _say_holes(context: typer.Context, manifest: Manifest) -> None:
    for hole in manifest.holes:
        style = "bold red" if hole.blocking else "yellow"
        said = f"not known: {hole.what}: {hole.why}; {hole.remedy}"
        context.obj.errors.print(said, style=style, markup=False, soft_wrap=True)


def _check(context: typer.Context, manifest: Manifest, *, as_json: bool) -> int:
    """Say how each thing stands; return the exit code."""
    service = guard(context, lambda found: found)
    findings = []
    try:
        for finding in check_manifest(manifest, service.account(), ask_commit):
            findings.append(finding)
            if not as_json:
                context.obj.screen.print(_line(finding), soft_wrap=True)
    except HallmarkError as error:
        fail(context, str(error))
    if as_json:
        print_json([finding.model_dump(mode="json") for finding in findings])
    else:
        _say_holes(context, manifest)
    return exit_code(findings)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 3 where something is gone or changed, else 4 where something could not be told, else 0."""
    standings = {finding.standing for finding in findings}
    if standings & {"gone", "changed"}:
        return UNLIKE
    return UNSURE if "unknown" in standings else 0


def _line(finding: Finding) -> Any:
    line = Text.assemble((f"{finding.standing:<8}", _COLOURS[finding.standing]), f"{finding.subject}: {finding.text}")
    for warning in finding.warnings:
        line.append(f"\n        ! {warning.text}", style="yellow")
    return line
