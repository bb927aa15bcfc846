"""``hallmark evaluate``, ``runs``, ``report``, ``suites``, ``forecast``, ``history``, ``try``: what models can."""

from __future__ import annotations

import getpass
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from hallmark.cli.session import FAILED, fail, guard, print_json
from hallmark.evaluation.cases import Case
from hallmark.evaluation.questions import (
    ForecastQuestion,
    HistoryQuestion,
    Question,
    ReportQuestion,
    RunQuestion,
    RunsQuestion,
    StartQuestion,
    SuitesQuestion,
    TryQuestion,
)
from hallmark.evaluation.runs import Run, RunStatus

_LOOK_SECONDS = 1.0
_FOLDED = re.compile(r"^<details><summary>(.*?)</summary>$.*?^</details>$\n*", re.DOTALL | re.MULTILINE)
_COLOURS = {
    RunStatus.COMPLETED: "green",
    RunStatus.FAILED: "red",
    RunStatus.STOPPED: "yellow",
    RunStatus.RUNNING: "cyan",
    RunStatus.PLANNING: "cyan",
}


evaluations = typer.Typer()
"""Commands about evaluations, on the same level as those about lineage."""

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]
SuiteName = Annotated[
    str, typer.Argument(metavar="SUITE", help="A suite of hallmark.yaml; `hallmark suites` lists them")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run; `hallmark runs` lists them")]
Models = Annotated[
    list[str] | None, typer.Option("--model", metavar="M", help="Only this variant (and the champion); may be repeated")
]


def _ask(context: typer.Context, question: Question) -> Any:
    return guard(context, lambda service: service.ask_evaluations(question))


@evaluations.command()
def evaluate(
    context: typer.Context,
    suite: SuiteName,
    model: Models = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the progress, then the report")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a suite now."""
    started = _ask(context, StartQuestion(suite=suite, models=tuple(model or ()), by=_person()))
    if not wait:
        if as_json:
            print_json(started)
        else:
            context.obj.screen.print(f"{started['run']} started: `hallmark runs {started['run']}` tells how it stands")
        return
    run = _await_run(context.obj.errors, started["run"], lambda name: _find(context, name))
    if as_json:
        print_json(run.model_dump(mode="json"))
    else:
        _show_run(context.obj.screen, run)
        if run.report is not None:
            _show_report(context.obj.screen, _ask(context, ReportQuestion(run=run.run))["report"], run.run)
    if run.status is RunStatus.FAILED:
        raise typer.Exit(FAILED)


@evaluations.command(short_help="Show how runs stand, and why they failed.")
def runs(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run, in full")] = None,
    suite: Annotated[str | None, typer.Option(help="Only runs of this suite")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show how the latest runs of suites stand, what they cost, and why they failed."""
    if run is not None:
        found = Run.model_validate(_ask(context, RunQuestion(run=run)))
        if as_json:
            print_json(found.model_dump(mode="json"))
        else:
            _show_run(context.obj.screen, found)
        return
    answer = _ask(context, RunsQuestion(suite=suite, limit=limit))
    if as_json:
        print_json(answer)
    else:
        context.obj.screen.print(_runs_table([Run.model_validate(each) for each in answer["runs"]]))


@evaluations.command(short_help="Show what a run found.")
def report(
    context: typer.Context,
    run: RunName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to a file: .html, .md or .json")
    ] = None,
    data: Annotated[
        bool, typer.Option("--data", help="Show what its datasets are like, and every line that was rejected")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a run found: estimates with intervals, comparisons, coverage."""
    if data:
        text = _ask(context, ReportQuestion(run=run, form="data"))["report"]
        if as_json:
            typer.echo(text)
        else:
            _show_data(context.obj.screen, json.loads(text))
        return
    forms = {".html": "html", ".md": "md", ".json": "json"}
    if output is not None and output.suffix not in forms:
        fail(context, f"{output}: write to a file that ends in {', '.join(forms)}")
    form = "json" if as_json else forms[output.suffix] if output is not None else "md"
    text = _ask(context, ReportQuestion.model_validate({"run": run, "form": form}))["report"]
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
        context.obj.screen.print(f"{output}: {len(text):,} characters", markup=False)
    elif as_json:
        typer.echo(text)
    else:
        _show_report(context.obj.screen, text, run)


def _show_data(screen: Console, datasets: dict[str, Any]) -> None:
    for name, found in datasets.items():
        schema = found["report"]
        columns = ", ".join(f"{column} {count:,}" for column, count in schema["columns"].items())
        read = f"{schema['lines']:,} lines of {schema['objects']:,} objects, {found['rejected']:,} rejected"
        screen.print(f"{name}: {read}", markup=False)
        screen.print(f"  filled: {columns}", markup=False)
        for what in ("groups", "categories"):
            if schema[what]:
                parts = ", ".join(f"{part} {count:,}" for part, count in schema[what].items())
                screen.print(f"  {what}: {parts}", markup=False)
        screen.print(
            f"  without expected output: {schema['without_expected']:,}; same prompt as another: "
            f"{schema['same_prompt']:,}; longest prompt: {schema['longest_prompt']:,} characters",
            markup=False,
        )
        for each in found["rejections"]:
            place = f"{each['object']}:{each['line']}"
            screen.print(f"  rejected {place}: {each['field']}: {each['reason']}", markup=False)


@evaluations.command()
def suites(context: typer.Context, as_json: AsJson = False) -> None:
    """List the suites of the deployed policy."""
    answer = _ask(context, SuitesQuestion())
    if as_json:
        print_json(answer)
        return
    table = Table(box=None, header_style="bold")
    for title in ("suite", "models", "datasets", "scorers", "runs", "budget"):
        table.add_column(title)
    for each in answer["suites"]:
        champion = each["champion"]
        table.add_row(
            each["suite"],
            ", ".join(f"{name}*" if name == champion else name for name in each["models"]),
            ", ".join(each["datasets"]),
            ", ".join(each["scorers"]),
            f"{each['frequency']} {each['time_zone']}" if each["frequency"] else "on demand",
            f"${each['budget_usd']:g}",
        )
    context.obj.screen.print(table)


@evaluations.command(short_help="Show a metric over the runs of a suite.")
def history(
    context: typer.Context,
    suite: SuiteName,
    metric: Annotated[str | None, typer.Argument(metavar="[METRIC]", help="The primary one, if not given")] = None,
    limit: Annotated[int, typer.Option(min=2, max=200, help="How many runs")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show how a metric went over the runs of a suite, and where it changed."""
    answer = _ask(context, HistoryQuestion(suite=suite, metric=metric, limit=limit))
    if as_json:
        print_json(answer)
    else:
        _show_history(context.obj.screen, answer)


@evaluations.command(short_help="Say what a run could show, and cost, before it costs anything.")
def forecast(
    context: typer.Context,
    suite: SuiteName,
    difference: Annotated[
        float | None, typer.Option(help="The smallest difference that matters; the suite's margin, if not given")
    ] = None,
    cases: Annotated[
        int | None, typer.Option(min=2, help="Cases of each model; as the sample or the last run has, if not given")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which difference a run would find, how many cases would find another, and what they would cost."""
    if difference is not None and not difference > 0:
        fail(context, f"--difference {difference:g}: give a number above 0")
    answer = _ask(context, ForecastQuestion(suite=suite, difference=difference, cases=cases))
    if as_json:
        print_json(answer)
    else:
        _show_foresight(context.obj.screen, answer)


def _show_foresight(screen: Console, answer: dict[str, Any]) -> None:
    cases, wanted, usd = answer["cases"], answer["difference"], answer["expected_usd"]
    told = "cases are not known yet" if cases is None else f"{cases:,} cases of each model"
    cost = "" if usd is None else f", about ${usd:.4f} of ${answer['budget_usd']:g}"
    screen.print(f"{answer['suite']}: {answer['primary']}, {told}{cost}", style="bold", markup=False)
    table = Table(box=None, header_style="bold")
    needed = "cases needed" if wanted is None else f"cases to find {wanted:g}"
    for title, justify in (("candidate", "left"), ("against", "left"), ("finds", "right"), (needed, "right")):
        table.add_column(title, justify="right" if justify == "right" else "left")
    table.add_column("cost", justify="right")
    table.add_column("supposing", overflow="fold")
    for each in answer["prospects"]:
        found, count, price = each["detectable"], each["needed"], each["needed_usd"]
        table.add_row(
            each["candidate"] or "any",
            each["baseline"] or "any",
            "-" if found is None else f"{found:.3g}",
            "-" if count is None else f"{count:,}",
            "-" if price is None else f"${price:.4f}",
            each["supposing"],
        )
    if answer["prospects"]:
        screen.print(table)
        shared = f", shared by {answer['comparisons']} comparisons" if answer["comparisons"] > 1 else ""
        sure = f"  with {answer['power']:.0%} power, at {answer['confidence']:.4g} confidence{shared}"
        screen.print(sure, style="dim", markup=False)
    if answer["affordable_cases"] is not None:
        screen.print(f"  the budget pays for about {answer['affordable_cases']:,} cases of each model", style="dim")
    if answer["note"]:
        screen.print(f"  {answer['note']}", style="dim", markup=False)


@evaluations.command("try", short_help="Ask the models one question now.")
def try_prompt(
    context: typer.Context,
    suite: SuiteName,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to ask")],
    expected: Annotated[list[str] | None, typer.Option(help="A right answer; may be repeated")] = None,
    model: Models = None,
    as_json: AsJson = False,
) -> None:
    """Ask the models of a suite one question now, and score the answers."""
    case = Case(id="try", prompt=prompt, expected=tuple(expected or ()))
    answer = _ask(context, TryQuestion(suite=suite, models=tuple(model or ()), cases=(case,)))
    if as_json:
        print_json(answer)
        return
    for result in answer["results"]:
        found, failure = result.get("answer"), result.get("failure")
        scores = {each["metric"]: each.get("value") for each in result.get("scores", [])}
        told = found["text"] if found else f"{failure['kind']}: {failure['reason']}"
        context.obj.screen.print(f"[bold]{result['model']}[/bold]  ", end="")
        context.obj.screen.print(told, markup=False)
        numbers = [f"{name} {value:.3f}" for name, value in scores.items() if value is not None]
        context.obj.screen.print("  " + ", ".join(numbers), style="dim")


def _person() -> str:
    try:
        return getpass.getuser()
    except OSError:
        return ""


def _find(context: typer.Context, name: str) -> Run | None:
    """Return a run; None until the workflow has written it down."""
    found = _ask(context, RunsQuestion(limit=50))
    return next((Run.model_validate(each) for each in found["runs"] if each["run"] == name), None)


def _await_run(screen: Console, name: str, find: Callable[[str], Run | None]) -> Run:
    """Show the progress of a run until it has ended."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}  {task.fields[cost]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    ended = {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED}
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(f"{name}: planning", total=None, rate="", cost="")
        while True:
            run = find(name)
            if run is not None:
                done = run.answered + run.failed
                seconds = max((datetime.now(UTC) - run.started_at).total_seconds(), 1e-3)
                progress.update(
                    task,
                    description=f"{name}: {run.status.value}",
                    total=run.planned or None,
                    completed=done,
                    rate=f"{done / seconds:.1f} cases/s",
                    cost=f"${run.spent_usd:.4f} of ${run.budget_usd:g}",
                )
                if run.status in ended:
                    return run
            time.sleep(_LOOK_SECONDS)


def _runs_table(runs: list[Run]) -> Table:
    table = Table(box=None, header_style="bold")
    for title in ("run", "status", "started", "trigger", "answered", "cost", ""):
        table.add_column(title, overflow="fold" if title == "" else "ellipsis")
    for run in runs:
        table.add_row(
            run.run,
            f"[{_COLOURS[run.status]}]{run.status.value}[/]",
            f"{run.started_at:%Y-%m-%d %H:%M:%S}",
            run.trigger.kind,
            f"{run.answered:,}/{run.planned:,}",
            f"${run.spent_usd:.4f}",
            run.reason or run.verdict or "",
        )
    return table


def _show_run(screen: Console, run: Run) -> None:
    table = Table(box=None, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    took = (run.ended_at or datetime.now(UTC)) - run.started_at
    rows = {
        "run": run.run,
        "suite": run.suite,
        "status": f"[{_COLOURS[run.status]}]{run.status.value}[/]",
        "why": run.reason,
        "verdict": run.verdict,
        "trigger": f"{run.trigger.kind} {run.trigger.source}".strip(),
        "models": ", ".join(run.models),
        "started": f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC, took {took.total_seconds():.0f} s",
        "calls": f"{run.answered:,} answered, {run.failed:,} failed, of {run.planned:,} planned",
        "tokens": f"{run.input_tokens:,} in, {run.output_tokens:,} out",
        "cost": f"${run.spent_usd:.6f} of ${run.budget_usd:g} (forecast ${run.expected_usd:.6f})",
        "report": run.report,
        "log": run.execution,
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    screen.print(table)


def _show_report(screen: Console, text: str, run: str) -> None:
    """Show the answer of a report; what it folds is named, for a terminal cannot unfold it."""
    screen.print(Markdown(_FOLDED.sub("", text)))
    titles = [unescape(title) for title in _FOLDED.findall(text)]
    if titles:
        screen.print(f"\nAlso in the report: {', '.join(titles)}.", style="dim", markup=False)
        screen.print(f"hallmark report {run} -o report.html", style="dim", markup=False, soft_wrap=True)


def _show_history(screen: Console, answer: dict[str, Any]) -> None:
    """Show one line a model: its values from old to new, the latest with its interval, and what changed when."""
    screen.print(f"{answer['suite']}: {answer['title']} over {answer['runs']} runs", style="bold")
    table = Table(box=None, header_style="bold")
    for title in ("model", "", "latest", ""):
        table.add_column(title, overflow="fold")
    for line in answer["lines"]:
        points = line["points"]
        latest, span = points[-1], points[-1]["span"]
        interval = f" ({_end(span['low'])} to {_end(span['high'])})" if span else ""
        table.add_row(
            line["model"],
            _spark([point["value"] for point in points]),
            f"{latest['value']:.4g}{interval}",
            line["sentence"],
        )
    screen.print(table)
    for line in answer["lines"]:
        for change in line["changes"]:
            screen.print(
                f"  {line['model']}: {change['before']:.4g} to {change['after']:.4g} from {change['run']}", style="dim"
            )
        for gap in line["breaks"]:
            screen.print(f"  not comparable from {gap['after']}: {'; '.join(gap['reasons'])}", style="dim")
    for skipped in answer["skipped"]:
        screen.print(f"  {skipped['run']} could not be read: {skipped['reason']}", style="yellow")


def _end(value: float | None) -> str:
    return "open" if value is None else f"{value:.4g}"


_BARS = "▁▂▃▄▅▆▇█"


def _spark(values: list[float]) -> str:
    low, high = min(values), max(values)
    if low == high:
        return _BARS[0] * len(values)
    return "".join(_BARS[round((value - low) / (high - low) * (len(_BARS) - 1))] for value in values)
