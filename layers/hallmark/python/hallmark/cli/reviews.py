"""``hallmark review``: rate samples of answers, see what people said, write notes beside nodes of lineage."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hallmark.cli import screens
from hallmark.cli.session import fail, guard, print_json
from hallmark.lineage.questions import Candidates, ShowQuestion
from hallmark.reviews.questions import (
    CloseQuestion,
    ListQuestion,
    NextQuestion,
    NoteQuestion,
    ProgramsQuestion,
    ReviewQuestion,
    ScoreQuestion,
    StartQuestion,
)
from hallmark.reviews.questions import ShowQuestion as ShowReviewQuestion

STACK = "HallmarkReviews"
_NOT_TOLD = 2
_COLOURS = {"open": "cyan", "completed": "green", "closed": "yellow", "expired": "yellow"}
_JUDGEMENTS = {"good": "green", "low": "red", "uncertain": "yellow", "unrated": "dim"}

reviews = typer.Typer(help="What people say of answers: samples to rate, scores, agreement.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]
ReviewName = Annotated[str, typer.Argument(metavar="REVIEW", help="A review; `hallmark review list` lists them")]


def ask_reviews(context: typer.Context, question: ReviewQuestion) -> dict[str, Any]:
    """Ask the function ``query_reviews``."""
    payload = question.model_dump(mode="json", exclude={"by"})
    answer: dict[str, Any]
    if "by" in type(question).model_fields:
        answer = guard(context, lambda service: service.call_signed("QueryReviewsFunctionName", STACK, payload))
    else:
        answer = guard(context, lambda service: service.call("QueryReviewsFunctionName", STACK, payload))
    return answer


@reviews.command("list")
def list_reviews(
    context: typer.Context,
    ended: Annotated[bool, typer.Option("--ended/--open", help="Those that have ended, or those that go on")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many")] = 20,
    as_json: AsJson = False,
) -> None:
    """List reviews, the latest first."""
    answer = ask_reviews(context, ListQuestion(ended=ended, limit=limit))
    if as_json:
        print_json(answer)
        return
    if not answer["reviews"]:
        context.obj.screen.print("no review has ended yet" if ended else "no review is open", style="dim")
        return
    table = Table(box=None, header_style="bold")
    for title in ("review", "of", "status", "tasks", "ends" if not ended else "ended", "mean", "agreement"):
        table.add_column(title, overflow="fold")
    for each in answer["reviews"]:
        outcome = each["outcome"] or {}
        table.add_row(
            each["review"],
            each["subject_name"],
            f"[{_COLOURS[each['status']]}]{each['status']}[/]",
            f"{each['tasks']} x {each['per_item']}",
            (each["ended_at"] or each["expires_at"])[:16].replace("T", " "),
            _mean(outcome),
            _agreement(outcome),
        )
    context.obj.screen.print(table)


@reviews.command()
def programs(context: typer.Context, as_json: AsJson = False) -> None:
    """List the programs of the deployed policy."""
    answer = ask_reviews(context, ProgramsQuestion())
    if as_json:
        print_json(answer)
        return
    table = Table(box=None, header_style="bold")
    for title in ("program", "outputs of", "sample", "scale", "low below", "when", "reviewers"):
        table.add_column(title, overflow="fold")
    for each in answer["programs"]:
        when = f"{each['frequency']} {each['time_zone']}" if each["frequency"] else "on demand"
        people = ", ".join(each["reviewers"]) or "anyone"
        sample = f"{each['size']} x {each['per_item']}"
        table.add_row(each["program"], each["source"], sample, each["scale"], f"{each['threshold']:g}", when, people)
    context.obj.screen.print(table)


@reviews.command()
def show(context: typer.Context, review: ReviewName, as_json: AsJson = False) -> None:
    """Show a review: its outcome, its tasks, every score and note."""
    answer = ask_reviews(context, ShowReviewQuestion(review=review))
    if as_json:
        print_json(answer)
    else:
        _show(context.obj.screen, answer)


@reviews.command("next")
def next_task(
    context: typer.Context,
    review: Annotated[str | None, typer.Argument(metavar="[REVIEW]", help="Only of this review")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the next answer that waits for your score."""
    answer = ask_reviews(context, NextQuestion(review=review))
    if as_json:
        print_json(answer)
        return
    if answer["task"] is None:
        context.obj.screen.print("nothing waits for you", style="green")
        return
    screen, task = context.obj.screen, answer["task"]
    name = f"{answer['review']}/{task['id']}"
    screen.print(Text.assemble((name, "bold"), f"  {answer['waiting']} wait for you until {answer['expires_at'][:16]}"))
    screen.print(Panel(Text(task["prompt"]), title="asked", title_align="left", border_style="dim"))
    screen.print(Panel(Text(task["answer"]), title="answered", title_align="left"))
    for question in answer["questions"]:
        screen.print(f"  {question}", markup=False)
    given = {"thumbs": "up or down", "likert": f"1 to {answer['points']}", "fraction": "0 to 1"}[answer["scale"]]
    screen.print(f"hallmark review score {name} --score ({given})", style="dim", markup=False, soft_wrap=True)


@reviews.command()
def score(
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help="REVIEW/NUMBER, as `hallmark review next` names it")],
    given: Annotated[str, typer.Option("--score", help="On the review's scale: up, 4, 0.8")],
    note: Annotated[str, typer.Option(help="What you want to add")] = "",
    change: Annotated[bool, typer.Option("--change", help="Change your score; the first one is kept, too")] = False,
    as_json: AsJson = False,
) -> None:
    """Say how good an answer is."""
    review, _, number = task.rpartition("/")
    if not review:
        fail(context, f"{task!r} is no task: write REVIEW/NUMBER, as `hallmark review next` names it")
    answer = ask_reviews(
        context,
        ScoreQuestion(review=review, task=number, score=given, note=note, change=change),
    )
    if as_json:
        print_json(answer)
        return
    kept = answer["score"]
    context.obj.screen.print(f"{task}: {kept['value']:g} kept{' instead' if kept['revision'] else ''}", markup=False)
    if answer["status"] != "open":
        context.obj.screen.print(f"that was the last one: `hallmark review show {review}`", style="green")


@reviews.command()
def close(context: typer.Context, review: ReviewName, as_json: AsJson = False) -> None:
    """End a review with the scores that it has."""
    answer = ask_reviews(context, CloseQuestion(review=review))
    if as_json:
        print_json(answer)
    else:
        context.obj.screen.print(f"{review} closed: {_mean(answer['outcome'] or {})}")


@reviews.command()
def start(
    context: typer.Context,
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="`hallmark review programs` lists them")],
    request_id: Annotated[str | None, typer.Option(help="The same again is the same review")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a review now."""
    key = request_id or str(uuid.uuid4())
    answer = ask_reviews(context, StartQuestion(program=program, request_id=key))
    if as_json:
        print_json(answer)
    else:
        context.obj.screen.print(f"{answer['review']} is being drawn: `hallmark review next` shows the first answer")


@reviews.command()
def note(
    context: typer.Context,
    node: Annotated[str, typer.Argument(metavar="NODE", help="ARN, S3 URI, kind:name, or a unique part of a name")],
    text: Annotated[str, typer.Option("--text", help="What is to be kept")],
    as_json: AsJson = False,
) -> None:
    """Write something down beside a node of lineage; it is kept as a fact."""
    shown = guard(context, lambda service: service.ask(ShowQuestion(node=node)))
    if isinstance(shown, Candidates):
        context.obj.errors.print(screens.candidates_screen(shown), soft_wrap=True)
        raise typer.Exit(_NOT_TOLD)
    # A key names the birth of a resource too, which facts leave to the graph.
    identifier = shown.node.key.partition("@2")[0] if shown.node.key.startswith("arn:") else shown.node.key
    question = NoteQuestion(kind=shown.node.kind.value, node=identifier, text=text)
    answer = ask_reviews(context, question)
    if as_json:
        print_json(answer)
    else:
        context.obj.screen.print(f"noted: `hallmark show {answer['note']}`", markup=False, soft_wrap=True)


def _show(screen: Console, answer: dict[str, Any]) -> None:
    outcome = answer["outcome"] or {}
    table = Table(box=None, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows = {
        "review": answer["review"],
        "of": f"{answer['subject_name']} ({answer['population']:,} answers in {answer['source']})",
        "asked for by": answer["cause"],
        "status": f"[{_COLOURS[answer['status']]}]{answer['status']}[/]",
        "mean": _mean(outcome, threshold=answer["threshold"]),
        "agreement": _agreement(outcome) or outcome.get("no_agreement", ""),
        "ends": answer["expires_at"][:16].replace("T", " ") if answer["status"] == "open" else "",
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    screen.print(table)
    listed = Table(box=None, header_style="bold")
    for title in ("task", "asked", "answered", "scores"):
        listed.add_column(
            title, overflow="fold" if title == "scores" else "ellipsis", max_width=40, no_wrap=title != "scores"
        )
    for task in answer["tasks_listed"]:
        listed.add_row(
            task["id"], Text(task["prompt"].replace("\n", " ")), Text(task["answer"].replace("\n", " ")), _scores(task)
        )
    screen.print(listed)


def _scores(task: dict[str, Any]) -> Text:
    text = Text()
    for place, each in enumerate(task["scores"]):
        said = f"{each['value']:g} {each['by'].rpartition('/')[2]}{': ' + each['note'] if each['note'] else ''}"
        text.append("\n" if place else "").append(said, style="" if each["counts"] else "dim strike")
    return text


def _mean(outcome: dict[str, Any], threshold: float | None = None) -> str:
    if outcome.get("mean") is None:
        return ""
    colour = _JUDGEMENTS[outcome["judgement"]]
    against = f", asked for {threshold:.2f}" if threshold is not None else ""
    span = f"{outcome['mean']:.2f} ({outcome['low']:.2f} to {outcome['high']:.2f}{against})"
    return f"{span} [{colour}]{outcome['judgement']}[/]"


def _agreement(outcome: dict[str, Any]) -> str:
    found = outcome.get("agreement")
    return f"{found['alpha']:.2f} ({found['low']:.2f} to {found['high']:.2f})" if found else ""
