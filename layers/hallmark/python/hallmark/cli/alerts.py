"""``hallmark alerts``: what fires, what is known of it, who has it, what is silenced."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hallmark.alerts.questions import (
    AcknowledgeRequest,
    AlertQuestion,
    OpenAlertsQuestion,
    Question,
    Request,
    SilenceRequest,
    SilencesQuestion,
    UnsilenceRequest,
)
from hallmark.cli.session import fail, guard, print_json
from hallmark.cli.times import read_time

STACK = "HallmarkAlerts"
ACTING = "ActOnAlertsFunctionName"
_COLOURS = {"info": "cyan", "warning": "yellow", "error": "red", "critical": "bold red"}

alerts = typer.Typer(help="What fires, what is known of it, who has it, what is silenced.")

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]
Match = Annotated[
    list[str] | None,
    typer.Option(
        "--match", metavar="LABEL=VALUE", help="Only these; * is any text, ! in front anything but; repeatable"
    ),
]


def _ask(context: typer.Context, question: Question) -> dict[str, Any]:
    payload = question.model_dump(mode="json")
    answer: dict[str, Any] = guard(context, lambda service: service.call("QueryAlertsFunctionName", STACK, payload))
    return answer


def _act(context: typer.Context, request: Request) -> dict[str, Any]:
    payload = request.model_dump(mode="json")
    answer: dict[str, Any] = guard(context, lambda service: service.call_signed(ACTING, STACK, payload))
    return answer


@alerts.callback(invoke_without_command=True)
def list_alerts(
    context: typer.Context,
    match: Match = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the alerts that fire, those that began last first."""
    if context.invoked_subcommand is not None:
        return
    answer = _ask(context, OpenAlertsQuestion(match=_matchers(context, match), limit=limit))
    if as_json:
        print_json(answer)
    elif not answer["alerts"]:
        context.obj.screen.print("nothing fires", style="green")
    else:
        context.obj.screen.print(_alerts_table(answer["alerts"]))


@alerts.command()
def show(
    context: typer.Context,
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="An alert's id or fingerprint")],
    as_json: AsJson = False,
) -> None:
    """Show one alert: its numbers, what depends on it, what changed, what to do."""
    answer = _ask(context, AlertQuestion(alert=alert))
    if as_json:
        print_json(answer)
    else:
        _show(context.obj.screen, answer)


@alerts.command()
def ack(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="ALERT|GROUP", help="An alert, or all that fire in a group")],
    reason: Annotated[str, typer.Option(help="Why nobody else needs to look; it is kept in lineage")],
    as_json: AsJson = False,
) -> None:
    """Say that you have it: nobody else is told because of it."""
    answer = _act(context, AcknowledgeRequest(target=target, reason=reason))
    if as_json:
        print_json(answer)
        return
    for each in answer["acknowledged"]:
        who = each["acknowledged"]["by"]
        context.obj.screen.print(f"{each['fingerprint']} {each['summary']}: {who} has it", markup=False)


@alerts.command()
def silence(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why nobody is to be told")],
    length: Annotated[str, typer.Option("--for", metavar="TIME", help="2h, 3d ...")],
    match: Match = None,
    as_json: AsJson = False,
) -> None:
    """Let nobody be told of some alerts for a while; they go on to fire."""
    now = datetime.now(UTC)
    try:
        lasting = now - read_time(length, now)
    except ValueError:
        lasting = timedelta(0)
    if lasting <= timedelta(0):
        fail(context, f"--for is {length!r}: write how long, as 30m, 2h or 3d")
    request = SilenceRequest(match=_matchers(context, match), length=lasting, reason=reason)
    answer = _act(context, request)
    if as_json:
        print_json(answer)
    else:
        context.obj.screen.print(f"{answer['id']} silences until {_moment(answer['ends_at'])} UTC", markup=False)


@alerts.command()
def silences(
    context: typer.Context,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that have ended")] = False,
    as_json: AsJson = False,
) -> None:
    """List the silences that hold."""
    answer = _ask(context, SilencesQuestion(ended=ended))
    if as_json:
        print_json(answer)
        return
    if not answer["silences"]:
        context.obj.screen.print("nothing is silenced", style="dim")
        return
    table = Table(box=None, header_style="bold")
    for title in ("silence", "of", "until", "by", "why"):
        table.add_column(title, overflow="fold")
    for each in answer["silences"]:
        match = ", ".join(f"{label}={'|'.join(values)}" for label, values in each["match"].items())
        said = (each["id"], match, _moment(each["ends_at"]), _name(each["author"]), each["reason"])
        table.add_row(*map(escape, said))
    context.obj.screen.print(table)


@alerts.command()
def unsilence(
    context: typer.Context,
    silence_id: Annotated[str, typer.Argument(metavar="SILENCE", help="`hallmark alerts silences` lists them")],
    as_json: AsJson = False,
) -> None:
    """End a silence now: what still fires is told at the next look."""
    answer = _act(context, UnsilenceRequest(silence=silence_id))
    if as_json:
        print_json(answer)
    else:
        context.obj.screen.print(f"{answer['id']} has ended", markup=False)


def _matchers(context: typer.Context, match: list[str] | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in match or ():
        label, equals, value = each.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", label):
            fail(context, f"--match is {each!r}: write LABEL=VALUE, e.g. name=DriftDetected")
        found[label] = (*found.get(label, ()), value)
    return found


def _alerts_table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold")
    for title in ("alert", "severity", "since", "what", ""):
        table.add_column(title, overflow="fold")
    for each in found:
        table.add_row(
            each["fingerprint"],
            f"[{_COLOURS[each['severity']]}]{each['severity']}[/]",
            _moment(each["starts_at"]),
            escape(f"{each['name']}: {each['summary']}"),
            escape(_state(each)),
        )
    return table


def _state(each: dict[str, Any]) -> str:
    if each["acknowledged"]:
        return f"{_name(each['acknowledged']['by'])} has it"
    if each["silenced_by"]:
        return f"silenced by {each['silenced_by']}"
    if each["inhibited"]:
        return "muted by another one"
    return "flaps" if each["flapping"] else ""


def _show(screen: Console, each: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows = {
        "alert": each["id"],
        "what": f"{each['name']}: {each['summary']}",
        "severity": each["severity"],
        "status": each["status"] if not _state(each) else f"{each['status']}, {_state(each)}",
        "since": f"{_moment(each['starts_at'])} UTC",
        "until": f"{_moment(each['ends_at'])} UTC" if each["ends_at"] else "",
        "labels": ", ".join(f"{label}={value}" for label, value in each["labels"].items()),
        "owners": ", ".join(each["owners"]),
        "told": ", ".join(f"{group['receiver']} (group {group['group']})" for group in each["groups"]),
    }
    told = [(name, value) for name, value in rows.items() if value]
    told += [("number", _reading(reading)) for reading in each["readings"]]
    told += [("affected", f"{node['kind']} {node['label']}") for node in each["affected"]]
    told += [("changed", change["what"]) for change in each["changes"]]
    told += [("do", line) for line in each["remediation"]]
    told += [(link["title"], link["command"] or link["url"]) for link in each["links"]]
    for name, value in told:
        # What people wrote is no markup.
        shown = f"[{_COLOURS[value]}]{value}[/]" if name == "severity" else escape(value)
        table.add_row(escape(name), shown)
    screen.print(table)


def _reading(reading: dict[str, Any]) -> str:
    parts = [f"{reading['metric']} {reading['statistic']}".strip()]
    if reading["value"] is not None:
        parts.append(f"{reading['value']:.4g}{reading['unit'] and ' ' + reading['unit']}")
    if reading["low"] is not None and reading["high"] is not None:
        parts.append(f"({reading['low']:.4g} to {reading['high']:.4g})")
    if reading["threshold"] is not None:
        parts.append(f"{reading['comparison'].replace('_', ' ')} {reading['threshold']:.4g}".strip())
    if reading["change_fraction"] is not None:
        parts.append(f"{reading['change_fraction']:+.1%}")
    if reading["cases"] is not None:
        parts.append(f"{reading['cases']:,} cases")
    return " ".join(parts)


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _name(arn: str) -> str:
    return arn.rpartition("/")[2] or arn
