"""``hallmark reproduce --run``: copies, starts, waits, and says what lineage says of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from hallmark.aws.rerunning import Reruns, StartedRun
from hallmark.cli.session import LineageService, fail, guard, print_json
from hallmark.errors import HallmarkError
from hallmark.lineage.model import FINAL_STATUSES
from hallmark.lineage.questions import ShowAnswer, ShowQuestion
from hallmark.lineage.references import resource_ref
from hallmark.lineage.reproduction.announcing import reproduction_id
from hallmark.lineage.reproduction.judging import Outcome
from hallmark.lineage.reproduction.manifest import Manifest
from hallmark.lineage.reproduction.staging import plan_copies

UNLIKE = 3
UNSURE = 4
_LOOK_SECONDS = (0.5, 1, 2, 4, 8, 15)
"""Pauses between looks: a short job is seen at once, a long one is not asked for without need."""
_JUDGED_WITHIN = timedelta(minutes=5)
"""Lineage has an ended job within seconds; the queue tries again where AWS did not answer."""

_SAID = {
    Outcome.EXACT: ("reproduced", "bold green"),
    Outcome.WITHIN_TOLERANCE: ("reproduced within tolerance", "bold green"),
    Outcome.DIFFERENT: ("not reproduced", "bold red"),
    Outcome.INCONCLUSIVE: ("cannot be told", "bold yellow"),
}


def run_again(context: typer.Context, manifest: Manifest, *, minutes: float, as_json: bool) -> int:
    """Run a manifest and say what it came to; return the exit code."""
    if manifest.request is None:
        context.obj.errors.print("It cannot be started: what is not known stands above", style="bold red")
        return UNSURE
    service: LineageService = guard(context, lambda found: found)
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    try:
        reruns = service.reruns()
        _stage(context, service, reruns, manifest)
        started = reruns.start(manifest)
        context.obj.errors.print(f"started {started.arn}", markup=False, soft_wrap=True)
        if not _await_end(context, reruns, manifest, until):
            context.obj.errors.print(f"it still runs after {minutes:g} minutes; {_later(manifest, started)}")
            return UNSURE
        verdict = _await_judgement(context, service, manifest, started)
    except HallmarkError as error:
        fail(context, str(error))
    if verdict is None:
        context.obj.errors.print(f"it has ended, and is not judged yet; {_later(manifest, started)}", soft_wrap=True)
        return UNSURE
    return _say(context, manifest, verdict, as_json=as_json)


def _stage(context: typer.Context, service: LineageService, reruns: Reruns, manifest: Manifest) -> None:
    copies = list(plan_copies(manifest, service.account()))
    columns = (TextColumn("copying versions"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=context.obj.errors, transient=True) as progress:
        task = progress.add_task("", total=len(copies))
        for _ in reruns.copy(copies):
            progress.advance(task)
    size = sum(copy.size for copy in copies)
    context.obj.errors.print(f"{len(copies):,} objects ({size:,} bytes) are in place", markup=False)


def _await_end(context: typer.Context, reruns: Reruns, manifest: Manifest, until: datetime) -> bool:
    """Wait until the run has ended; tell whether it has."""
    with context.obj.errors.status("starting") as status:
        for look in range(1_000_000):
            standing = reruns.standing(manifest)
            if standing.status in FINAL_STATUSES:
                return True
            if datetime.now(UTC) >= until:
                return False
            status.update(f"{standing.status} {standing.detail}".strip())
            time.sleep(_LOOK_SECONDS[min(look, len(_LOOK_SECONDS) - 1)])
    return False


def _await_judgement(
    context: typer.Context, service: LineageService, manifest: Manifest, started: StartedRun
) -> ShowAnswer | None:
    """Wait until lineage has the run and what it came to; None where it does not in time."""
    node = _judgement_id(manifest, started)
    until = datetime.now(UTC) + _JUDGED_WITHIN
    with context.obj.errors.status("waiting for lineage to compare"):
        for look in range(1_000_000):
            answer = service.ask(ShowQuestion(node=node))
            if isinstance(answer, ShowAnswer) and answer.node.key == node and answer.node.status is not None:
                return answer
            if datetime.now(UTC) >= until:
                return None
            time.sleep(_LOOK_SECONDS[min(look, len(_LOOK_SECONDS) - 1)])
    return None


def _judgement_id(manifest: Manifest, started: StartedRun) -> str:
    return reproduction_id(resource_ref(started.arn, manifest.run.kind, started.made_at.astimezone(UTC)).key)


def _later(manifest: Manifest, started: StartedRun) -> str:
    return f"ask later: hallmark show {_judgement_id(manifest, started)}"


def _say(context: typer.Context, manifest: Manifest, answer: ShowAnswer, *, as_json: bool) -> int:
    outcome = Outcome(str(answer.node.status))
    told = answer.attributes
    if as_json:
        print_json({"reproduction": answer.node.key, "outcome": outcome.value, **_document(told)})
    else:
        words, style = _SAID[outcome]
        context.obj.screen.print(
            Text.assemble((f"{manifest.run.name}: {words}", style), f": {told['summary']}"), soft_wrap=True
        )
        for name, metric in sorted((told.get("metrics") or {}).items()):
            mark = "=" if metric.get("is_near") else "≠"
            context.obj.screen.print(f"  {mark} {name}: {metric.get('first')} / {metric.get('second')}", markup=False)
        for word in ("read", "wrote"):
            for role, compared in sorted((told.get(word) or {}).items()):
                mark = {True: "=", False: "≠", None: "?"}[compared.get("is_same")]
                context.obj.screen.print(
                    f"  {mark} {word} {role}: {compared.get('text')}", markup=False, soft_wrap=True
                )
        context.obj.screen.print(f"  in lineage, and in the ledger: {answer.node.key}", markup=False, soft_wrap=True)
    if outcome in {Outcome.EXACT, Outcome.WITHIN_TOLERANCE}:
        return 0
    return UNLIKE if outcome is Outcome.DIFFERENT else UNSURE


def _document(told: dict[str, Any]) -> dict[str, Any]:
    names = ("original", "run", "summary", "tolerance", "tolerance_rule", "metrics", "read", "wrote", "conditions")
    return {name: told[name] for name in names if name in told}
