"""A trace as a tree on the screen: a line a node, each node's origin (or outcome) once, what is alike counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from hallmark.cli.looks import label_of, look_of, prominence, status_colour
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Direction, NodeSummary, TraceAnswer, TracedNode

FOLD_FROM = 8
"""Of more neighbours of one kind than this, some are shown and the others are counted."""
_SHOWN_OF_MANY = 5
_LEAST_LABEL = 16


@dataclass(frozen=True)
class TreeLine:
    """One line: the way to it (whether each level goes on below), the node and what it was to the one above.

    Attributes:
        levels: For each level from the root, whether more lines follow on it; the last one is this line's own.
        node: None for a line that counts nodes.
        role: What the node was to the one above.
        note: What else is to be said: that it is shown above, or how many more there are.
        past: Whether this no longer holds.
    """

    levels: tuple[bool, ...]
    node: NodeSummary | None
    role: str = ""
    note: str = ""
    past: bool = False


def tree_lines(answer: TraceAnswer, *, fold: bool = True) -> list[TreeLine]:
    """Return the lines of a trace, depth first; what leads on stands above what it ends in.

    A node that occurs again is not told again. On a page that goes on with a trace, nodes whose way from the start is
    on an earlier page begin trees of their own.
    """
    return list(_Walk(answer, fold).lines())


class _Walk:
    def __init__(self, answer: TraceAnswer, fold: bool) -> None:
        self._answer = answer
        self._fold = fold
        self._nodes: dict[str, TracedNode] = {node.key: node for node in answer.nodes}
        up = answer.direction is Direction.UP
        self._roles: dict[str, dict[str, dict[str, bool]]] = defaultdict(lambda: defaultdict(dict))
        for edge in answer.edges:
            near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
            if far in self._nodes and near != far:
                held = self._roles[near][far]
                held[edge.role] = held.get(edge.role, True) and edge.valid_to is not None
        self._told: set[str] = set()

    def lines(self) -> Iterator[TreeLine]:
        start = self._answer.start
        yield TreeLine((), start)
        yield from self._below(start.key, ())
        for key, node in self._nodes.items():
            if key not in self._told and key != start.key and not self._is_reached(key):
                yield TreeLine((), node, note="goes on from before")
                yield from self._below(key, ())

    def _is_reached(self, key: str) -> bool:
        return any(key in far and near in self._nodes for near, far in self._roles.items())

    def _below(self, root: str, root_levels: tuple[bool, ...]) -> Iterator[TreeLine]:
        # A stack, not recursion: a lineage may be deeper than Python's.
        self._told.add(root)
        stack: list[Iterator[TreeLine]] = [self._children(root, root_levels)]
        while stack:
            line = next(stack[-1], None)
            if line is None:
                stack.pop()
            elif line.node is None:
                yield line
            elif line.node.key in self._told:
                again = "↑ shown above" if self._roles.get(line.node.key) else ""
                yield TreeLine(line.levels, line.node, line.role, again, line.past)
            else:
                self._told.add(line.node.key)
                yield line
                stack.append(self._children(line.node.key, line.levels))

    def _children(self, key: str, levels: tuple[bool, ...]) -> Iterator[TreeLine]:
        by_kind: dict[NodeKind, list[TracedNode]] = defaultdict(list)
        for far in self._roles.get(key, ()):
            by_kind[self._nodes[far].kind].append(self._nodes[far])
        shown: list[TracedNode | tuple[NodeKind, list[TracedNode]]] = []
        for kind in sorted(by_kind, key=lambda kind: (prominence(kind), kind.value)):
            alike = sorted(by_kind[kind], key=lambda node: (node.label, node.key))
            if self._fold and len(alike) > FOLD_FROM:
                shown += [*alike[:_SHOWN_OF_MANY], (kind, alike[_SHOWN_OF_MANY:])]
            else:
                shown += alike
        for number, item in enumerate(shown, start=1):
            way = (*levels, number < len(shown))
            if isinstance(item, tuple):
                # They are told as far as this answer is shown: what comes of them is counted with them.
                yield TreeLine(way, None, note=_count(*item))
            else:
                roles = self._roles[key][item.key]
                yield TreeLine(way, item, ", ".join(sorted(filter(None, roles))), past=all(roles.values()))


def _count(kind: NodeKind, nodes: Sequence[TracedNode]) -> str:
    look = look_of(kind)
    statuses = Counter("Deleted" if node.deleted else node.status for node in nodes if node.status)
    told = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items(), key=lambda item: str(item[0])))
    return f"… {len(nodes):,} more {look.words}" + (f" ({told})" if told else "")


@dataclass(frozen=True)
class TreeScreen:
    """The lines of a tree, each cut to the width of the screen: first the role goes, then the kind, then the label."""

    lines: Sequence[TreeLine]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a text a line."""
        plain = options.ascii_only
        for line in self.lines:
            text = Text(guide(line.levels, plain=plain), style="bright_black", no_wrap=True, overflow="ellipsis")
            if line.node is None:
                text.append(_plain(line.note, plain=plain), style="dim")
            else:
                text.append_text(node_line(line, options.max_width - text.cell_len, plain=plain))
            yield text


@dataclass(frozen=True)
class PlainLine:
    """A text that does without letters that the screen has not."""

    text: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the text."""
        if options.ascii_only:
            self.text.plain = _plain(self.text.plain, plain=True)
        yield self.text


def guide(levels: Sequence[bool], *, plain: bool) -> str:
    """Return the lines that lead to a node."""
    if not levels:
        return ""
    bar, gap, tee, corner = ("| ", "  ", "|-", "`-") if plain else ("│ ", "  ", "├─", "└─")
    return "".join(bar if more else gap for more in levels[:-1]) + (tee if levels[-1] else corner)


def node_line(line: TreeLine, width: int, *, plain: bool) -> Text:
    """Return a node in at most ``width`` columns."""
    assert line.node is not None
    node, look = line.node, look_of(line.node.kind)
    status = "Deleted" if node.deleted else node.status or ""
    name_style = "dim" if line.note == "↑ shown above" or line.past else "bold"
    name = label_of(node)
    role = "" if line.role.lower() in f"{name} {look.word}".lower() else line.role
    parts = [
        (f"  {look.word}", "dim"),
        (f"  {status}" if status else "", status_colour(status)),
        (f"  ({role})" if role else "", "italic dim"),
        ("  no longer" if line.past else "", "yellow"),
        (f"  {line.note}" if line.note else "", "dim"),
    ]
    texts = [Text(_plain(text, plain=plain), style=style) for text, style in parts if text]
    room = width - 2
    droppable = [text for text in texts if text.plain.strip() in {_plain(f"({role})", plain=plain), look.word}]
    for text in reversed(droppable):
        if sum(part.cell_len for part in texts) + min(Text(name).cell_len, _LEAST_LABEL * 2) > room:
            texts.remove(text)
    label = shortened(name, max(room - sum(part.cell_len for part in texts), _LEAST_LABEL))
    symbol = look.letter if plain else look.symbol
    return Text.assemble((f"{symbol} ", look.family.colour), (_plain(label, plain=plain), name_style), *texts)


def shortened(text: str, width: int) -> str:
    """Return a text of at most ``width`` columns, with its middle left out: beginning and end tell most."""
    text = " ".join(text.split())
    if Text(text).cell_len <= width:
        return text
    for keep in range(min(len(text), width) - 1, 1, -1):
        head = keep // 2
        short = f"{text[:head]}…{text[len(text) - (keep - head) :]}"
        if Text(short).cell_len <= width:
            return short
    return "…"


_ASCII = str.maketrans({"…": "~", "↑": "^", "·": "-", "→": ">"})


def _plain(text: str, *, plain: bool) -> str:
    return text.translate(_ASCII) if plain else text
