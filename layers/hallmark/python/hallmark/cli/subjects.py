"""``hallmark subjects``: say whose data a snapshot holds, and find the models that saw a person's data."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from hallmark.cli import screens
from hallmark.cli.asking import AsOf, KnownAt, time_of
from hallmark.cli.session import fail, guard, print_json
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Candidates, NodeSummary, ShowAnswer, ShowQuestion

subjects = typer.Typer(
    help="Whose data a snapshot holds: tokens are kept, nobody's name is. Which models saw a person's data.",
    no_args_is_help=True,
)
_STACK = "HallmarkLedger"
NOT_TOLD = 2
_A_PART = 50_000

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]


@subjects.command()
def record(
    context: typer.Context,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", help="A dataset version: its key, or part of a name")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".csv, .jsonl, or one identifier a line; - is stdin")],
    column: Annotated[str | None, typer.Option(help="Column or field with the identifier, of .csv and .jsonl")] = None,
    as_json: AsJson = False,
) -> None:
    """Record whose data a snapshot holds. Identifiers go to Hallmark's function, which keeps only tokens of them."""
    node = _snapshot(context, snapshot)
    people = _read(context, file, column)
    if not people:
        fail(context, f"{file} names nobody: choose another --column, or another file")
    parts = [people[start : start + _A_PART] for start in range(0, len(people), _A_PART)]
    with Progress(
        TextColumn("people"), BarColumn(), MofNCompleteColumn(), console=context.obj.errors, transient=True
    ) as progress:
        task = progress.add_task("", total=len(people))
        for number, part in enumerate(parts):
            _call(context, "RecordSubjectsFunctionName", {"snapshot": node.key, "part": number, "subjects": part})
            progress.advance(task, len(part))
    said = _call(context, "RecordSubjectsFunctionName", {"snapshot": node.key, "parts": len(parts)})
    if as_json:
        print_json(said)
        return
    bound = f"{said['false_positive_bound']:.1e}"
    text = f"{node.label}: {said['tokens']:,} people; others are found among them with a probability below {bound}."
    context.obj.screen.print(text, markup=False, soft_wrap=True)


@subjects.command()
def find(
    context: typer.Context,
    subject: Annotated[
        str | None, typer.Argument(metavar="IDENTIFIER", help="As it was recorded; asked, if not given")
    ] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
) -> None:
    """Find the snapshots that hold a person's data, and the models and endpoints that came of them."""
    # A command's arguments stay in the history of the shell: whoever minds is asked instead.
    wanted = subject or typer.prompt("Identifier", hide_input=True, err=True)
    times = {"as_of": time_of(as_of), "known_at": time_of(known_at)}
    asked = {"subject": wanted, **{name: time.isoformat() for name, time in times.items() if time is not None}}
    said = _call(context, "FindSubjectFunctionName", asked)
    if as_json:
        print_json(said)
        return
    screen = context.obj.screen
    for found in said["snapshots"]:
        table = Table(title=found["snapshot"], title_justify="left", box=None)
        for heading in ("kind", "name", "status"):
            table.add_column(heading)
        for node in found["affected"]:
            table.add_row(node["kind"], node["label"], node["status"] or "")
        screen.print(table)
        if not found["complete"]:
            screen.print(f"INCOMPLETE: hallmark impact {found['snapshot']} tells the rest", style="bold yellow")
    many = len(said["snapshots"])
    verdict = f"in {many:,} of {said['checked']:,}" if many else f"in none of {said['checked']:,}"
    screen.print(
        f"The person is {verdict} snapshots whose people are recorded; "
        f"one of them is named wrongly with a probability of at most {said['false_positive_bound']:.1e}.",
        soft_wrap=True,
    )
    if said["unrecorded"]:
        screen.print(
            f"Of {said['unrecorded']:,} more snapshots nobody recorded the people: of these nothing can be said.",
            style="yellow",
            soft_wrap=True,
        )


def _call(context: typer.Context, function: str, payload: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = guard(context, lambda service: service.call(function, _STACK, payload))
    return said


def _snapshot(context: typer.Context, name: str) -> NodeSummary:
    answer = guard(context, lambda service: service.ask(ShowQuestion(node=name)))
    if isinstance(answer, Candidates):
        context.obj.errors.print(screens.candidates_screen(answer), soft_wrap=True)
        raise typer.Exit(NOT_TOLD)
    if not isinstance(answer, ShowAnswer) or answer.node.kind is not NodeKind.DATASET_VERSION:
        fail(context, f"{name} is no dataset version: people are in a content; hallmark show {name} names its versions")
    return answer.node


def _read(context: typer.Context, file: Path, column: str | None) -> list[str]:
    try:
        if str(file) == "-":
            return list(dict.fromkeys(_identifiers(sys.stdin, "", column)))
        with file.open(encoding="utf-8", newline="") as lines:
            return list(dict.fromkeys(_identifiers(lines, file.suffix.lower(), column)))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        fail(context, f"{file}: {error}")


def _identifiers(lines: TextIO, suffix: str, column: str | None) -> Iterator[str]:
    if suffix not in {".csv", ".jsonl"}:
        yield from filter(None, map(str.strip, lines))
        return
    if not column:
        raise ValueError("name the --column that has the identifier")
    if suffix == ".csv":
        table = csv.DictReader(lines)
        if column not in (table.fieldnames or ()):
            raise ValueError(f"there is no column {column!r}: choose one of {', '.join(table.fieldnames or ())}")
        yield from (row[column].strip() for row in table if (row[column] or "").strip())
        return
    for number, line in enumerate(filter(str.strip, lines), 1):
        row = json.loads(line)
        if not isinstance(row, dict) or column not in row:
            raise ValueError(f"line {number} has no field {column!r}")
        yield str(row[column])
