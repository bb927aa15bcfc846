"""Answers that reason, on one screen each: what counts most first, the rest counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hallmark.cli.asking import foot
from hallmark.cli.looks import label_of, look_of, status_colour
from hallmark.cli.screens import NodeLine, contrasted, field_name, moment, value_text
from hallmark.cli.tree import shortened
from hallmark.lineage.questions import NodeSummary, VersionStep
from hallmark.lineage.reasoned import (
    Actor,
    BisectAnswer,
    BlastAnswer,
    CriterionTold,
    DataUsed,
    Hit,
    LiveAnswer,
    LiveEndpoint,
    LiveModel,
    Measured,
    ModelOrigin,
    ServedModel,
    Unknown,
    VerdictTold,
    WhyAnswer,
)
from hallmark.pseudonyms import spoken_person

_DATA_SHOWN = 3
_VERDICTS_SHOWN = 3
_CRITERIA_SHOWN = 3
"""Of the newest verdict; of the others the first one."""
_DECISIONS_SHOWN = 2
_ALERTS_SHOWN = 2
_UNKNOWN_SHOWN = 3
_HITS_SHOWN = 8
_SUSPECTS_SHOWN = 12
_SAID_LETTERS = 90
_WHO_LETTERS = 40
_KIBI = 1024
_EFFECTS_OF_MANY = {
    "breaks": "break",
    "is judged again": "are judged again",
    "loses evidence": "lose evidence",
    "descends": "descend",
}
_EFFECT_COLOURS = {"breaks": "bold red", "must change": "red", "is judged again": "yellow", "loses evidence": "yellow"}


class _Rows:
    """A table of two columns: what it is, and what is said."""

    def __init__(self) -> None:
        self.table = Table(box=None, pad_edge=False, show_header=False, expand=True)
        self.table.add_column(style="dim", no_wrap=True, width=10)
        self.table.add_column(ratio=1, overflow="fold")

    def add(self, title: str, *lines: Text | str) -> None:
        """Add lines, the title before the first of them."""
        for number, line in enumerate(lines):
            self.table.add_row(title if number == 0 else "", line)


def _node(node: NodeSummary | None) -> Text:
    if node is None:
        return Text("not known", style="yellow")
    look = look_of(node.kind)
    text = Text.assemble((f"{look.symbol} ", look.family.colour), (label_of(node), "bold"))
    if node.version:
        text.append(f" {node.version}", style="cyan")
    status = "Deleted" if node.deleted else node.status or ""
    return text.append(f" {status}" if status else "", style=status_colour(status))


def _join(parts: Iterable[Text | str], between: str = ", ") -> Text:
    return Text(between, style="dim").join(Text(part) if isinstance(part, str) else part for part in parts)


def _more(left: int, what: str) -> list[Text]:
    return [Text(f"… {left:,} more {what} (--json has all)", style="dim")] if left > 0 else []


def _said(text: str) -> str:
    return shortened(text, _SAID_LETTERS)


# --- why ---


def why_screen(answer: WhyAnswer) -> RenderableType:
    """Return why a node is what it is."""
    rows = _Rows()
    if answer.said:
        rows.add("says", *(_said(text) for text in answer.said[:2]))
    if answer.about:
        rows.add("about", _join(_node(node) for node in answer.about))
    if answer.led_to:
        rows.add("led to", _join(_node(node) for node in answer.led_to))
    if answer.config is not None or answer.serving:
        rows.add("serves", *_serving(answer))
    if answer.replaced is not None:
        served = _join([_served(each) for each in answer.replaced.models] or [_node(answer.replaced.config)])
        rows.add("instead of", served + Text(f", until {moment(answer.replaced.until)}", style="dim"))
    for origin in answer.models:
        _add_origin(rows, origin, alone=len(answer.models) == 1)
    rows.add("alerts", *_alerts(answer))
    rows.add("unknown", *_unknown(answer.unknown))
    return Group(NodeLine(answer.node), rows.table, foot(answer))


def _serving(answer: WhyAnswer) -> Iterator[Text]:
    since = f", since {moment(answer.since)}" if answer.since else ""
    if not answer.serving:
        yield _node(answer.config) + Text(f"{since}; its model is not known", style="yellow")
    for each in answer.serving:
        yield _served(each) + Text(f" by {answer.config.label if answer.config else '?'}{since}", style="dim")


def _served(each: ServedModel) -> Text:
    return _node(each.package if each.package is not None else each.model)


def _add_origin(rows: _Rows, origin: ModelOrigin, *, alone: bool) -> None:
    if not alone or origin.version is not None:
        rows.add("model", *([_node(origin.model)] if not alone else []), *_version(origin.version))
    if origin.cause:
        first, *then = origin.cause
        rows.add("because", _node(first.node) + Text(f" {_said(first.said)}", style="dim"))
        rows.add("", _join([_node(step.node) for step in then], " → "))
    rows.add("made by", _node(origin.made_by))
    shown = origin.data[:_DATA_SHOWN]
    left = len(origin.data) - len(shown) + origin.more_data
    rows.add("data", *(_data(use) for use in shown), *_more(left, "inputs"))
    if not shown:
        rows.add("data", Text("not known", style="yellow"))
    rows.add("code", _join(origin.code) if origin.code else Text("not known", style="yellow"))
    rows.add("image", _join(origin.images) if origin.images else Text("not known", style="yellow"))
    if origin.people:
        rows.add("people", *(_actor(actor) for actor in origin.people))
    if origin.verdicts:
        newest, *others = origin.verdicts[:_VERDICTS_SHOWN]
        told = [_verdict(newest, _CRITERIA_SHOWN), *(_verdict(each, 1) for each in others)]
        rows.add("gates", *told, *_more(len(origin.verdicts) - _VERDICTS_SHOWN, "verdicts"))
    else:
        rows.add("gates", Text("no verdict is known", style="yellow"))
    decided = [_actor(actor) for actor in origin.decisions[:_DECISIONS_SHOWN]]
    left = len(origin.decisions) - _DECISIONS_SHOWN
    rows.add("decided", *(decided or [Text("no decision is known", style="yellow")]), *_more(left, "decisions"))


def _version(step: VersionStep | None) -> list[Text]:
    if step is None:
        return []
    doubt = "" if step.certain else " (not certain)"
    return [Text.assemble((step.version, "cyan"), (f" {step.change}: {step.reason}{doubt}", "dim"))]


def _data(use: DataUsed) -> Text:
    size = ""
    if use.objects is not None and use.bytes is not None:
        size = f" {use.objects:,} object{'' if use.objects == 1 else 's'}, {_bytes(use.bytes)}"
    return Text(f"{use.role} ", style="dim") + _node(use.node) + Text(size, style="dim")


def _bytes(size: float) -> str:
    units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while size >= _KIBI and len(units) > 1:
        size, units = size / _KIBI, units[1:]
    return f"{size:,.0f} {units[0]}" if units[0] == "bytes" else f"{size:,.1f} {units[0]}"


def _actor(actor: Actor) -> Text:
    who = actor.name or spoken_person(actor.by.rpartition(":")[2] if actor.by.startswith("arn:") else actor.by)
    text = Text.assemble((actor.did, "bold"))
    who = shortened(who, _WHO_LETTERS) if who else ""
    text.append(f" by {who}" if who else " by nobody that is known", style="" if who else "yellow")
    if actor.machine:
        text.append(" (a machine)", style="yellow")
    text.append(f" {moment(actor.at)}" if actor.at else "", style="dim")
    return text.append(f": {_said(actor.reason)}" if actor.reason else "")


def _verdict(verdict: VerdictTold, most: int) -> Text:
    status = verdict.node.status or ""
    text = Text.assemble((status, status_colour(status)), f" {verdict.gate}")
    text.append(f" ({verdict.stage})" if verdict.stage else "", style="dim")
    text.append(f" {moment(verdict.node.at)}" if verdict.node.at else "", style="dim")
    shown = verdict.deciding[:most]
    if shown:
        text += Text(": ", style="dim") + _join([_criterion(each) for each in shown], "; ")
    left = verdict.criteria - len(shown)
    return text.append(f"; {left} more" if left > 0 else "", style="dim")


def _criterion(each: CriterionTold) -> Text:
    bounds = f" [{each.low:.4g}, {each.high:.4g}]" if each.low is not None and each.high is not None else ""
    value = f" {each.value:.4g}" if each.value is not None else ""
    against = f" against {each.threshold:.4g}" if each.threshold is not None else ""
    cases = f", {each.cases:,} cases" if each.cases is not None else ""
    colour = "" if each.outcome == "passed" else "red"
    return Text(f"{each.name}{value}{bounds}{against}{cases}", style=colour)


def _alerts(answer: WhyAnswer) -> Iterator[Text]:
    if not answer.alerts:
        yield Text("none is open", style="green")
    for alert in answer.alerts[:_ALERTS_SHOWN]:
        by = (
            f" (acknowledged by {spoken_person(alert.acknowledged_by.rpartition('/')[2])})"
            if alert.acknowledged_by
            else ""
        )
        yield _node(alert.node) + Text(f" {alert.severity}: {_said(alert.summary)}{by}", style="dim")
    yield from _more(len(answer.alerts) - _ALERTS_SHOWN, "alerts")


def _unknown(unknown: Sequence[Unknown]) -> Iterator[Text]:
    if not unknown:
        yield Text("nothing that is asked for here", style="green")
    for each in unknown[:_UNKNOWN_SHOWN]:
        yield Text.assemble((each.what, "yellow"), (f" {each.remedy}", "dim"))
    yield from _more(len(unknown) - _UNKNOWN_SHOWN, "unknown")


# --- live ---


def live_screen(answer: LiveAnswer) -> RenderableType:
    """Return what was in production."""
    count = answer.in_service
    head = Text.assemble((f"{count:,}", "bold"), f" endpoint{'' if count == 1 else 's'} in service")
    parts: list[RenderableType] = [head]
    if answer.endpoints:
        parts += [line for each in answer.endpoints for line in _live(each)]
    if answer.untold:
        text = f"{answer.untold} endpoints were named, but nothing tells whether they served: hallmark backfill"
        parts.append(Text(text, style="yellow"))
    return Group(*parts, foot(answer))


def _live(each: LiveEndpoint) -> Iterator[RenderableType]:
    yield _node(each.endpoint) + Text(f"  since {moment(each.since)}" if each.since else "", style="dim")
    rows = _Rows()
    models: Sequence[LiveModel | None] = each.models or (None,)
    for model in models:
        rows.add("  serves", _node(model.package or model.model if model is not None else None))
        rows.add("  approval", _approved(model))
    yield rows.table


def _approved(model: LiveModel | None) -> Text:
    if model is None or model.package is None:
        return Text("not known", style="yellow")
    if model.approvals:
        return _actor(model.approvals[0])
    status = model.approval_status or ""
    return Text(status or "not known", style=status_colour(status) if status else "yellow")


# --- blast ---


def blast_screen(answer: BlastAnswer) -> RenderableType:
    """Return what an act would touch, the worst first."""
    count = answer.target_count
    word = {"delete": "Deleting", "reject": "Rejecting", "roll": "Rolling"}[answer.act]
    parts: list[RenderableType] = [
        Text.assemble(
            f"{word} ", (answer.target, "bold"), f" would touch ({count:,} node{'' if count == 1 else 's'} there):"
        )
    ]
    if not answer.effects:
        parts.append(Text("nothing that is recorded", style="green"))
    for effect in answer.effects:
        doubt = effect.count - effect.certain
        note = f", {doubt:,} of them perhaps" if doubt else ""
        colour = _EFFECT_COLOURS.get(effect.effect, "bold")
        verb = effect.effect if effect.count == 1 else _EFFECTS_OF_MANY.get(effect.effect, effect.effect)
        parts += [Text(), Text.assemble((f"{effect.count:,} ", "bold"), (verb, colour), (note, "yellow"))]
        parts += [_hit(hit) for hit in effect.hits[:_HITS_SHOWN]]
        left = effect.count - min(len(effect.hits), _HITS_SHOWN)
        parts += [Text(f"  … {left:,} more", style="dim")] if left > 0 else []
    rows = _Rows()
    owners = [owner.rpartition("/")[2] for owner in answer.owners]
    rows.add(
        "owners", ", ".join(owners) if owners else Text("nobody is named: tag resources with owner", style="yellow")
    )
    if answer.kept:
        first = answer.kept[0]
        text = Text(f"{answer.kept_count:,} contents lie elsewhere, too: ") + _node(first.node)
        rows.add("copies", text + Text(" also at ", style="dim") + _join(_node(node) for node in first.elsewhere))
    if answer.unknown:
        rows.add("unknown", *_unknown(answer.unknown))
    return Group(*parts, Text(), rows.table, Text("Nothing was changed.", style="dim"), foot(answer))


def _hit(hit: Hit) -> Text:
    owners = f" [{', '.join(owner.rpartition('/')[2] for owner in hit.owners)}]" if hit.owners else ""
    doubt = "" if hit.certain else "perhaps: "
    return Text("  ") + _node(hit.node) + Text(owners, style="cyan") + Text(f"  {doubt}{hit.why}", style="dim")


# --- bisect ---


def bisect_screen(answer: BisectAnswer) -> RenderableType:
    """Return the versions with their values, where the metric fell, and what changed there."""
    head = Text.assemble((answer.metric, "bold"), " of ", _node(answer.subject), f", {answer.better} is better")
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(no_wrap=True)
    for each in answer.versions:
        table.add_row(
            _node(each.node), _value(each), f"{each.cases:,} cases" if each.cases else "", _mark(answer, each)
        )
    parts: list[RenderableType] = [head, table]
    if answer.last_good is None or answer.first_bad is None or answer.drop is None:
        parts.append(Text("It never fell between versions whose values are known.", style="green"))
    else:
        parts += [Text(), *_step(answer)]
    if answer.metrics_known:
        parts.append(Text(f"known metrics: {', '.join(answer.metrics_known)}", style="dim"))
    if answer.unknown:
        rows = _Rows()
        rows.add("unknown", *_unknown(answer.unknown))
        parts.append(rows.table)
    return Group(*parts, foot(answer))


def _value(each: Measured) -> Text:
    if each.value is None:
        return Text("not known", style="yellow")
    bounds = f" [{each.low:.4g}, {each.high:.4g}]" if each.low is not None and each.high is not None else ""
    return Text(f"{each.value:.6g}{bounds}")


def _mark(answer: BisectAnswer, each: Measured) -> Text:
    if answer.first_bad is not None and each.node.key == answer.first_bad.key:
        return Text("first bad", style="red")
    if answer.last_good is not None and each.node.key == answer.last_good.key:
        return Text("last good", style="green")
    return Text("" if each.good is None else "good" if each.good else "bad", style="dim")


def _step(answer: BisectAnswer) -> Iterator[RenderableType]:
    assert answer.last_good is not None
    assert answer.first_bad is not None
    between = f", {len(answer.between)} versions between them without a value" if answer.between else ""
    text = Text.assemble("Between ", _node(answer.last_good), " and ", _node(answer.first_bad))
    yield text.append(f" it lost {answer.drop:.4g}{between}.")
    if answer.overlapping:
        yield Text("Their intervals overlap: the drop may be chance.", style="yellow")
    elif answer.overlapping is None:
        yield Text("Without intervals of both nobody can tell whether the drop is chance.", style="yellow")
    if not answer.suspects:
        yield Text("Nothing that is recorded changed there.", style="yellow")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("suspicion", justify="right", no_wrap=True)
    table.add_column("what changed", overflow="fold", ratio=3)
    table.add_column("before", overflow="fold", ratio=4)
    table.add_column("after", overflow="fold", ratio=4)
    table.add_column("elsewhere", no_wrap=True)
    for each in answer.suspects[:_SUSPECTS_SHOWN]:
        left, right = contrasted(value_text(each.difference.left), value_text(each.difference.right))
        elsewhere = f"{each.dropped} of {each.elsewhere} fell" if each.elsewhere else "never"
        name = f"{each.difference.section}: {field_name(each.difference.field)}"
        table.add_row(f"{each.suspicion:.2f}", name, Text(left, style="red"), Text(right, style="green"), elsewhere)
    yield table
    yield from _more(len(answer.suspects) - _SUSPECTS_SHOWN, "changes")
    yield Text(answer.rule, style="dim")
