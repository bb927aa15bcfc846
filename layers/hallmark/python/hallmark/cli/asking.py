"""How commands ask lineage: names that tell no node, answers that were cut, times, and what an answer rests on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from hallmark.cli import screens
from hallmark.cli.session import fail, guard, print_json
from hallmark.cli.times import read_time
from hallmark.lineage.questions import Answer, Candidates, Question

NOT_TOLD = 2
"""Exit code where a name tells no node, or several."""

Node = Annotated[str, typer.Argument(metavar="NODE", help="ARN, S3 URI, kind:name, or a unique part of a name")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="The graph as it held then")]
KnownAt = Annotated[str | None, typer.Option("--known-at", metavar="TIME", help="Only what had been learned by then")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]
Resume = Annotated[str | None, typer.Option(metavar="TOKEN", help="Go on where an answer was cut")]
AllPages = Annotated[bool, typer.Option("--all", help="Fetch all pages of a long answer")]


def ask(context: typer.Context, question: Question, *, as_json: bool) -> Any:
    """Ask; where the node cannot be told, show the candidates and end."""
    answer: Answer = guard(context, lambda service: service.ask(question))
    if isinstance(answer, Candidates):
        if as_json:
            print_json(answer.model_dump(mode="json"))
        else:
            context.obj.errors.print(screens.candidates_screen(answer), soft_wrap=True)
        raise typer.Exit(NOT_TOLD)
    if answer.answer != question.ask:
        fail(context, f"the query function answered {question.ask} with {answer.answer}: deploy the stack again")
    return answer


def ask_pages(
    context: typer.Context, question: Any, join: Callable[[Any, Any], Any], *, everything: bool, as_json: bool
) -> Any:
    """Ask, and where everything is wanted go on until nothing is cut; ``join`` adds a page to what was answered."""
    answer = ask(context, question, as_json=as_json)
    while everything and answer.resume is not None:
        answer = join(answer, ask(context, question.model_copy(update={"resume": answer.resume}), as_json=as_json))
    return answer


def print_answer(context: typer.Context, answer: Any, screen: Callable[[], RenderableType], *, as_json: bool) -> None:
    """Print an answer as JSON, or as a screen."""
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        context.obj.screen.print(screen())


def say_cut(context: typer.Context, answer: Any, remedy: str = "ask of a nearer node") -> None:
    """Say that an answer is not whole, and how to get the rest."""
    if answer.complete:
        return
    resume = getattr(answer, "resume", None)
    how = f"ask the same again with --resume {resume}, or with --all for everything" if resume else remedy
    context.obj.errors.print(f"This answer is INCOMPLETE: {how}", style="bold yellow", soft_wrap=True, markup=False)


def time_of(text: str | None) -> datetime | None:
    """Read a time as people write it.

    Raises:
        BadParameter: It is none.
    """
    if text is None:
        return None
    try:
        return read_time(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def foot(answer: Answer) -> Text:
    """Return what an answer rests on: as of when it holds, from what was known by when."""
    parts = [f"as of {screens.moment(answer.as_of)}"] if answer.as_of else []
    parts += [f"as known at {screens.moment(answer.known_at)}"] if answer.known_at else []
    return Text(f"{', '.join(parts)} UTC" if parts else "", style="dim")
