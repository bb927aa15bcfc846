"""``hallmark who``, ``approvals``, ``reasons``: who did what, with whose word, and why."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from hallmark.cli import screens
from hallmark.cli.asking import AsJson, AsOf, KnownAt, Node, ask, say_cut, time_of
from hallmark.cli.looks import look_of
from hallmark.cli.session import print_json
from hallmark.cli.tree import shortened
from hallmark.lineage.accountable import (
    FINDING_WORDS,
    Act,
    ApprovalsAnswer,
    ApprovalsQuestion,
    Approved,
    ReasonsAnswer,
    ReasonsQuestion,
    WhoAnswer,
    WhoQuestion,
)
from hallmark.pseudonyms import spoken_person

who_commands = typer.Typer(rich_markup_mode=None)
"""The commands ``who``, ``approvals`` and ``reasons``."""

LACKING = 4

_ACTORS = {"person": "green", "machine": "cyan", "session": "yellow", "root": "red", "account": "yellow"}
_ACTOR_WORDS = {
    "session": "a session: its name proves nobody",
    "root": "the account's root: nobody's name",
    "account": "another account",
    "unknown": "nobody knows who",
}
_AGENT_LETTERS = 40
_NAME_LETTERS = 45
"""The name that CDK gives a role is longer."""

Check = Annotated[bool, typer.Option("--check", help="End with exit code 4 where something lacks")]


@who_commands.command()
def who(
    context: typer.Context,
    node: Node,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many of the latest")] = 20,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what to a node, when, from where and why, the newest first; of a user: what they did."""
    question = WhoQuestion(node=node, limit=limit, as_of=time_of(as_of), known_at=time_of(known_at))
    answer: WhoAnswer = ask(context, question, as_json=as_json)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    elif answer.acts:
        context.obj.screen.print(Group(*(_act(act) for act in answer.acts)))
    else:
        context.obj.screen.print(
            f"nobody is known to have done anything to {answer.node.label}: does a trail of CloudTrail log the "
            "account's management events?",
            markup=False,
        )
    say_cut(context, answer, "ask for more with --limit")


@who_commands.command()
def approvals(
    context: typer.Context,
    group: Annotated[
        str, typer.Argument(metavar="[GROUP]", help="A model package group, or a package; all groups, if not given")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every approved version, not the newest only")] = False,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    check: Check = False,
    as_json: AsJson = False,
) -> None:
    """Show whose word approved each group's newest approved model: a person's, the author's, a machine's.

    `hallmark gate approvals` lists the questions that still wait for an answer.
    """
    question = ApprovalsQuestion(group=group, everything=everything, as_of=time_of(as_of), known_at=time_of(known_at))
    answer: ApprovalsAnswer = ask(context, question, as_json=as_json)
    lacking = [found for found in answer.approved if not found.accepted]
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        if answer.approved:
            context.obj.screen.print(_approvals(answer.approved))
        context.obj.screen.print(
            f"{len(lacking)} of {len(answer.approved)} approvals lack the word of a person who is not the author; "
            f"groups without an approved version: {answer.without} of {answer.groups}",
            style="yellow" if lacking else "green",
        )
    say_cut(context, answer, "ask for one group")
    if check and lacking:
        raise typer.Exit(LACKING)


@who_commands.command()
def reasons(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only calls since then, e.g. 7d")] = None,
    limit: Annotated[int, typer.Option(min=1, max=5000, help="How many of the latest calls to look at")] = 500,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    check: Check = False,
    as_json: AsJson = False,
) -> None:
    """Show what people changed without saying why."""
    question = ReasonsQuestion(since=time_of(since), limit=limit, as_of=time_of(as_of), known_at=time_of(known_at))
    answer: ReasonsAnswer = ask(context, question, as_json=as_json)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        if answer.missing:
            context.obj.screen.print(Group(*(_act(act) for act in answer.missing)))
        said = answer.by_people - len(answer.missing)
        asked = "policy requires a reason" if answer.required else "policy requires none"
        context.obj.screen.print(
            f"{said} of {answer.by_people} calls of people say why ({answer.calls} calls in all; {asked})",
            style="yellow" if answer.missing else "green",
        )
    say_cut(context, answer, "look at more with --limit")
    if check and answer.missing:
        raise typer.Exit(LACKING)


def _act(act: Act) -> RenderableType:
    changed = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(act.details.items()))
    failed = "" if act.outcome == "done" else f"  ATTEMPTED, {act.error or 'failed'}"
    head = Text.assemble(
        (screens.moment(act.at), "dim"), "  ", (act.what, "bold"), f"  {changed}" if changed else "", (failed, "red")
    )
    place = ", ".join(filter(None, (act.source_ip, act.region, act.user_agent[:_AGENT_LETTERS])))
    via = f" via {act.via}" if act.via else ""
    claimed = f", says it is {act.claimed}" if act.claimed else ""
    by = Text.assemble(
        "    by ",
        (act.name or _short(act.by) or "?", _ACTORS.get(act.actor, "yellow")),
        f" ({_ACTOR_WORDS.get(act.actor, act.actor)}{claimed}){via}",
        f"  from {place}" if place else f"  told by {act.told_by}",
    )
    why = f"{act.why} ({act.why_from})" if act.why_from else act.why
    reason = Text.assemble(
        "    why ", (why, "") if why else ("not said", "yellow" if act.actor != "machine" else "dim")
    )
    return Group(head, by, reason)


def _approvals(found: tuple[Approved, ...]) -> RenderableType:
    return Group(*(_approval(each) for each in found))


def _approval(each: Approved) -> RenderableType:
    look = look_of(each.package.kind)
    head = Text.assemble(
        (f"{look.symbol} ", look.family.colour),
        (each.package.label, "bold"),
        (f"  {screens.moment(each.at)}" if each.at else "", "dim"),
        ("  the word of ", "dim"),
        (FINDING_WORDS[each.finding], "green" if each.accepted else "red"),
    )
    name = shortened(each.name or _short(each.by) or "?", _NAME_LETTERS)
    by = Text.assemble("    approved by ", (name, "bold"), f", author {', '.join(map(_short, each.authors)) or '?'}")
    return Group(head, by, Text.assemble("    why ", (each.why, "") if each.why else ("not said", "yellow")))


def _short(arn: str) -> str:
    return spoken_person(arn.rpartition(":")[2] if arn.startswith("arn:") else arn)
