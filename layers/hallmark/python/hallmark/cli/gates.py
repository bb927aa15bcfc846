"""``hallmark gate``: ask a gate for a verdict, and see what gates ask and said."""

from __future__ import annotations

import os
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from hallmark.cli import screens
from hallmark.cli.gate_reports import junit, markdown
from hallmark.cli.session import print_json
from hallmark.errors import HallmarkError
from hallmark.gates.questions import (
    CheckQuestion,
    GateQuestion,
    GatesQuestion,
    RequestQuestion,
    VerdictQuestion,
    VerdictsQuestion,
)
from hallmark.gates.verdicts import Verdict
from hallmark.lineage.questions import Candidates, ShowAnswer, ShowQuestion

STACK = "HallmarkGates"
PASSED, GATE_FAILED, INCONCLUSIVE, ERROR = 0, 1, 2, 3
"""What a CI job is told."""
_EXITS = {"passed": PASSED, "failed": GATE_FAILED, "inconclusive": INCONCLUSIVE}
_COLOURS = {"passed": "green", "failed": "red", "inconclusive": "yellow"}
_LOOK_SECONDS = 1.0
_CI_VARIABLES = ("CI_JOB_URL", "GITHUB_RUN_ID", "BUILD_URL", "CI")

gates = typer.Typer()
"""Commands of the group ``gate`` that ask for verdicts and show them."""

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]


@gates.command()
def check(  # noqa: PLR0913, PLR0917 - an option each
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="As in lineage: an ARN, group:version, an endpoint; or a Bedrock id")
    ],
    stage: Annotated[str | None, typer.Option(help="Ask the gate at this stage")] = None,
    gate: Annotated[str | None, typer.Option(help="Ask this gate")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the verdict; the exit code tells it")] = False,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long to wait at most")] = 180,
    junit_file: Annotated[Path | None, typer.Option("--junit", metavar="F", help="Write a JUnit report")] = None,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", metavar="F", help="Write it as Markdown")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a gate whether a model may move on. Exit codes: 0 passed, 1 failed, 2 inconclusive, 3 error."""
    if (stage is None) == (gate is None):
        _stop(context, "name either --stage or --gate")
    question = CheckQuestion(
        model=_resolved(context, model),
        gate=gate,
        stage=stage,
        request_id=uuid.uuid4().hex,
        trigger="ci" if any(os.environ.get(name) for name in _CI_VARIABLES) else "manual",
        by=_caller(context),
    )
    asked = _ask(context, question)
    if not (wait or junit_file or markdown_file):
        if as_json:
            print_json(asked)
        else:
            context.obj.screen.print(f"{asked['gate']} was asked: request {asked['request']}; --wait shows the verdict")
        return
    verdict = _await(context, str(asked["request"]), minutes)
    for file, written in ((junit_file, junit), (markdown_file, markdown)):
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(written(verdict), encoding="utf-8")
    if as_json:
        print_json(verdict.model_dump(mode="json"))
    else:
        context.obj.screen.print(verdict_screen(verdict))
    raise typer.Exit(_EXITS[verdict.outcome])


@gates.command("list")
def list_gates(context: typer.Context, as_json: AsJson = False) -> None:
    """List the gates of the policy and what each asks."""
    answer = _ask(context, GatesQuestion())
    if as_json:
        print_json(answer)
        return
    table = Table("gate", "stage", "for", "asks", "where it fails", "then", box=None, pad_edge=False)
    for gate in answer["gates"]:
        models = [name for names in gate["models"].values() for name in names]
        asks = [f"{name}: {_asked(criterion)}" for name, criterion in gate["criteria"].items()]
        then = " then ".join(filter(None, ["approval" if gate["approval"] else "", gate["next_stage"] or ""]))
        table.add_row(
            gate["name"],
            gate["stage"],
            "\n".join(models),
            "\n".join(asks),
            gate["action_on_failure"].replace("_", " "),
            then or "-",
        )
    context.obj.screen.print(table if answer["gates"] else "hallmark.yaml has no gates: docs/gates.md shows how")


@gates.command()
def verdicts(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Only those of this model")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many")] = 20,
    as_json: AsJson = False,
) -> None:
    """List verdicts, the latest first."""
    named = None if model is None else _resolved(context, model)
    answer = _ask(context, VerdictsQuestion(model=named, limit=limit))
    if as_json:
        print_json(answer)
        return
    found = [Verdict.model_validate(each) for each in answer["verdicts"]]
    table = Table(box=None, pad_edge=False)
    # What it is of and what it says is never cut; who asked may be, on a narrow screen.
    for title, whole in (("verdict", 1), ("gate", 1), ("model", 1), ("outcome", 1), ("decided", 0), ("asked by", 0)):
        table.add_column(title, overflow="fold" if whole else "ellipsis", min_width=10 if whole else None)
    for verdict in found:
        table.add_row(
            short_id(verdict),
            verdict.request.gate,
            verdict.model_name,
            Text(verdict.outcome, style=_COLOURS[verdict.outcome]),
            _time(verdict.decided_at),
            verdict.request.requested_by.rpartition("/")[2] or verdict.request.trigger,
        )
    context.obj.screen.print(table if found else "no verdict yet: `hallmark gate check` asks for one")


@gates.command()
def show(
    context: typer.Context,
    verdict: Annotated[str, typer.Argument(metavar="VERDICT", help="`hallmark gate verdicts` lists them")],
    as_json: AsJson = False,
) -> None:
    """Show a verdict: each criterion with value, interval, threshold, cases, and why."""
    found = Verdict.model_validate(_ask(context, VerdictQuestion(verdict=verdict))["verdict"])
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        context.obj.screen.print(verdict_screen(found))


def verdict_screen(verdict: Verdict) -> Group:
    """Return a verdict as people read it."""
    colour = _COLOURS[verdict.outcome]
    title = Text.assemble(
        (f"{verdict.outcome.upper()}  ", f"bold {colour}"),
        (verdict.model_name, "bold"),
        f" at {verdict.request.gate} ({verdict.stage}), {_time(verdict.decided_at)}",
    )
    table = Table("", "criterion", "value", "interval", "threshold", "cases", "why", box=None, pad_edge=False)
    for each in verdict.criteria:
        bounds = "" if each.low is None and each.high is None else f"{_figure(each.low)} to {_figure(each.high)}"
        wanted = "" if each.threshold is None else f"{each.comparison.replace('_', ' ')} {_figure(each.threshold)}"
        table.add_row(
            Text({"passed": "✓", "failed": "✗", "inconclusive": "?"}[each.outcome], style=_COLOURS[each.outcome]),
            f"{each.name}\n{each.metric}" if each.metric else each.name,
            "" if each.value is None else _figure(each.value),
            bounds,
            wanted,
            "" if each.cases is None else f"{each.cases:,}",
            Text(each.why),
        )
    rest = [Text(f"follows: {verdict.action.replace('_', ' ')} · verdict {short_id(verdict)}", style="dim")]
    rest += [Text(f"evidence: {uri}", style="dim") for uri in verdict.evidence]
    return Group(title, Text(), table, Text(), *rest)


def short_id(verdict: Verdict) -> str:
    """Return the end of a verdict's id, which ``gate show`` takes."""
    return verdict.id.rpartition("/")[2]


def _await(context: typer.Context, request: str, minutes: float) -> Verdict:
    errors: Console = context.obj.errors
    deadline = time.monotonic() + 60 * minutes
    with errors.status("the gate looks at the evidence") as status:
        while True:
            answer = _ask(context, RequestQuestion(request=request))
            if "verdict" in answer:
                return Verdict.model_validate(answer["verdict"])
            if answer["status"] == "failed":
                _stop(context, f"the gate could not judge: {answer['reason']}")
            if answer.get("reason"):
                status.update(f"the gate waits for {answer['reason']}")
            if time.monotonic() > deadline:
                _stop(context, f"no verdict within {minutes:g} minutes; it is still awaited (request {request})")
            time.sleep(_LOOK_SECONDS)


def _resolved(context: typer.Context, model: str) -> str:
    """Return the ARN of what is named as in lineage; what is no name there is a foundation model's id."""
    if model.startswith("arn:"):
        return model
    answer = _guard(context, lambda service: service.ask(ShowQuestion(node=model)))
    if isinstance(answer, ShowAnswer):
        key = answer.node.key
        return key.rpartition("@")[0] if answer.node.kind.value == "endpoint" and "@" in key else key
    if isinstance(answer, Candidates) and answer.reason == "ambiguous":
        context.obj.errors.print(screens.candidates_screen(answer), soft_wrap=True)
        raise typer.Exit(ERROR)
    return model


def _caller(context: typer.Context) -> str:
    return str(_guard(context, lambda service: service.caller()))


def _ask(context: typer.Context, question: GateQuestion) -> dict[str, Any]:
    payload = question.model_dump(mode="json")
    answer: dict[str, Any] = _guard(context, lambda service: service.call("QueryGatesFunctionName", STACK, payload))
    return answer


def _guard(context: typer.Context, call: Any) -> Any:
    """Call the deployed stacks; an error ends with the code for errors, not with that of a gate that failed."""
    try:
        return call(context.obj.connect())
    except HallmarkError as error:
        _stop(context, str(error))


def _stop(context: typer.Context, message: str) -> NoReturn:
    context.obj.errors.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(ERROR)


def _asked(criterion: dict[str, Any]) -> str:
    told = {
        name: value for name, value in criterion.items() if name not in {"kind", "metric"} and value not in ((), [])
    }
    figures = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())
    return " ".join(filter(None, [str(criterion.get("metric") or criterion["kind"]), figures]))


def _figure(value: float | None) -> str:
    return "…" if value is None else f"{value:.4g}"


def _time(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
