"""``hallmark coverage``: how much of the account lineage knows, what is missing, because of what; how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hallmark.cli.looks import look_of
from hallmark.cli.screens import moment
from hallmark.cli.session import fail, guard, print_json
from hallmark.cli.times import read_time
from hallmark.lineage.coverage.report import CoverageReport, Gap, Incomplete, KindCoverage
from hallmark.lineage.model import NodeKind

coverage = typer.Typer(rich_markup_mode=None)
"""The command ``coverage``."""

TOO_LOW = 3
NOT_WHOLE = 4
_PATIENCE_SECONDS = 50
"""Below the time that the command line waits for an answer (``hallmark/aws/deployed.py``)."""
_SHOWN = 10
_NAMED = 4


@coverage.command("coverage")
def show_coverage(
    context: typer.Context,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="Only this kind of resource, e.g. training-job; may be repeated")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="What was made since then; measures anew")] = None,
    now: Annotated[bool, typer.Option("--now", help="Measure anew, rather than show what was measured last")] = False,
    fail_under: Annotated[
        float | None, typer.Option(min=0, max=100, metavar="PERCENT", help="Exit code 3 where it is less")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON")] = False,
) -> None:
    """Say which share of the account's resources has complete lineage, and what the others lack.

    Exit code 3: less than --fail-under. 4: not everything could be listed and looked at.
    """
    question: dict[str, Any] = {"ask": "latest"}
    if now or since is not None:
        question = {"ask": "measure", "seconds": _PATIENCE_SECONDS}
        if since is not None:
            question["since"] = _time(since).isoformat()
        if kinds:
            question["kinds"] = kinds
    answer = guard(context, lambda service: service.call("MeasureCoverageFunctionName", "HallmarkLineage", question))
    report = CoverageReport.model_validate(answer)
    if kinds:
        report = _only(context, report, kinds)
    if as_json:
        print_json(_document(report))
    else:
        context.obj.screen.print(coverage_screen(report))
    raise typer.Exit(_exit_code(context, report, fail_under))


def _exit_code(context: typer.Context, report: CoverageReport, fail_under: float | None) -> int:
    if not report.whole:
        said = "This measurement is INCOMPLETE: the notes say what could not be listed or looked at"
        context.obj.errors.print(said, style="bold yellow")
    if fail_under is not None and report.percent is not None and report.percent < fail_under:
        said = f"{report.percent:.1f} % is less than {fail_under:g} %"
        context.obj.errors.print(said, style="red", markup=False)
        return TOO_LOW
    return 0 if report.whole else NOT_WHOLE


def _only(context: typer.Context, report: CoverageReport, kinds: list[str]) -> CoverageReport:
    there = {kind.kind for kind in report.kinds}
    unknown = [kind for kind in kinds if kind not in there]
    if unknown:
        fail(context, f"--kind is {unknown[0]!r}: choose from {', '.join(sorted(there))}")
    return report.model_copy(update={"kinds": tuple(kind for kind in report.kinds if kind.kind in kinds)})


def _document(report: CoverageReport) -> dict[str, Any]:
    """Return the report with the shares, which follow from it."""
    document = report.model_dump(mode="json")
    document |= {"percent": report.percent, "whole": report.whole}
    for told, kind in zip(document["kinds"], report.kinds, strict=True):
        told["percent"] = kind.percent
    return document


def _time(text: str) -> datetime:
    try:
        return read_time(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None


# --- the screen ---


def coverage_screen(report: CoverageReport) -> RenderableType:
    """Return a measurement: a table of kinds, then what is missing, with reasons and remedies."""
    return Group(*_parts(report))


def _parts(report: CoverageReport) -> Iterator[RenderableType]:
    since = f", made since {moment(report.since)}" if report.since else ""
    share = "nothing to judge" if report.percent is None else f"{report.percent:.1f} % have complete lineage"
    yield Text.assemble(
        (f"{report.judged:,} resources{since}: {share}", "bold"), f" (measured {moment(report.measured_at)} UTC)"
    )
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("kind", "in account", "gone", "recorded", "judged", "complete", "lack"):
        table.add_column(title, justify="left" if title in {"kind", "lack"} else "right", overflow="fold")
    for kind in report.kinds:
        if kind.in_account or kind.gone or not kind.whole:
            table.add_row(*_row(kind, report.required))
    yield table
    for kind in report.kinds:
        yield from _kind(kind)
    yield from _unmatched(report)


def _row(kind: KindCoverage, required: tuple[str, ...]) -> tuple[str | Text, ...]:
    share = "-" if kind.percent is None else f"{kind.percent:.1f} %"
    lacking = Text(", ").join(
        Text(f"{need} {count:,}", style="red" if need in required or need == "record" else "dim")
        for need, count in kind.lacking.items()
    )
    count = "" if kind.whole else "+"
    return (
        look_of(NodeKind(kind.kind)).words,
        f"{kind.in_account:,}{count}",
        f"{kind.gone:,}",
        f"{kind.recorded:,}",
        f"{kind.judged:,}",
        share,
        lacking,
    )


def _kind(kind: KindCoverage) -> Iterator[RenderableType]:
    if kind.note:
        yield Text(f"{look_of(NodeKind(kind.kind)).words}: {kind.note}", style="yellow")
    if not kind.incomplete:
        return
    count = len(kind.incomplete) + kind.incomplete_left_out
    yield Text(f"{kind.percent:.1f} % of {look_of(NodeKind(kind.kind)).words} have complete lineage; {count:,} lack:")
    causes = _causes(kind.incomplete)
    for gap, names in causes[:_SHOWN]:
        shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
        yield Text.assemble(
            f"  {gap.need}: {gap.because}\n", (f"    → {gap.remedy}\n", "cyan"), (f"    {shown}", "dim")
        )
    if len(causes) > _SHOWN or kind.incomplete_left_out:
        yield Text(f"  … and more (--json lists {len(kind.incomplete):,} of {count:,})", style="dim")


def _causes(incomplete: Sequence[Incomplete]) -> list[tuple[Gap, list[str]]]:
    """Return each thing that is missing for one and the same reason, with what lacks it; the most frequent first."""
    found: dict[Gap, list[str]] = {}
    for each in incomplete:
        for gap in each.gaps:
            if gap.is_required:
                found.setdefault(gap, []).append(each.name)
    return sorted(found.items(), key=lambda cause: -len(cause[1]))


def _unmatched(report: CoverageReport) -> Iterator[RenderableType]:
    if not report.unmatched:
        yield Text("Every input of a run matches something.", style="green")
        return
    inputs = "1 input matches" if report.unmatched == 1 else f"{report.unmatched:,} inputs match"
    yield Text(f"{inputs} nothing that lineage knows:", style="bold yellow")
    for each in report.unmatched_inputs[:_SHOWN]:
        readers = f"{each.readers:,} runs, first {each.first_reader}" if each.readers > 1 else each.first_reader
        yield Text.assemble(
            f"  {each.dataset} (read by {readers}): {each.because}\n", (f"      → {each.remedy}", "cyan")
        )
    if report.unmatched > _SHOWN:
        listed = len(report.unmatched_inputs)
        yield Text(f"  … and {report.unmatched - _SHOWN:,} more (--json lists {listed:,})", style="dim")
