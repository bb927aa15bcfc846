"""``hallmark``: ask where a model came from, what depends on a dataset, and what differs between two versions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console, RenderableType

from hallmark.aws.deployed import DEFAULT_STACK, Deployed
from hallmark.cli import screens
from hallmark.cli.pictures.mermaid import draw_mermaid
from hallmark.cli.pictures.page import draw_page
from hallmark.cli.pictures.scene import compose
from hallmark.cli.pictures.svg import draw_svg
from hallmark.cli.times import read_time
from hallmark.errors import HallmarkError
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import (
    Answer,
    Candidates,
    DiffQuestion,
    Direction,
    ImpactAnswer,
    ImpactQuestion,
    ListAnswer,
    ListQuestion,
    NodeSummary,
    PathQuestion,
    Question,
    ShowQuestion,
    TraceAnswer,
    TracedEdge,
    TraceQuestion,
)

app = typer.Typer(
    help="Where every model came from. A NODE is an ARN, an S3 URI, kind:name, or a unique part of a name.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_NOT_TOLD = 2
_FAILED = 1


@dataclass
class Context:
    """What the commands share."""

    connect: Callable[[], Deployed]
    screen: Console = field(default_factory=lambda: Console(highlight=False))
    errors: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))


Node = Annotated[str, typer.Argument(metavar="NODE", help="ARN, S3 URI, kind:name, or a unique part of a name")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="TIME", help="The graph as it held then: 2026-11-20, 2h, 3d")
]
KnownAt = Annotated[str | None, typer.Option("--known-at", metavar="TIME", help="Only what had been learned by then")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]


@app.callback()
def connect(
    context: typer.Context,
    stack: Annotated[str, typer.Option(envvar="HALLMARK_STACK", help="The deployed stack")] = DEFAULT_STACK,
    region: Annotated[str | None, typer.Option(help="AWS Region; the profile's, if not given")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration")] = None,
    endpoint_url: Annotated[
        str | None,
        typer.Option("--endpoint-url", envvar="AWS_ENDPOINT_URL", help="Another endpoint, e.g. a local cloud"),
    ] = None,
) -> None:
    """Where every model came from."""
    if context.obj is None:
        context.obj = Context(lambda: Deployed(stack=stack, region=region, profile=profile, endpoint_url=endpoint_url))


@app.command()
def trace(
    context: typer.Context,
    node: Node,
    down: Annotated[bool, typer.Option("--down/--up", help="What came of it, or (default) where it came from")] = False,
    depth: Annotated[int | None, typer.Option(min=0, help="How many edges at most; all, if not given")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    history: Annotated[bool, typer.Option("--history", help="Also what no longer holds")] = False,
    nodes: Annotated[int, typer.Option("--nodes", min=1, max=200_000, help="Nodes in one answer")] = 10_000,
    resume: Annotated[str | None, typer.Option(help="Go on where an answer was cut")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Fetch all pages of a long answer")] = False,
    as_json: AsJson = False,
) -> None:
    """Show everything that a node came from, or that came of it."""
    question = TraceQuestion(
        node=node,
        direction=Direction.DOWN if down else Direction.UP,
        depth=depth,
        as_of=_time(as_of),
        known_at=_time(known_at),
        history=history,
        node_budget=nodes,
        resume=resume,
    )
    answer = _ask_trace(context, question, everything=everything)
    _print(context, answer, lambda: screens.trace_tree(answer), as_json=as_json)
    _say_cut(context, answer)


@app.command()
def show(
    context: typer.Context, node: Node, as_of: AsOf = None, known_at: KnownAt = None, as_json: AsJson = False
) -> None:
    """Show one node: its attributes, its history, its neighbours."""
    answer = _ask(context, ShowQuestion(node=node, as_of=_time(as_of), known_at=_time(known_at)))
    _print(context, answer, lambda: screens.show_screen(answer), as_json=as_json)


@app.command()
def path(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="A", help="A node")],
    target: Annotated[str, typer.Argument(metavar="B", help="Another one, above or below it")],
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Show a shortest way between two nodes."""
    answer = _ask(context, PathQuestion(source=source, target=target, as_of=_time(as_of)))
    _print(context, answer, lambda: screens.path_screen(answer), as_json=as_json)


@app.command()
def impact(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="An S3 URI, or any other node")],
    as_of: AsOf = None,
    history: Annotated[bool, typer.Option("--history", help="Also what no longer holds")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what depends on a dataset: live endpoints first."""
    answer = _ask(context, ImpactQuestion(node=dataset, as_of=_time(as_of), history=history))
    _print(context, answer, lambda: screens.impact_screen(answer), as_json=as_json)
    _say_cut(context, answer)


@app.command()
def diff(
    context: typer.Context,
    left: Annotated[str, typer.Argument(metavar="PACKAGE", help="A model package (or model, endpoint, training job)")],
    right: Annotated[str, typer.Argument(metavar="PACKAGE", help="Another one")],
    as_json: AsJson = False,
) -> None:
    """Show what differs between two versions: data, code, environment, hyperparameters, metrics."""
    answer = _ask(context, DiffQuestion(left=left, right=right))
    _print(context, answer, lambda: screens.diff_screen(answer), as_json=as_json)


@app.command("list")
def list_nodes(
    context: typer.Context,
    kind: Annotated[NodeKind | None, typer.Option(help="Only nodes of this kind")] = None,
    contains: Annotated[str, typer.Option(help="Only nodes whose name or id contains this")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    resume: Annotated[str | None, typer.Option(help="Go on where an answer was cut")] = None,
    as_json: AsJson = False,
) -> None:
    """List nodes, the newest first."""
    answer = _ask(context, ListQuestion(kind=kind, contains=contains, limit=limit, resume=resume))
    _print(context, answer, lambda: screens.list_screen(answer), as_json=as_json)
    _say_cut(context, answer)


@app.command()
def graph(
    context: typer.Context,
    node: Node,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .svg, .mmd or .html")],
    down: Annotated[bool, typer.Option("--down", help="What came of it")] = False,
    both: Annotated[bool, typer.Option("--both", help="Both directions")] = False,
    depth: Annotated[int | None, typer.Option(min=0, help="How many edges at most")] = None,
    as_of: AsOf = None,
) -> None:
    """Draw a node's lineage, left to right."""
    directions = [Direction.UP, Direction.DOWN] if both else [Direction.DOWN if down else Direction.UP]
    nodes: dict[str, NodeSummary] = {}
    edges: list[TracedEdge] = []
    complete, start = True, ""
    for direction in directions:
        question = TraceQuestion(node=node, direction=direction, depth=depth, as_of=_time(as_of), node_budget=2_000)
        answer = _ask_trace(context, question)
        nodes.update((found.key, found) for found in answer.nodes)
        edges += [edge for edge in answer.edges if edge not in edges]
        complete, start = complete and answer.complete, answer.start.key
    scene = compose(f"Lineage of {nodes[start].label}", nodes.values(), edges, start, cut=not complete)
    writers = {".svg": draw_svg, ".mmd": draw_mermaid, ".html": draw_page}
    if output.suffix not in writers:
        _fail(context, f"{output}: write to a file that ends in {', '.join(writers)}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(writers[output.suffix](scene), encoding="utf-8")
    except OSError as error:
        _fail(context, f"{output}: {error.strerror}; choose another --output")
    note = "" if complete else " (cut: draw fewer steps with --depth)"
    context.obj.screen.print(f"{output}: {scene.nodes} nodes in {len(scene.figures)} figures{note}")


@app.command()
def backfill(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what changed since then; else everything")
    ] = None,
) -> None:
    """Record what the account has and no event told of: all of its past, or what changed since a time."""
    start = _time(since)
    _guard(context, lambda deployed: deployed.backfill(start.isoformat() if start else None))
    context.obj.screen.print("A sweep has begun; ReconciliationCompleted on the hallmark bus tells when it has ended.")


@app.command("dead-letters")
def dead_letters(
    context: typer.Context,
    redrive: Annotated[bool, typer.Option("--redrive", help="Send them back to be handled again")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what could not be handled, and why."""
    if redrive:
        queues = _guard(context, lambda deployed: deployed.redrive())
        context.obj.screen.print(f"sent back: {', '.join(queues)}" if queues else "nothing waits")
        return
    letters = _guard(context, lambda deployed: deployed.dead_letters())
    if as_json:
        sys.stdout.write(json.dumps([letter._asdict() for letter in letters], indent=2) + "\n")
        return
    if not letters:
        context.obj.screen.print("nothing waits")
    for letter in letters:
        context.obj.screen.print(f"[bold]{letter.queue}[/] {letter.function}: {letter.error}", style="red")
        context.obj.screen.print(f"  {letter.reason}", markup=False)
        context.obj.screen.print(f"  {letter.body[:300]}", style="dim", markup=False)


def _ask_trace(context: typer.Context, question: TraceQuestion, *, everything: bool = False) -> TraceAnswer:
    """Ask for a trace; where everything is wanted, all of its pages."""
    answer = _ask(context, question)
    if not isinstance(answer, TraceAnswer):
        _fail(context, f"the query function answered with {answer.answer}: deploy the stack again")
    while everything and answer.resume is not None:
        context.obj.errors.print(f"{len(answer.nodes):,} nodes so far …", style="dim")
        page = _ask(context, question.model_copy(update={"resume": answer.resume}))
        if not isinstance(page, TraceAnswer):
            break
        merged = {"nodes": answer.nodes + page.nodes, "edges": answer.edges + page.edges}
        answer = page.model_copy(update=merged)
    return answer


def _ask(context: typer.Context, question: Question) -> Any:
    answer: Answer = _guard(context, lambda deployed: deployed.ask(question))
    if isinstance(answer, Candidates):
        context.obj.errors.print(screens.candidates_screen(answer))
        raise typer.Exit(_NOT_TOLD)
    return answer


def _guard(context: typer.Context, call: Callable[[Deployed], Any]) -> Any:
    try:
        return call(context.obj.connect())
    except HallmarkError as error:
        _fail(context, str(error))


def _fail(context: typer.Context, message: str) -> NoReturn:
    context.obj.errors.print(message, style="red", markup=False)
    raise typer.Exit(_FAILED)


def _print(context: typer.Context, answer: Any, screen: Callable[[], RenderableType], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(answer.model_dump_json(indent=2) + "\n")
    else:
        context.obj.screen.print(screen())


def _say_cut(context: typer.Context, answer: TraceAnswer | ImpactAnswer | ListAnswer) -> None:
    if answer.complete:
        return
    how = f"go on with --resume {answer.resume}" if answer.resume else "ask again with a nearer node"
    context.obj.errors.print(f"This answer was cut: {how}", style="bold yellow", soft_wrap=True)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return read_time(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


if __name__ == "__main__":
    app()
