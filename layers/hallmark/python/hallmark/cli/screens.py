"""Answers on the screen: trees, tables and panels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hallmark.aws.deployed import Waiting
from hallmark.cli.looks import look_of, prominence, status_colour
from hallmark.cli.tree import PlainLine, TreeLine, TreeScreen, node_line, shortened, tree_lines
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import (
    Candidates,
    Direction,
    HistoryEntry,
    NodeSummary,
    ShowAnswer,
    TraceAnswer,
    TracedEdge,
    VersionStep,
)
from hallmark.lineage.surveyed import DiffAnswer, Difference, ImpactAnswer, ListAnswer, PathAnswer, Section

AFFECTED_SHOWN = 8
"""Nodes of each kind that the screen lists of an impact; ``--json`` has all that were answered."""
_NEIGHBOURS_SHOWN = 12
_SECTIONS = get_args(Section)
_LISTED_VALUES = 6
_BODY_LETTERS = 400
_HEAD_LETTERS = 40
# Shown in the panel's head, or too long for a person.
_NOT_LISTED = frozenset({"arn", "name", "manifest", "unrecognised", "event_only"})


class NodeLine:
    """A node in one line of whatever width there is."""

    def __init__(self, node: NodeSummary, role: str = "", *, before: str = "", past: bool = False) -> None:
        self._line = TreeLine((), node, role=role, past=past)
        self._before = before

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the line."""
        start = Text(self._before, style="dim", no_wrap=True, overflow="ellipsis")
        yield start + node_line(self._line, options.max_width - start.cell_len, plain=options.ascii_only)


def moment(time: datetime | None) -> str:
    """Return a time for people, in UTC to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if time else ""


# --- trace ---


def trace_screen(answer: TraceAnswer, *, fold: bool = True) -> RenderableType:
    """Return a trace as a tree under a line that says what it is."""
    others = len(answer.nodes) - 1
    steps = max((node.depth for node in answer.nodes), default=0)
    what = "comes from" if answer.direction is Direction.UP else "led to"
    name = shortened(answer.start.label, _HEAD_LETTERS)
    head = Text.assemble(
        (name, "bold"),
        f" {what} {_counted(max(others, 0), 'node')} in {_counted(len(answer.edges), 'flow')}, at most ",
        f"{_counted(steps, 'step')} away",
    )
    if others <= 0:
        held = f" as of {moment(answer.as_of)} UTC" if answer.as_of else ""
        head = Text.assemble((name, "bold"), f" {what} nothing that is recorded{held}")
    return Group(PlainLine(head), TreeScreen(tree_lines(answer, fold=fold)))


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


# --- tables ---


def node_table(nodes: Sequence[NodeSummary]) -> Table:
    """Return nodes as a table, a line each."""
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("node", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("kind", no_wrap=True)
    numbered = any(node.version for node in nodes)
    if numbered:
        table.add_column("version", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("since (UTC)", no_wrap=True)
    for node in nodes:
        look = look_of(node.kind)
        status = "Deleted" if node.deleted else node.status or ""
        table.add_row(
            Text.assemble((f"{look.symbol} ", look.family.colour), (node.label, "bold")),
            Text(look.word, style="dim"),
            *([Text(node.version or "", style="cyan")] if numbered else []),
            Text(status, style=status_colour(status)),
            moment(node.at),
        )
    return table


def key_lines(nodes: Sequence[NodeSummary]) -> RenderableType:
    """Return nodes with their keys below them, each key in one piece so that it can be copied."""
    lines: list[RenderableType] = []
    for node in nodes:
        look = look_of(node.kind)
        lines.append(
            Text.assemble(
                (f"{look.symbol} ", look.family.colour),
                (node.label, "bold"),
                (f"  {look.word}", "dim"),
                _status_text(node),
            )
        )
        if node.key != node.label:
            lines.append(Text(f"  {node.key}", style="dim"))
    return Group(*lines)


def candidates_screen(answer: Candidates) -> RenderableType:
    """Return what may have been meant."""
    asked = escape(answer.asked)
    if answer.reason == "ambiguous":
        head = f"[bold]{asked}[/] may be any of these: give its key, or write [bold]kind:name[/]."
    elif answer.candidates:
        head = f"There is no node [bold]{asked}[/]. Did you mean one of these?"
    else:
        head = f"There is no node [bold]{asked}[/]; [bold]hallmark list --contains TEXT[/] finds nodes by name."
    text = Text.from_markup(head)
    return Group(text, key_lines(answer.candidates)) if answer.candidates else text


def list_screen(answer: ListAnswer, *, keys: bool = False) -> RenderableType:
    """Return a list of nodes; with their keys, where those are wanted."""
    if not answer.nodes:
        return Text("nothing was found", style="dim")
    return key_lines(answer.nodes) if keys else node_table(answer.nodes)


def path_screen(answer: PathAnswer) -> RenderableType:
    """Return the way from one node to another, the upper one first."""
    if not answer.nodes:
        return Text("no way leads from one to the other")
    roles = ["", *(edge.role or edge.type.value for edge in answer.edges)]
    lines: list[RenderableType] = [
        NodeLine(node, role, before="" if number == 0 else "↓ ")
        for number, (node, role) in enumerate(zip(answer.nodes, roles, strict=True))
    ]
    return Group(*lines, Text(f"{_counted(len(answer.edges), 'step')}", style="dim"))


# --- impact ---


def impact_screen(answer: ImpactAnswer) -> RenderableType:
    """Return what depends on a node: how many of each kind, the most important first, and the first of them."""
    if not answer.affected:
        return Group(NodeLine(answer.start), Text("nothing that is recorded depends on it", style="dim"))
    total = sum(affected.count for affected in answer.affected)
    live = sum(
        1
        for affected in answer.affected
        for node in affected.nodes
        if affected.kind is NodeKind.ENDPOINT and not node.deleted
    )
    head = Text.assemble((f"{total:,}", "bold"), f" {'node depends' if total == 1 else 'nodes depend'} on it")
    if live:
        head.append(f", {_counted(live, 'live endpoint')} among them", style="bold red")
    lines: list[TreeLine] = []
    parts: list[RenderableType] = [NodeLine(answer.start), head]
    for affected in answer.affected:
        look = look_of(affected.kind)
        word = look.word if affected.count == 1 else look.words
        parts += [Text(), Text.assemble((f"{affected.count:,}", "bold"), " ", (word, look.family.colour))]
        shown = affected.nodes[:AFFECTED_SHOWN]
        more = affected.count - len(shown)
        lines = [
            TreeLine((number < len(shown) or more > 0,), node, note=_counted(node.depth, "step"))
            for number, node in enumerate(shown, start=1)
        ]
        if more > 0:
            lines.append(TreeLine((False,), None, note=f"… {more:,} more"))
        parts.append(TreeScreen(lines))
    return Group(*parts)


# --- diff ---


def diff_screen(answer: DiffAnswer) -> RenderableType:
    """Return the differences, a table a section, and how much is equal."""
    parts: list[RenderableType] = [
        NodeLine(answer.left, before="left   "),
        NodeLine(answer.right, before="right  "),
        *version_lines(answer.versions),
    ]
    for section in _SECTIONS:
        found = [item for item in answer.differences if item.section == section]
        equal = answer.equal.get(section, 0)
        if not found:
            parts += [Text(), Text(f"{section}: {f'{equal} equal' if equal else 'nothing is known'}", style="dim")]
            continue
        note = f"{_counted(len(found), 'difference')}" + (f", {equal} equal" if equal else "")
        parts += [Text(), Text.assemble((section, "bold"), (f": {note}", "dim")), _diff_table(section, found)]
    return Group(*parts)


def _diff_table(section: str, found: Sequence[Difference]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("field", overflow="fold", ratio=4)
    table.add_column("left", overflow="fold", ratio=5)
    table.add_column("right", overflow="fold", ratio=5)
    if section == "metrics":
        table.add_column("change", justify="right", no_wrap=True)
    for item in found:
        left, right = contrasted(value_text(item.left), value_text(item.right))
        row = [Text(field_name(item.field)), _side(left, "red"), _side(right, "green")]
        table.add_row(*row, *([_change(item.left, item.right)] if section == "metrics" else []))
    return table


def _side(text: str, colour: str) -> Text:
    return Text(text, style="dim" if text == "-" else colour)


def contrasted(left: str, right: str) -> tuple[str, str]:
    """Return two texts without a long beginning that they share: ``…/v1/train`` and ``…/v2/train``."""
    same = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    cut = left.rfind("/", 0, same) + 1
    if cut <= len("s3://") or left == right:
        return left, right
    return f"…/{left[cut:]}", f"…/{right[cut:]}"


def field_name(field: str) -> str:
    """Return a field in the words of the screen: a kind by its name, a place without its bucket."""
    word, _, rest = field.partition(" ")
    if rest and word in set(NodeKind):
        field = f"{look_of(NodeKind(word)).word} {rest}"
    head, scheme, rest = field.partition("s3://")
    return f"{head}…/{rest.partition('/')[2]}" if scheme and "/" in rest else field


def _change(left: Any, right: Any) -> str:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return f"{right - left:+.4g}"
    return ""


def value_text(value: Any) -> str:
    """Return a value as text; "-" for none."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False)


# --- show ---


def show_screen(answer: ShowAnswer) -> RenderableType:
    """Return a node whole: attributes, history, neighbours."""
    look = look_of(answer.node.kind)
    parts: list[RenderableType] = [
        Panel(
            Group(Text(answer.node.key, style="dim", overflow="fold"), *_attributes(answer.attributes)),
            title=Text.assemble(
                (f"{look.symbol} {answer.node.label}", "bold"), f"  {look.word}", _status_text(answer.node)
            ),
            title_align="left",
            border_style=look.family.colour,
            box=box.ROUNDED,
        )
    ]
    if answer.versions:
        parts.append(
            _panel("version" if len(answer.versions) == 1 else "versions", Group(*version_lines(answer.versions)))
        )
    if answer.history:
        parts.append(_panel("history (UTC)", _history(answer.history)))
    names = {node.key: node for node in answer.neighbours}
    for title, edges, up in (("comes from", answer.upstream, True), ("leads to", answer.downstream, False)):
        if edges:
            once = _told_once(edges)
            parts.append(_panel(f"{title} ({len(once)})", Group(*_neighbours(names, once, up=up))))
    if answer.incarnations:
        parts.append(_panel("resources that had this name, one after the other", key_lines(answer.incarnations)))
    return Group(*parts)


def _status_text(node: NodeSummary) -> Text:
    status = "Deleted" if node.deleted else node.status or ""
    return Text(f"  {status}" if status else "", style=status_colour(status))


def version_lines(steps: Sequence[VersionStep]) -> list[Text]:
    """Return semantic versions, a line each, and why each is what it is."""
    return [
        Text.assemble(
            (step.version, "cyan"),
            f" {step.label} ",
            (f"{step.change}: {step.reason}{'' if step.certain else ' (not certain)'}", "dim"),
        )
        for step in steps
    ]


def _panel(title: str, content: RenderableType) -> Panel:
    return Panel(content, title=Text(title, style="bold"), title_align="left", border_style="dim", box=box.ROUNDED)


def _attributes(attributes: Mapping[str, Any]) -> Iterator[RenderableType]:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in sorted(attributes.items()):
        if name not in _NOT_LISTED and value not in (None, "", [], {}):
            table.add_row(name.replace("_", " "), "\n".join(_lines(value)))
    if attributes.get("manifest"):
        table.add_row("manifest", f"{len(attributes['manifest']):,} objects (--json lists them)")
    if attributes.get("event_only"):
        table.add_row("source", Text("the event alone: it could not be described any more", style="yellow"))
    yield table


def _lines(value: Any) -> list[str]:
    """Return a value in a few lines: an entry each, of many the first."""
    if isinstance(value, Mapping):
        entries = [f"{name}: {value_text(item)}" for name, item in value.items()]
    elif isinstance(value, list):
        entries = [
            ", ".join(f"{name} {value_text(part)}" for name, part in item.items() if part not in (None, "", {}, []))
            if isinstance(item, Mapping)
            else value_text(item)
            for item in value
        ]
    else:
        return [value_text(value)]
    more = len(entries) - _LISTED_VALUES
    return entries if more <= 1 else [*entries[:_LISTED_VALUES], f"… {more} more (--json has all)"]


def _history(history: Sequence[HistoryEntry]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    last = ""
    for entry in history:
        at = moment(entry.at)
        replaced = entry.field in {"model", "model_package", "config"} and entry.before is not None
        before = Text(f"{_brief(entry.before)} → ", style="dim") if entry.before is not None else Text()
        after = Text(_brief(entry.after), style="bold" if replaced else status_colour(_brief(entry.after)))
        field = f"{entry.field.replace('_', ' ')}{' replaced' if replaced else ''}"
        table.add_row(at if at != last else "", field, before + after)
        last = at
    return table


def _brief(value: Any) -> str:
    return shortened(value_text(value), 60)


def _told_once(edges: Sequence[TracedEdge]) -> list[TracedEdge]:
    """Return edges without repeats: a run that is told in parts tells of the same data with each of them."""
    return list({(edge.source, edge.target, edge.role, edge.valid_to): edge for edge in edges}.values())


def _neighbours(names: Mapping[str, NodeSummary], edges: Sequence[TracedEdge], *, up: bool) -> Iterator[RenderableType]:
    def place(edge: TracedEdge) -> tuple[int, str]:
        key = edge.source if up else edge.target
        return (prominence(names[key].kind) if key in names else len(names), key)

    for edge in sorted(edges, key=place)[:_NEIGHBOURS_SHOWN]:
        key = edge.source if up else edge.target
        if key in names:
            yield NodeLine(names[key], edge.role, past=edge.valid_to is not None)
        else:
            yield Text(f"{key} ({edge.role})", overflow="fold")
    if len(edges) > _NEIGHBOURS_SHOWN:
        yield Text(f"… {len(edges) - _NEIGHBOURS_SHOWN} more (--json has all)", style="dim")


# --- dead letters ---


def dead_letters_screen(queues: Sequence[Waiting]) -> RenderableType:
    """Return what waits in each dead-letter queue, and why."""
    parts: list[RenderableType] = []
    for queue in queues:
        if not queue.messages:
            parts.append(Text.assemble((queue.queue, "bold"), ("  nothing waits", "green")))
            continue
        said = f"{_counted(queue.messages, 'message')} {'waits' if queue.messages == 1 else 'wait'}"
        parts.append(Text.assemble((queue.queue, "bold"), (f"  {said}", "red")))
        for letter in queue.letters:
            table = Table(box=None, show_header=False, padding=(0, 1, 0, 2))
            table.add_column(style="dim", no_wrap=True)
            table.add_column(overflow="fold")
            table.add_row("refused", Text(f"{moment(letter.sent_at)} UTC {letter.function}"))
            table.add_row("reason", Text(f"{letter.error}: {letter.reason}", style="red"))
            table.add_row("message", Text(shortened(letter.body, _BODY_LETTERS), style="dim"))
            parts += [table, Text()]
        if queue.messages > len(queue.letters):
            parts.append(Text(f"  … {queue.messages - len(queue.letters)} more (--limit shows more)", style="dim"))
    return Group(*parts) if parts else Text("the stack has no dead-letter queue", style="dim")
