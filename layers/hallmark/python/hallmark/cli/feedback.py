"""``hallmark feedback``: say how good an answer was, follow it, and make datasets of corrections."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from hallmark.cli.helping import WholeHelp
from hallmark.cli.reviews import STACK, AsJson, ask_reviews
from hallmark.cli.session import guard, print_json
from hallmark.reviews.questions import FeedbackQuestion, FeedbackStatusQuestion


class GiveByDefault(WholeHelp):
    """``hallmark feedback REQUEST_ID`` is ``hallmark feedback give REQUEST_ID``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command before the arguments, where they begin with a request's id."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["give", *args]
        return super().parse_args(ctx, args)


feedback = typer.Typer(
    cls=GiveByDefault,
    help="What production says of answers: hallmark feedback REQUEST_ID --score 1, --correct TEXT, --label X.",
    no_args_is_help=True,
)


@feedback.command()
def give(
    context: typer.Context,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="Bedrock's requestId, or inferenceId or eventId of a capture")
    ],
    score: Annotated[float | None, typer.Option(help="0 (worst) to 1 (best)")] = None,
    correct: Annotated[str | None, typer.Option(help="What would have been right")] = None,
    label: Annotated[str | None, typer.Option(help="The right label")] = None,
    comment: Annotated[str, typer.Option(help="What you want to add")] = "",
    model: Annotated[str, typer.Option(help="ARN or id of the model, where no log has the request")] = "",
    as_json: AsJson = False,
) -> None:
    """Say how good an answer was."""
    by = guard(context, lambda service: service.caller())
    said: dict[str, Any] = {"request_id": request_id, "by": by, "comment": comment, "model": model}
    said |= {"score": score, "correct": correct, "label": label}
    given = {name: value for name, value in said.items() if value not in (None, "")}
    answer = guard(context, lambda service: service.call("ReceiveFeedbackFunctionName", STACK, given))
    if as_json:
        print_json(answer)
    else:
        known = "kept" if answer["new"] else "known already"
        context.obj.screen.print(f"{answer['feedback']} {known}: `hallmark feedback show {request_id}`", markup=False)


@feedback.command()
def show(
    context: typer.Context,
    request_id: Annotated[str, typer.Argument(metavar="REQUEST_ID", help="As it was given")],
    as_json: AsJson = False,
) -> None:
    """Show all feedback on a request, and which model it was about."""
    answer = ask_reviews(context, FeedbackQuestion(request_id=request_id))
    if as_json:
        print_json(answer)
        return
    if not answer["feedback"]:
        context.obj.screen.print("no feedback on this request", style="dim")
    for each in answer["feedback"]:
        given, found = each["given"], each["found"] or {}
        table = Table(box=None, show_header=False, title=each["id"], title_justify="left", title_style="bold")
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        rows = {
            "status": each["status"],
            "model": found.get("subject"),
            "asked": found.get("prompt"),
            "answered": found.get("answer"),
            "score": given["score"],
            "correct": given["correct"] or given["label"],
            "comment": given["comment"],
            "by": given["by"],
            "received": each["received_at"][:19].replace("T", " "),
            "dataset": each["dataset"],
        }
        for name, value in rows.items():
            if value not in (None, ""):
                table.add_row(name, Text(str(value)))
        context.obj.screen.print(table)


@feedback.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Count feedback: whose answer is looked for, what can become cases, what is exported, what was never found."""
    counts = ask_reviews(context, FeedbackStatusQuestion())["counts"]
    if as_json:
        print_json(counts)
        return
    words = {
        "waiting": "wait for the log that has their answer",
        "usable": "can become cases of the next dataset",
        "scored": "say how good an answer was, not what is right",
        "exported": "are in a dataset",
        "lost": "were about answers that no log has",
    }
    for name, word in words.items():
        context.obj.screen.print(f"{counts[name]:>8,}  {word}", style="red" if name == "lost" and counts[name] else "")


@feedback.command()
def export(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="Only of this model or endpoint: its ARN, or a part of it")] = None,
    min_cases: Annotated[int | None, typer.Option(min=1, help="Fewer make no dataset")] = None,
    as_json: AsJson = False,
) -> None:
    """Write corrected answers as datasets, in the format of evaluation's cases."""
    wish = {name: value for name, value in (("model", model), ("min_cases", min_cases)) if value is not None}
    answer = guard(context, lambda service: service.call("ExportFeedbackFunctionName", STACK, wish))
    if as_json:
        print_json(answer)
        return
    if not answer["datasets"]:
        context.obj.screen.print("too few corrections wait: `hallmark feedback status` counts them", style="dim")
    for each in answer["datasets"]:
        line = f"{each['dataset']}: {each['cases']:,} cases about {each['model']}"
        context.obj.screen.print(line, markup=False, soft_wrap=True)
