"""``hallmark gate approvals``, ``approve``, ``reject``, ``override``: a person's word on a model."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from hallmark.cli.session import guard, print_json
from hallmark.cli.tree import shortened
from hallmark.gates.approvals import Approval, Decision
from hallmark.gates.deciding import DecideRequest, ListRequest, OverrideRequest, Request

gate_actions = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
"""Commands of the group ``gate`` with which people decide."""

_ARN_PARTS = 5
"""Parts of an ARN before its resource (IAM user guide)."""
_NAME_LETTERS = 40
_COLOURS = {"pending": "yellow", "approved": "green", "rejected": "red", "expired": "dim"}

ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL", help="As `hallmark gate approvals` lists it: ap-…")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in lineage and in the registry")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]


def _send(context: typer.Context, request: Request) -> dict[str, Any]:
    answer: dict[str, Any] = guard(context, lambda service: service.decide(request))
    return answer


@gate_actions.command()
def approvals(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are decided or expired")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many of the latest to look at")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show which models wait for a person's word."""
    listed = [Approval.model_validate(each) for each in _send(context, ListRequest(limit=limit))["approvals"]]
    found = [each for each in listed if everything or each.state == "pending"]
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
    elif found:
        context.obj.screen.print(_listing(found))
    else:
        context.obj.screen.print("nothing waits for a person's word")


@gate_actions.command()
def approve(context: typer.Context, approval: ApprovalId, reason: Reason, as_json: AsJson = False) -> None:
    """Let a model move on that has passed its gate."""
    _decide(context, approval, "approved", reason, as_json=as_json)


@gate_actions.command()
def reject(context: typer.Context, approval: ApprovalId, reason: Reason, as_json: AsJson = False) -> None:
    """Let a model not move on although it has passed its gate."""
    _decide(context, approval, "rejected", reason, as_json=as_json)


@gate_actions.command()
def override(
    context: typer.Context,
    verdict: Annotated[str, typer.Argument(metavar="VERDICT", help="Id of the verdict: hallmark:verdict/…")],
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Let a model move on against the verdict of its gate. It is recorded with your name, and everybody is told."""
    told = _send(context, OverrideRequest(verdict=verdict, reason=reason))["override"]
    if as_json:
        print_json(told)
        return
    context.obj.screen.print(f"{told['modelName']}: gate {told['gate']} overridden by {told['by']}", style="yellow")


def _decide(context: typer.Context, approval: str, decision: Decision, reason: str, *, as_json: bool) -> None:
    request = DecideRequest(approval=approval, decision=decision, reason=reason)
    decided = Approval.model_validate(_send(context, request)["approval"])
    if as_json:
        print_json(decided.model_dump(mode="json"))
        return
    style = _COLOURS[decided.state]
    context.obj.screen.print(
        f"{decided.model_name} {decided.state} for {decided.stage} by {decided.by}", style=style, markup=False
    )


def _listing(found: list[Approval]) -> RenderableType:
    """Return a paragraph an approval: names are longer than the columns of a table would be."""
    return Group(*(line for each in found for line in _told(each)))


def _told(each: Approval) -> Iterator[Text]:
    late = " (over)" if each.state == "pending" and each.expires_at < datetime.now(UTC) else ""
    yield Text.assemble(
        (f"{each.id}  ", "dim"),
        (f"{each.state}{late}  ", _COLOURS[each.state]),
        (each.model_name, "bold"),
        f"  gate {each.gate}, for {each.stage}",
    )
    may = ", ".join(_whom(name) for name in each.rules.approvers) or "anybody"
    decided = f"by {_whom(each.by)}" if each.by else f"until {each.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    yield Text(f"    {decided}; who may: {may}")
    if each.reason or each.summary:
        yield Text(f"    {each.reason or each.summary}")


def _whom(name: str) -> str:
    """Return whom an ARN names; ``--json`` has all of it."""
    resource = name.split(":", _ARN_PARTS)[-1] if name.startswith("arn:") else name
    return shortened(resource, _NAME_LETTERS)
