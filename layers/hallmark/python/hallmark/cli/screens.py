"""Answers on the screen: trees, tables and panels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from hallmark.cli.looks import look_of
from hallmark.lineage.questions import (
    AffectedKind,
    Candidates,
    DiffAnswer,
    Direction,
    ImpactAnswer,
    ListAnswer,
    NodeSummary,
    PathAnswer,
    ShowAnswer,
    TraceAnswer,
    TracedEdge,
)

_ALIKE = 8
"""Of more neighbours of one kind than this, the first are shown and the rest are counted."""
_VALUE_LETTERS = 80


def node_text(node: NodeSummary, *, role: str = "") -> Text:
    """Return a node in one line: symbol, label, kind, status, and what it was to the next one."""
    look = look_of(node.kind)
    text = Text.assemble((f"{look.symbol} ", look.family.colour), (node.label, "bold"), (f"  {node.kind.value}", "dim"))
    if node.status:
        text.append(f" · {node.status}", style="red" if node.status in {"Failed", "Deleted", "Rejected"} else "dim")
    if role:
        text.append(f"  ({role})", style="italic dim")
    return text


def moment(time: datetime | None) -> str:
    """Return a time for people, in UTC."""
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""


def trace_tree(answer: TraceAnswer) -> Tree:
    """Return the tree of a trace: each node once with all that lies behind it, after that only its name."""
    nodes = {node.key: node for node in answer.nodes}
    up = answer.direction is Direction.UP
    beside: dict[str, dict[str, list[str]]] = {}
    for edge in answer.edges:
        near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
        beside.setdefault(near, {}).setdefault(far, []).append(edge.role)
    start = answer.start
    tree = Tree(node_text(start), guide_style="dim")
    seen = {start.key}
    waiting = [(start.key, tree)]
    while waiting:
        key, branch = waiting.pop(0)
        known = [(nodes[far], roles) for far, roles in beside.get(key, {}).items() if far in nodes]
        known.sort(key=lambda item: (item[0].kind.value, item[0].label))
        shown: dict[str, int] = {}
        for node, roles in known:
            role = ", ".join(sorted({role for role in roles if role}))
            shown[node.kind.value] = shown.get(node.kind.value, 0) + 1
            if shown[node.kind.value] > _ALIKE:
                continue
            text = node_text(node, role=role)
            if node.key in seen:
                text.append("  ↑ shown above" if beside.get(node.key) else "", style="dim")
                branch.add(text)
            else:
                seen.add(node.key)
                waiting.append((node.key, branch.add(text)))
        for kind, count in shown.items():
            if count > _ALIKE:
                branch.add(Text(f"… and {count - _ALIKE} more of kind {kind}", style="dim"))
    return tree


def node_table(nodes: Sequence[NodeSummary], title: str = "") -> Table:
    """Return nodes as a table."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("node", "kind", "status", "since", "key"):
        table.add_column(heading, overflow="fold" if heading == "key" else "ellipsis")
    for node in nodes:
        look = look_of(node.kind)
        table.add_row(
            Text(f"{look.symbol} {node.label}", style=look.family.colour),
            node.kind.value,
            node.status or "",
            moment(node.at),
            Text(node.key, style="dim"),
        )
    return table


def candidates_screen(answer: Candidates) -> RenderableType:
    """Return what may have been meant."""
    if answer.reason == "ambiguous":
        head = f"[bold]{escape(answer.asked)}[/] may be any of these; name one by its key, or write kind:name."
    elif answer.candidates:
        head = f"There is no node [bold]{escape(answer.asked)}[/]. Did you mean one of these?"
    else:
        head = f"There is no node [bold]{escape(answer.asked)}[/]. `hallmark list --contains TEXT` finds nodes by name."
    return Group(Text.from_markup(head), node_table(answer.candidates)) if answer.candidates else Text.from_markup(head)


def impact_screen(answer: ImpactAnswer) -> RenderableType:
    """Return what depends on a node: counts first, then the nodes of each kind."""
    if not answer.affected:
        return Group(node_text(answer.start), Text("nothing depends on it", style="dim"))
    total = sum(affected.count for affected in answer.affected)
    tree = Tree(node_text(answer.start, role=f"{total} nodes depend on it"), guide_style="dim")
    for affected in answer.affected:
        branch = tree.add(_kind_text(affected))
        for node in affected.nodes[:_ALIKE]:
            branch.add(node_text(node, role=f"{node.depth} steps away"))
        if affected.count > _ALIKE:
            branch.add(Text(f"… and {affected.count - _ALIKE} more", style="dim"))
    return tree


def _kind_text(affected: AffectedKind) -> Text:
    look = look_of(affected.kind)
    return Text.assemble((f"{affected.count} ", "bold"), (affected.kind.value, look.family.colour))


def diff_screen(answer: DiffAnswer) -> RenderableType:
    """Return the differences, a table a section, and how much is equal."""
    parts: list[RenderableType] = [
        Text.assemble(("left   ", "dim"), node_text(answer.left)),
        Text.assemble(("right  ", "dim"), node_text(answer.right)),
    ]
    for section in ("data", "code", "environment", "hyperparameters", "metrics", "registry"):
        found = [item for item in answer.differences if item.section == section]
        equal = answer.equal.get(section, 0)
        note = f"{len(found)} differ, {equal} equal"
        table = Table(title=f"{section}: {note}", title_justify="left", title_style="bold", box=None, pad_edge=False)
        for heading in ("field", "left", "right"):
            table.add_column(heading, overflow="fold")
        if section == "metrics":
            table.add_column("change")
        for item in found:
            row = [item.field, _value(item.left), _value(item.right)]
            table.add_row(*row, *([_change(item.left, item.right)] if section == "metrics" else []))
        parts += [Text(""), table if found else Text(f"{section}: {note}", style="dim")]
    return Group(*parts)


def _change(left: Any, right: Any) -> str:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return f"{right - left:+.4g}"
    return ""


def _value(value: Any) -> str:
    if value is None:
        return "-"
    text = str(value)
    return text if len(text) <= _VALUE_LETTERS else f"{text[:_VALUE_LETTERS]}…"


def show_screen(answer: ShowAnswer) -> RenderableType:
    """Return a node whole: attributes, history, neighbours."""
    names = {node.key: node for node in answer.neighbours}
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in sorted(answer.attributes.items()):
        if name == "manifest":
            value = f"{len(value)} objects"  # noqa: PLW2901 - shown shorter
        table.add_row(name, _lines(value))
    parts: list[RenderableType] = [node_text(answer.node), Text(answer.node.key, style="dim"), table]
    if answer.history:
        history = Table(title="history", title_justify="left", title_style="bold", box=None, pad_edge=False)
        for heading in ("when", "what", "before", "after"):
            history.add_column(heading, overflow="fold")
        for entry in answer.history:
            history.add_row(moment(entry.at), entry.field, _value(entry.before), _value(entry.after))
        parts += [Text(""), history]
    for title, edges, up in (("from", answer.upstream, True), ("to", answer.downstream, False)):
        if edges:
            branch = Tree(Text(title, style="bold"), guide_style="dim")
            for edge in edges:
                branch.add(_neighbour(names, edge, up=up))
            parts += [Text(""), branch]
    if answer.incarnations:
        parts += [Text(""), node_table(answer.incarnations, "resources that had this name, one after the other")]
    return Group(*parts)


def _neighbour(names: dict[str, NodeSummary], edge: TracedEdge, *, up: bool) -> Text:
    key = edge.source if up else edge.target
    held = f"since {moment(edge.valid_from)}" + (f" until {moment(edge.valid_to)}" if edge.valid_to else "")
    role = ", ".join(filter(None, [edge.role, held]))
    return node_text(names[key], role=role) if key in names else Text(f"{key}  ({role})")


def _lines(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_value(item)}" for name, item in value.items())
    if isinstance(value, list):
        return "\n".join(_value(item) for item in value)
    return _value(value)


def path_screen(answer: PathAnswer) -> RenderableType:
    """Return the way from one node to another."""
    if not answer.nodes:
        return Text("no way leads from one to the other")
    roles = ["", *(edge.role or edge.type.value for edge in answer.edges)]
    lines = [
        Text.assemble(("" if number == 0 else "  ↓ ", "dim"), node_text(node, role=role))
        for number, (node, role) in enumerate(zip(answer.nodes, roles, strict=True))
    ]
    return Group(*lines)


def list_screen(answer: ListAnswer) -> RenderableType:
    """Return a list of nodes."""
    return node_table(answer.nodes) if answer.nodes else Text("nothing was found", style="dim")
