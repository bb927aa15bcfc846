"""``hallmark import``: carry over what ML Metadata, Marquez and Kubeflow Pipelines know."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hallmark.aws.tool_api import HttpToolApi, authorization
from hallmark.cli.openlineage import receive
from hallmark.cli.session import fail, guard, print_json
from hallmark.errors import HallmarkError
from hallmark.events.records import LineageSection
from hallmark.lineage.connectors.kubeflow.syncing import KubeflowPass, KubeflowSync
from hallmark.lineage.connectors.kubeflow.translation import Installation
from hallmark.lineage.connectors.marquez import MarquezApi, MarquezDatabase, MarquezEvents
from hallmark.lineage.connectors.mlmd import TOOL as MLMD
from hallmark.lineage.connectors.mlmd import MlmdDatabase
from hallmark.lineage.connectors.ports import Known

imports = typer.Typer(
    help="Carry over the lineage that another tool keeps. Importing again changes nothing.", no_args_is_help=True
)
_EVENTS = 100
_BYTES = 3_000_000
"""Of one call: Lambda takes 6 MB, the intake 4 MB."""
_TOKEN = "HALLMARK_IMPORT_TOKEN"  # noqa: S105 - the name of the variable that holds it

After = Annotated[
    str, typer.Option(metavar="POSITION", help="Go on after this position, which an interrupted import has said")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what there is; send nothing")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]


class Sent(NamedTuple):
    """What the intake is sent of one thing, and where to go on after it."""

    position: str
    events: list[dict[str, Any]]


@imports.command()
def mlmd(
    context: typer.Context,
    database: Annotated[Path, typer.Argument(metavar="DATABASE", help="SQLite file that ML Metadata wrote")],
    name: Annotated[
        str, typer.Option(help="What it is called in the ids (mlmd:NAME/executions/7); else as the file")
    ] = "",
    after: After = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import a database of ML Metadata: executions, artifacts, pipelines and their runs."""
    with closing(_opened(context, lambda: MlmdDatabase(database, name or database.stem))) as source:
        counts = source.counts()
        sent = (Sent(told.position, [_fact(MLMD, each) for each in told.sections]) for told in source.told(after))
        total = counts["contexts"] + counts["artifacts"] + counts["executions"]
        _carry(context, sent, counts, total, dry_run=dry_run, as_json=as_json)


@imports.command()
def marquez(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="DSN|URL", help="postgresql://… of its database, or https://… of its HTTP API")
    ],
    after: After = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import what Marquez was sent: all OpenLineage events, the oldest first.

    A token for the HTTP API, where it needs one, is read from the variable HALLMARK_IMPORT_TOKEN.
    """
    if source.startswith(("http://", "https://")):
        api = HttpToolApi(source, authorization(os.environ.get(_TOKEN, "")), requests_per_second=20)
        _carry_events(context, MarquezApi(api), after, dry_run=dry_run, as_json=as_json)
        return
    with closing(_opened(context, lambda: MarquezDatabase(source))) as database:
        _carry_events(context, database, after, dry_run=dry_run, as_json=as_json)


@imports.command()
def kfp(
    context: typer.Context,
    url: Annotated[str, typer.Option("--url", help="Address of the API of Kubeflow Pipelines, without /apis")],
    name: Annotated[str, typer.Option(help="What it is called in the ids (kubeflow:NAME/runs/…)")],
    namespaces: Annotated[
        list[str] | None, typer.Option("--namespace", help="Kubernetes namespace, in a multi-user installation")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import all runs, tasks and artifacts of Kubeflow Pipelines, once; lineage.kubeflow in hallmark.yaml goes on.

    A token, where the API needs one, is read from the variable HALLMARK_IMPORT_TOKEN.
    """
    api = HttpToolApi(url, authorization(os.environ.get(_TOKEN, "")), requests_per_second=20)
    reporter = _Sending(context, "" if dry_run else guard(context, lambda service: service.caller()))
    sync = KubeflowSync(
        Installation(name), api, _NoMemory(), reporter, lambda: datetime.now(UTC), tuple(namespaces or ())
    )
    _opened(context, lambda: sync.go_on(KubeflowPass(server=name), lambda: True))
    counts = {"runs": len(reporter.runs), "sections": reporter.sections}
    _say(
        context,
        {"counts": counts, "sent": 0 if dry_run else len(reporter.runs), "events": reporter.sent},
        as_json=as_json,
    )


class _Sending:
    """Reporter that sends to the intake; counts only, where nobody sends."""

    def __init__(self, context: typer.Context, by: str) -> None:
        self._context = context
        self._by = by
        self.runs: set[str] = set()
        self.sections = self.sent = 0

    def report(self, tool: str, sections: Sequence[LineageSection]) -> None:
        """Send the sections, a call's worth at a time."""
        self.runs |= {section.node.id for section in sections if "/runs/" in section.node.id}
        self.sections += len(sections)
        if self._by:
            for batch in _batches(Sent("", [_fact(tool, section)]) for section in sections):
                receive(self._context, [event for each in batch for event in each.events], self._by)
                self.sent += len(batch)


class _NoMemory:
    """Memory of an import, which looks once."""

    def recall(self, names: Sequence[str]) -> dict[str, Known]:  # noqa: ARG002
        """Recall nothing."""
        return {}

    def remember(self, things: Iterable[Known]) -> None:
        """Remember nothing."""

    def forget(self, names: Iterable[str]) -> None:
        """Forget nothing."""

    def unseen(self, prefix: str, since: datetime) -> Iterator[Known]:  # noqa: ARG002
        """Miss nothing."""
        return iter(())


def _carry_events(context: typer.Context, source: MarquezEvents, after: str, *, dry_run: bool, as_json: bool) -> None:
    count = _opened(context, source.count)
    sent = (Sent(carried.position, [dict(carried.event)]) for carried in source.events(after))
    _carry(context, sent, {"events": count}, count, dry_run=dry_run, as_json=as_json)


def _opened(context: typer.Context, opening: Callable[[], Any]) -> Any:
    try:
        return opening()
    except HallmarkError as error:
        fail(context, str(error))


def _fact(tool: str, section: LineageSection) -> dict[str, Any]:
    """Return a section as the intake takes it."""
    return {"tool": tool, **section.model_dump(mode="json", by_alias=True, exclude_none=True)}


def _carry(
    context: typer.Context,
    sent: Iterable[Sent],
    counts: dict[str, int],
    total: int,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send everything, a call's worth at a time; say where to go on, if it is interrupted."""
    if dry_run:
        _say(context, {"counts": counts, "sent": 0, "events": 0}, as_json=as_json)
        return
    by = guard(context, lambda service: service.caller())
    done, events, position = 0, 0, ""
    columns = (TextColumn("imported"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=context.obj.errors, transient=True) as progress:
            task = progress.add_task("", total=total)
            for batch in _batches(sent):
                receive(context, [event for each in batch for event in each.events], by)
                done, position = done + len(batch), batch[-1].position
                events += sum(len(each.events) for each in batch)
                progress.update(task, completed=done)
    except HallmarkError as error:
        _say_where(context, position)
        fail(context, str(error))
    except (typer.Exit, KeyboardInterrupt):
        _say_where(context, position)
        raise
    _say(context, {"counts": counts, "sent": done, "events": events}, as_json=as_json)


def _say_where(context: typer.Context, position: str) -> None:
    if position:
        context.obj.errors.print(f"go on with --after '{position}'", markup=False)


def _say(context: typer.Context, said: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(said)
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in said["counts"].items())
    context.obj.screen.print(f"{counts}; sent {said['sent']:,} in {said['events']:,} events", markup=False)


def _batches(sent: Iterable[Sent]) -> Iterator[list[Sent]]:
    batch: list[Sent] = []
    events = size = 0
    for each in sent:
        weight = len(json.dumps(each.events))
        if batch and (events + len(each.events) > _EVENTS or size + weight > _BYTES):
            yield batch
            batch, events, size = [], 0, 0
        batch.append(each)
        events, size = events + len(each.events), size + weight
    if batch:
        yield batch
