"""``hallmark monitors``: how production stands against its baselines, and why."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from hallmark.cli.session import FAILED, fail, guard, print_json
from hallmark.cli.times import read_time
from hallmark.drift.questions import (
    LookQuestion,
    LookStateQuestion,
    MonitorQuestion,
    MonitorsQuestion,
    Question,
    ReportQuestion,
)

STACK = "HallmarkDrift"
_LOOK_SECONDS = 1.0
_COLOURS = {"clear": "green", "drifted": "red", "failed": "red", "waiting": "cyan"}
_FORMS = {".html": "html", ".md": "md", ".json": "json"}

monitors = typer.Typer(help="How production stands against its baselines.")

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]
MonitorName = Annotated[
    str, typer.Argument(metavar="NAME", help="A monitor of hallmark.yaml; `hallmark monitors` lists them")
]


def _ask(context: typer.Context, question: Question) -> dict[str, Any]:
    payload = question.model_dump(mode="json")
    answer: dict[str, Any] = guard(context, lambda service: service.call("QueryDriftFunctionName", STACK, payload))
    return answer


@monitors.callback(invoke_without_command=True)
def list_monitors(context: typer.Context, as_json: AsJson = False) -> None:
    """List monitors: how each stands, its last window, and when the next is due."""
    if context.invoked_subcommand is not None:
        return
    answer = _ask(context, MonitorsQuestion())
    if as_json:
        print_json(answer)
        return
    if not answer["monitors"]:
        context.obj.screen.print("hallmark.yaml names no monitors: docs/drift.md shows how")
        return
    table = Table(box=None, header_style="bold")
    for title in ("monitor", "status", "watches", "last window until", "next from", ""):
        table.add_column(title, overflow="fold" if title in {"", "watches"} else "ellipsis")
    for each in answer["monitors"]:
        table.add_row(
            each["monitor"],
            _status(each["status"]),
            f"{each['source']} of {each['subject']}",
            _moment(each["last_window"]),
            _moment(each["next"]),
            each["reason"] or ", ".join(each["drifted"]),
        )
    context.obj.screen.print(table)


@monitors.command()
def show(
    context: typer.Context,
    name: MonitorName,
    looks: Annotated[int, typer.Option(min=1, max=200, help="How many looks")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show one monitor: how it stands, its baseline, its latest looks."""
    answer = _ask(context, MonitorQuestion(monitor=name, looks=looks))
    if as_json:
        print_json(answer)
        return
    screen: Console = context.obj.screen
    facts = Table(box=None, show_header=False)
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    rows = {
        "monitor": name,
        "status": _status(answer["status"]),
        "since": _moment(answer["since"]),
        "why": answer["reason"],
        "drifted": ", ".join(answer["drifted"]),
        "watches": f"{answer['source']} of {answer['subject']}, every {answer['every']}",
        "actions": ", ".join(answer["actions"]),
        "baseline": answer["baseline"],
        "next from": _moment(answer["next"]),
    }
    for title, value in rows.items():
        if value and value != "-":
            facts.add_row(title, value)
    screen.print(facts)
    table = Table(box=None, header_style="bold")
    for title in ("window until", "outcome", "told", "report"):
        table.add_column(title, overflow="fold")
    for look in answer["looks"]:
        report = (look["report"] or "").partition("/")[2]
        told = ", ".join(look["told"])
        table.add_row(_moment(look["end"]), _status(look["outcome"]), told, report or look["reason"] or "")
    screen.print(table)


@monitors.command()
def run(
    context: typer.Context,
    name: MonitorName,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Look as of then: the window that was over by then")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the look, then show its report")] = False,
    as_json: AsJson = False,
) -> None:
    """Look now. A window that was looked at already gives the report that there is."""
    try:
        moment = read_time(at, datetime.now(UTC)) if at is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    started = _ask(context, LookQuestion(monitor=name, at=moment))
    if not wait:
        if as_json:
            print_json(started)
        else:
            context.obj.screen.print(f"{name} looks: `hallmark monitors show {name}` tells what it found")
        return
    looked = _await_look(context, str(started["execution"]))
    if looked["status"] != "SUCCEEDED":
        fail(context, f"{name} could not look: {looked.get('error', looked['status'])}: {looked.get('cause', '')}")
    output = looked["output"]
    if as_json:
        print_json(output)
    elif output["report"]:
        _show_report(context, output["report"])
    else:
        context.obj.screen.print(f"{output['outcome']}: {output['reason']}", style=_COLOURS[output["outcome"]])
    retraining = output.get("retraining")
    if retraining is not None and not as_json:
        told = f"started {retraining['execution']}" if retraining["started"] else f"not started: {retraining['reason']}"
        context.obj.screen.print(f"retraining {told}", markup=False, soft_wrap=True)
    if output["outcome"] == "failed":
        raise typer.Exit(FAILED)


@monitors.command()
def report(
    context: typer.Context,
    report_id: Annotated[str, typer.Argument(metavar="ID", help="A report; or a monitor, for its latest")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to a file: .html, .md or .json")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a report: each statistic with its interval, its limit and its evidence."""
    if output is None and not as_json:
        _show_report(context, report_id)
        return
    if output is not None and output.suffix not in _FORMS:
        fail(context, f"{output}: write to a file that ends in {', '.join(_FORMS)}")
    form = "json" if output is None else _FORMS[output.suffix]
    question = ReportQuestion.model_validate({"report": report_id, "form": form})
    content = str(_ask(context, question)["content"])
    if output is None:
        typer.echo(content)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(content, encoding="utf-8")
    except OSError as error:
        fail(context, f"{output}: {error.strerror}: choose another --output")
    context.obj.screen.print(f"{output}: {len(content):,} characters", markup=False)


def _show_report(context: typer.Context, report_id: str) -> None:
    answer = _ask(context, ReportQuestion(report=report_id, form="md"))
    context.obj.screen.print(Markdown(answer["content"]))
    name = str(answer["report"]).partition("/")[2]
    context.obj.screen.print(f"hallmark monitors report {name} -o report.html", style="dim", soft_wrap=True)


def _await_look(context: typer.Context, execution: str) -> Mapping[str, Any]:
    with context.obj.errors.status("looking"):
        while True:
            state = _ask(context, LookStateQuestion(execution=execution))
            if state["status"] != "RUNNING":
                return state
            time.sleep(_LOOK_SECONDS)


def _status(status: str) -> str:
    return f"[{_COLOURS.get(status, 'default')}]{status}[/]"


def _moment(text: str | None) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}" if text else "-"
