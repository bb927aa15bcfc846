"""``hallmark``: ask where a model came from, what depends on a dataset, and what differs between two versions."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from hallmark.aws.deployed import Deployed
from hallmark.cli import screens
from hallmark.cli.alerts import alerts
from hallmark.cli.asking import (
    AllPages,
    AsJson,
    AsOf,
    KnownAt,
    Node,
    Resume,
    ask,
    ask_pages,
    print_answer,
    say_cut,
    time_of,
)
from hallmark.cli.attest import attestations
from hallmark.cli.ci import ci
from hallmark.cli.coverage import coverage
from hallmark.cli.evaluations import evaluations
from hallmark.cli.exports import exports
from hallmark.cli.feedback import feedback
from hallmark.cli.forgetting import forgetting
from hallmark.cli.gate_actions import gate_actions
from hallmark.cli.gates import gates
from hallmark.cli.helping import WholeHelp
from hallmark.cli.imports import imports
from hallmark.cli.ledger import ledger
from hallmark.cli.misuse import GateGroup
from hallmark.cli.monitors import monitors
from hallmark.cli.openlineage import foreign
from hallmark.cli.pictures.mermaid import draw_mermaid
from hallmark.cli.pictures.page import draw_page
from hallmark.cli.pictures.scene import compose
from hallmark.cli.pictures.svg import draw_svg
from hallmark.cli.reasons import blast, reasons
from hallmark.cli.reproductions import reproductions
from hallmark.cli.reviews import reviews
from hallmark.cli.session import Context, fail, guard, print_json
from hallmark.cli.signing import SignedAnswers
from hallmark.cli.subjects import subjects
from hallmark.cli.who import who_commands
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Direction, NodeSummary, ShowQuestion, TraceAnswer, TracedEdge, TraceQuestion
from hallmark.lineage.surveyed import DiffQuestion, ImpactAnswer, ImpactQuestion, ListAnswer, ListQuestion, PathQuestion

app = typer.Typer(
    cls=WholeHelp,
    help="Where every model came from, how good it is, and what became of it. A NODE is an ARN, an S3 URI, kind:name, "
    "or a unique part of a name.",
    epilog="Times are UTC: 2026-11-20, 2026-11-20T14:00, 2h, 3d. Exit code 1: it failed; 2: no such node, or several.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_PICTURE_NODES = 2_000


History = Annotated[bool, typer.Option("--history", help="Also what no longer holds")]
Depth = Annotated[int | None, typer.Option(min=0, metavar="N", help="How many edges at most; all, if not given")]


@app.callback()
def connect(
    context: typer.Context,
    stack: Annotated[
        str | None, typer.Option(envvar="HALLMARK_STACK", help="The deployed stack; found by itself, if not given")
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS Region; the profile's, if not given")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the AWS configuration")] = None,
    endpoint_url: Annotated[
        str | None,
        typer.Option("--endpoint-url", envvar="AWS_ENDPOINT_URL", help="Another endpoint, e.g. a local cloud"),
    ] = None,
    signed: Annotated[
        Path | None,
        typer.Option("--signed", metavar="FILE", help="Have what is answered signed; `hallmark attest verify FILE`"),
    ] = None,
) -> None:
    """Where every model came from, how good it is, and what became of it."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe without Unicode shows a question mark rather than a traceback.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    if context.obj is None:
        context.obj = Context(lambda: Deployed(stack=stack, region=region, profile=profile, endpoint_url=endpoint_url))
    if signed is not None:
        unsigned = context.obj.connect
        service = cache(lambda: SignedAnswers(unsigned(), signed))
        context.obj = replace(context.obj, connect=service)


@app.command()
def trace(
    context: typer.Context,
    node: Node,
    down: Annotated[bool, typer.Option("--down/--up", help="What came of it, or (default) where it came from")] = False,
    depth: Depth = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    history: History = False,
    nodes: Annotated[int, typer.Option("--nodes", min=1, max=200_000, help="Nodes in one answer")] = 10_000,
    resume: Resume = None,
    everything: AllPages = False,
    unfolded: Annotated[bool, typer.Option("--unfolded", help="List all neighbours alike, count none")] = False,
    as_json: AsJson = False,
) -> None:
    """Show everything that a node came from, or that came of it."""
    question = TraceQuestion(
        node=node,
        direction=Direction.DOWN if down else Direction.UP,
        depth=depth,
        as_of=time_of(as_of),
        known_at=time_of(known_at),
        history=history,
        node_budget=nodes,
        resume=resume,
    )
    answer = _ask_trace(context, question, everything=everything, as_json=as_json)
    print_answer(context, answer, lambda: screens.trace_screen(answer, fold=not unfolded), as_json=as_json)
    say_cut(context, answer)


@app.command()
def show(
    context: typer.Context, node: Node, as_of: AsOf = None, known_at: KnownAt = None, as_json: AsJson = False
) -> None:
    """Show one node: its attributes, its history, its neighbours."""
    question = ShowQuestion(node=node, versions=True, as_of=time_of(as_of), known_at=time_of(known_at))
    answer = ask(context, question, as_json=as_json)
    print_answer(context, answer, lambda: screens.show_screen(answer), as_json=as_json)


@app.command()
def path(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="A", help="A node")],
    target: Annotated[str, typer.Argument(metavar="B", help="Another one, above or below it")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
) -> None:
    """Show a shortest way between two nodes."""
    question = PathQuestion(source=source, target=target, as_of=time_of(as_of), known_at=time_of(known_at))
    answer = ask(context, question, as_json=as_json)
    print_answer(context, answer, lambda: screens.path_screen(answer), as_json=as_json)


@app.command()
def impact(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="An S3 URI, or any other node")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    history: History = False,
    resume: Resume = None,
    everything: AllPages = False,
    as_json: AsJson = False,
) -> None:
    """Show what depends on a dataset: live endpoints first."""
    question = ImpactQuestion(
        node=dataset, as_of=time_of(as_of), known_at=time_of(known_at), history=history, resume=resume
    )

    def join(answer: ImpactAnswer, page: ImpactAnswer) -> ImpactAnswer:
        given = {each.kind: each.nodes for each in answer.affected}
        affected = [each.model_copy(update={"nodes": given.get(each.kind, ()) + each.nodes}) for each in page.affected]
        return page.model_copy(update={"affected": tuple(affected)})

    answer: ImpactAnswer = ask_pages(context, question, join, everything=everything, as_json=as_json)
    print_answer(context, answer, lambda: screens.impact_screen(answer), as_json=as_json)
    say_cut(context, answer)


@app.command(short_help="Show what differs between two versions.")
def diff(
    context: typer.Context,
    left: Annotated[str, typer.Argument(metavar="PACKAGE", help="A model package (or model, endpoint, training job)")],
    right: Annotated[str, typer.Argument(metavar="PACKAGE", help="Another one")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two versions: data, code, environment, hyperparameters, metrics."""
    question = DiffQuestion(left=left, right=right, as_of=time_of(as_of), known_at=time_of(known_at))
    answer = ask(context, question, as_json=as_json)
    print_answer(context, answer, lambda: screens.diff_screen(answer), as_json=as_json)


@app.command("list")
def list_nodes(
    context: typer.Context,
    kind: Annotated[NodeKind | None, typer.Option(help="Only nodes of this kind")] = None,
    contains: Annotated[str, typer.Option(metavar="TEXT", help="Only nodes whose name or id contains this")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Nodes in one answer")] = 50,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    resume: Resume = None,
    everything: AllPages = False,
    keys: Annotated[bool, typer.Option("--keys", help="Show their keys too")] = False,
    as_json: AsJson = False,
) -> None:
    """List nodes, the newest first."""
    question = ListQuestion(
        kind=kind,
        contains=contains,
        limit=limit,
        as_of=time_of(as_of),
        known_at=time_of(known_at),
        resume=resume,
        versions=True,
    )

    def join(answer: ListAnswer, page: ListAnswer) -> ListAnswer:
        return page.model_copy(update={"nodes": answer.nodes + page.nodes})

    answer: ListAnswer = ask_pages(context, question, join, everything=everything, as_json=as_json)
    if keys and not as_json:
        context.obj.screen.print(screens.list_screen(answer, keys=True), soft_wrap=True)
    else:
        print_answer(context, answer, lambda: screens.list_screen(answer), as_json=as_json)
    say_cut(context, answer)


@app.command()
def graph(
    context: typer.Context,
    node: Node,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .svg, .html or .mmd (Mermaid)")],
    up: Annotated[bool, typer.Option("--up", help="Where it came from (default)")] = False,
    down: Annotated[bool, typer.Option("--down", help="What came of it")] = False,
    both: Annotated[bool, typer.Option("--both", help="Both directions")] = False,
    depth: Depth = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    history: History = False,
    unfolded: Annotated[bool, typer.Option("--unfolded", help="Draw every node, fold none")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw a node's lineage, left to right."""
    writers = {".svg": draw_svg, ".html": draw_page, ".mmd": draw_mermaid}
    if output.suffix not in writers:
        fail(context, f"{output}: write to a file that ends in {', '.join(writers)}")
    directions = [Direction.UP] if up or both or not down else []
    directions += [Direction.DOWN] if down or both else []
    nodes: dict[str, NodeSummary] = {}
    edges: list[TracedEdge] = []
    complete, start = True, ""
    for direction in directions:
        question = TraceQuestion(
            node=node,
            direction=direction,
            depth=depth,
            as_of=time_of(as_of),
            known_at=time_of(known_at),
            history=history,
            node_budget=_PICTURE_NODES,
        )
        answer = _ask_trace(context, question, everything=False, as_json=as_json)
        nodes.update((found.key, found) for found in answer.nodes)
        edges += answer.edges
        complete, start = complete and answer.complete, answer.start.key
    words = "Lineage of" if len(directions) > 1 else "Origin of" if Direction.UP in directions else "What came of"
    when = f", as of {screens.moment(time_of(as_of))} UTC" if as_of else ""
    title = f"{words} {nodes[start].label}{', with its history' if history else ''}{when}"
    scene = compose(title, nodes.values(), edges, start, cut=not complete, fold=not unfolded)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(writers[output.suffix](scene), encoding="utf-8")
    except OSError as error:
        fail(context, f"{output}: {error.strerror}: choose another --output")
    if as_json:
        drawn = {"nodes": scene.nodes, "figures": len(scene.figures), "flows": len(scene.flows)}
        print_json({"file": str(output), **drawn, "complete": complete})
    else:
        context.obj.screen.print(
            f"{output}: {scene.nodes} nodes in {len(scene.figures)} figures, {len(scene.flows)} flows",
            markup=False,
            soft_wrap=True,
        )
    if not complete:
        context.obj.errors.print("The picture is INCOMPLETE: draw fewer steps with --depth", style="bold yellow")


@app.command(short_help="Record what the account has so far.")
def backfill(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what changed since then; else everything")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record what the account has and no event told of: all of its past, or what changed since a time."""
    start = time_of(since)
    guard(context, lambda service: service.backfill(start))
    if as_json:
        print_json({"begun": True, "since": start.isoformat() if start else None})
        return
    what = f"what changed since {screens.moment(start)} UTC" if start else "the whole account"
    context.obj.screen.print(
        f"A sweep over {what} has begun; ReconciliationCompleted on the hallmark bus tells when it has ended."
    )


@app.command("dead-letters", short_help="Show what could not be handled.")
def dead_letters(
    context: typer.Context,
    redrive: Annotated[bool, typer.Option("--redrive", help="Send them back to be handled again")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Messages shown of each queue")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show what could not be handled, and why; they stay where they are unless they are sent back."""
    if redrive:
        _redrive(context, as_json=as_json)
        return
    queues = guard(context, lambda service: service.dead_letters(limit))
    if as_json:
        print_json(
            [
                {
                    "queue": queue.queue,
                    "messages": queue.messages,
                    "letters": [
                        {**letter._asdict(), "sent_at": letter.sent_at.isoformat()} for letter in queue.letters
                    ],
                }
                for queue in queues
            ]
        )
        return
    context.obj.screen.print(screens.dead_letters_screen(queues))
    if any(queue.messages for queue in queues):
        context.obj.screen.print("[bold]hallmark dead-letters --redrive[/] sends them back to be handled again.")


def _redrive(context: typer.Context, *, as_json: bool) -> None:
    redriven = guard(context, lambda service: service.redrive())
    if as_json:
        print_json([found._asdict() for found in redriven])
        return
    for found in redriven:
        said = found.obstacle or f"{found.sent} sent back"
        context.obj.screen.print(f"{found.queue}: {said}", style="yellow" if found.obstacle else "green", markup=False)
    if not redriven:
        context.obj.screen.print("nothing waits")


def _ask_trace(context: typer.Context, question: TraceQuestion, *, everything: bool, as_json: bool) -> TraceAnswer:
    """Ask for a trace; where everything is wanted, all of its pages."""
    answer: TraceAnswer = ask(context, question, as_json=as_json)
    if not everything or answer.resume is None:
        return answer
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} nodes so far"))
    with Progress(*columns, console=context.obj.errors, transient=True) as progress:
        task = progress.add_task("", completed=len(answer.nodes), total=None)
        pages = [answer]
        while pages[-1].resume is not None:
            pages.append(ask(context, question.model_copy(update={"resume": pages[-1].resume}), as_json=as_json))
            progress.advance(task, len(pages[-1].nodes))
    nodes = tuple(node for page in pages for node in page.nodes)
    edges = tuple(edge for page in pages for edge in page.edges)
    return pages[-1].model_copy(update={"nodes": nodes, "edges": edges})


app.add_typer(reasons)
app.add_typer(blast, name="blast", cls=WholeHelp)
app.add_typer(evaluations)
app.add_typer(exports)
app.add_typer(reproductions)
app.add_typer(coverage)
app.add_typer(who_commands)
app.add_typer(forgetting)
app.add_typer(alerts, name="alerts", cls=WholeHelp)
gate_actions.add_typer(gates)
app.add_typer(
    gate_actions, name="gate", cls=GateGroup, help="Quality gates: verdicts, and what people decide about models."
)
app.add_typer(reviews, name="review", cls=WholeHelp)
app.add_typer(feedback, name="feedback")
app.add_typer(ledger, name="ledger", cls=WholeHelp)
app.add_typer(attestations, name="attest", cls=WholeHelp)
app.add_typer(monitors, name="monitors", cls=WholeHelp)
app.add_typer(foreign, name="openlineage", cls=WholeHelp)
app.add_typer(ci, name="ci", cls=WholeHelp)
app.add_typer(subjects, name="subjects", cls=WholeHelp)
app.add_typer(imports, name="import", cls=WholeHelp)


if __name__ == "__main__":
    app()
