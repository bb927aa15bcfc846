"""``hallmark why``, ``live``, ``blast``, ``bisect``: questions whose answers are reasoned."""

from __future__ import annotations

from typing import Annotated

import typer

from hallmark.cli import reason_screens
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
from hallmark.lineage.reasoned import (
    Better,
    BisectAnswer,
    BisectQuestion,
    BlastAnswer,
    BlastQuestion,
    LiveAnswer,
    LiveQuestion,
    WhyAnswer,
    WhyQuestion,
)

reasons = typer.Typer(rich_markup_mode=None)
"""The commands ``why``, ``live``, ``blast`` and ``bisect``."""

Nodes = Annotated[int, typer.Option("--nodes", min=1, max=1_000_000, help="Nodes that are looked at, at most")]


@reasons.command(short_help="Say why an endpoint, model or decision is what it is.")
def why(
    context: typer.Context, node: Node, as_of: AsOf = None, known_at: KnownAt = None, as_json: AsJson = False
) -> None:
    """Say on one screen why a node is what it is.

    What an endpoint serves, since when, instead of what; what that was made of, and by whom; which gate let it through,
    and who approved it; why it was trained anew; what is wrong, and what is not known.
    """
    question = WhyQuestion(node=node, as_of=time_of(as_of), known_at=time_of(known_at))
    answer: WhyAnswer = ask(context, question, as_json=as_json)
    print_answer(context, answer, lambda: reason_screens.why_screen(answer), as_json=as_json)
    say_cut(context, answer, "ask of one of its models")


@reasons.command(short_help="Show what was in production at a time.")
def live(
    context: typer.Context,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    contains: Annotated[str, typer.Option(metavar="TEXT", help="Only endpoints whose name or id contains this")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Endpoints in one answer")] = 100,
    resume: Resume = None,
    everything: AllPages = False,
    as_json: AsJson = False,
) -> None:
    """Show what was in production at a time, as it was known at another: endpoints, their models, who approved them."""
    question = LiveQuestion(
        as_of=time_of(as_of), known_at=time_of(known_at), contains=contains, limit=limit, resume=resume
    )

    def join(answer: LiveAnswer, page: LiveAnswer) -> LiveAnswer:
        return page.model_copy(update={"endpoints": answer.endpoints + page.endpoints})

    answer: LiveAnswer = ask_pages(context, question, join, everything=everything, as_json=as_json)
    print_answer(context, answer, lambda: reason_screens.live_screen(answer), as_json=as_json)
    say_cut(context, answer)


blast = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What an act would touch, before anybody does it. Nothing is changed.",
)
"""The commands of the group ``blast``."""


@blast.command()
def delete(
    context: typer.Context,
    prefix: Annotated[str, typer.Argument(metavar="S3-PREFIX", help="s3://bucket/prefix: it and all below it")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    nodes: Nodes = 200_000,
    resume: Resume = None,
    everything: AllPages = False,
    as_json: AsJson = False,
) -> None:
    """Show what would break, or could not be repeated, if all data at a prefix were deleted."""
    question = BlastQuestion(
        act="delete",
        target=prefix,
        as_of=time_of(as_of),
        known_at=time_of(known_at),
        node_budget=nodes,
        resume=resume,
    )
    _blast(context, question, everything=everything, as_json=as_json)


@blast.command()
def reject(
    context: typer.Context,
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="A registered model, e.g. group:3")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    nodes: Nodes = 200_000,
    resume: Resume = None,
    everything: AllPages = False,
    as_json: AsJson = False,
) -> None:
    """Show what serves a model, and what rests on it, before it is rejected."""
    question = BlastQuestion(
        act="reject",
        target=package,
        as_of=time_of(as_of),
        known_at=time_of(known_at),
        node_budget=nodes,
        resume=resume,
    )
    _blast(context, question, everything=everything, as_json=as_json)


@blast.command()
def roll(
    context: typer.Context,
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="An image; without a digest, all of its repository")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    nodes: Nodes = 200_000,
    resume: Resume = None,
    everything: AllPages = False,
    as_json: AsJson = False,
) -> None:
    """Show what runs in an image, before it is replaced by another one."""
    question = BlastQuestion(
        act="roll",
        target=image,
        as_of=time_of(as_of),
        known_at=time_of(known_at),
        node_budget=nodes,
        resume=resume,
    )
    _blast(context, question, everything=everything, as_json=as_json)


def _blast(context: typer.Context, question: BlastQuestion, *, everything: bool, as_json: bool) -> None:
    answer: BlastAnswer = ask_pages(context, question, _joined, everything=everything, as_json=as_json)
    print_answer(context, answer, lambda: reason_screens.blast_screen(answer), as_json=as_json)
    say_cut(context, answer)


def _joined(answer: BlastAnswer, page: BlastAnswer) -> BlastAnswer:
    """Add a page to an answer: the counts are those of the page, which has looked at more."""
    given = {each.effect: each.hits for each in answer.effects}
    effects = [each.model_copy(update={"hits": given.get(each.effect, ()) + each.hits}) for each in page.effects]
    joined = {
        "targets": answer.targets + page.targets,
        "effects": tuple(effects),
        "owners": tuple(dict.fromkeys(answer.owners + page.owners)),
        "kept": answer.kept + page.kept,
    }
    return page.model_copy(update=joined)


@reasons.command(short_help="Rank what changed where a metric fell.")
def bisect(
    context: typer.Context,
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="Of a gate's criterion, a suite or a training job")],
    node: Node,
    threshold: Annotated[
        float | None, typer.Option(help="Bad is what does not reach it; else: the largest drop")
    ] = None,
    better: Annotated[
        Better | None, typer.Option(help="Which way is better, where the metric's name does not tell")
    ] = None,
    limit: Annotated[int, typer.Option(min=2, max=200, help="Of so many versions, the last ones")] = 50,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
) -> None:
    """Rank what changed between the last good and the first bad version of a model. It is a ranking, no proof."""
    question = BisectQuestion(
        metric=metric,
        node=node,
        threshold=threshold,
        better=better,
        limit=limit,
        as_of=time_of(as_of),
        known_at=time_of(known_at),
    )
    answer: BisectAnswer = ask(context, question, as_json=as_json)
    print_answer(context, answer, lambda: reason_screens.bisect_screen(answer), as_json=as_json)
    say_cut(context, answer, "look at more versions with --limit")
