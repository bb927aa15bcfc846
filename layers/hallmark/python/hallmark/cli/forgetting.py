"""``hallmark forget``: destroy what is kept of who a person is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hallmark.cli.session import guard, print_json

forgetting = typer.Typer()
_STACK = "HallmarkLineage"

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]


@forgetting.command()
def forget(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why, without the name: 10 to 1,000 characters; kept for good")],
    person: Annotated[
        list[str] | None,
        typer.Argument(metavar="PERSON…", help="Each name, e-mail address or ARN of theirs; asked, if not given"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again")] = False,
    as_json: AsJson = False,
) -> None:
    """Destroy what is kept of who a person is. What they did stays, and nobody can say any more that it was them.

    It cannot be undone. The ledger keeps that somebody was forgotten, by whom, when and why.
    """
    # A command's arguments stay in the history of the shell: whoever minds is asked instead.
    wanted = person or [typer.prompt("Person", err=True)]
    if not yes:
        typer.confirm("Nobody will be able to tell any more who this was. Go on?", abort=True, err=True)
    message = {"persons": wanted, "reason": reason}
    said: dict[str, Any] = guard(
        context, lambda service: service.call_signed("ForgetPersonFunctionName", _STACK, message)
    )
    if as_json:
        print_json(said)
        return
    tokens = said["tokens"]
    many = "1 token stands" if tokens == 1 else f"{tokens:,} tokens stand"
    context.obj.screen.print(
        f"forgotten: {many} for nobody any more; recorded as hallmark:forgetting/{said['forgetting']}, "
        f"by {said['by']}: {said['reason']}",
        markup=False,
        soft_wrap=True,
    )
