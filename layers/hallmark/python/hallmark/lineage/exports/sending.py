"""Run events as they are sent to others: what is known of one node, and small enough for who takes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from hallmark.lineage.exports.material import Ask, Material
from hallmark.lineage.exports.openlineage import openlineage, run_id
from hallmark.lineage.model import FINAL_STATUSES, RUN_KINDS, NodeKind
from hallmark.lineage.questions import Candidates, ShowAnswer, ShowQuestion

CATALOG_BYTES = 300_000
"""Of an event of SageMaker Catalog (DataZone API reference, PostLineageEvent)."""

CATALOG_SCHEME = "datazone://"
"""Before the id of a domain, where somebody names it as an address."""

SENT_KINDS = RUN_KINDS | {
    NodeKind.MODEL,
    NodeKind.MODEL_PACKAGE,
    NodeKind.ENDPOINT_CONFIG,
    NodeKind.ENDPOINT,
    NodeKind.VERDICT,
    NodeKind.APPROVAL,
    NodeKind.OVERRIDE,
    NodeKind.MODEL_VERSION,
    NodeKind.CUSTOM_MODEL,
}
"""Kinds of which run events are sent: what runs, and what a step of its own makes."""
_TAKEN_IN = "openlineage"
"""The attribute ``tool`` of runs that came as OpenLineage events: their own client tells others of them."""

_FACETS_BY_NEED = (
    "hallmark_training",
    "hallmark_images",
    "hallmark_verdict",
    "hallmark_model",
    "hallmark_decision",
    "hallmark_content",
    "hallmark_node",
    "datasetType",
    "sourceCodeLocation",
    "jobType",
    "hallmark_run",
)
"""The order in which facets are left out, the first one first. ``version``, ``parent`` and ``hallmark_export`` stay."""
_PARTS = ("inputs", "outputs")


class Sent(NamedTuple):
    """An event as it is sent."""

    event: dict[str, Any]
    body: bytes

    @property
    def token(self) -> str:
        """Return what tells a repeat: the digest of the body."""
        return hashlib.sha256(self.body).hexdigest()


def events_about(ask: Ask, node: str) -> list[dict[str, Any]]:
    """Return the run events of one node; none of what tells no run, has not ended, or came as an event itself.

    Args:
        ask: Answers questions of lineage.
        node: Key of the node.
    """
    answer = ask(ShowQuestion(node=node))
    if isinstance(answer, Candidates) or not isinstance(answer, ShowAnswer):
        return []
    about = answer.node
    if about.kind not in SENT_KINDS or answer.attributes.get("tool") == _TAKEN_IN:
        return []
    if about.kind in RUN_KINDS and about.status not in FINAL_STATUSES:
        return []
    cut = () if answer.complete else ("the node has more neighbours than were listed",)
    around = {found.key: found for found in (about, *answer.neighbours)}
    edges = (*answer.upstream, *answer.downstream)
    material = Material(
        start=about,
        nodes=tuple(around.values()),
        edges=tuple(edge for edge in edges if {edge.source, edge.target} <= around.keys()),
        shown={about.key: answer},
        cut=cut,
    )
    return [event for event in openlineage(material) if event["run"]["runId"] == run_id(about.key)]


def shrink(event: dict[str, Any], most: int = CATALOG_BYTES) -> Sent:
    """Return an event that has ``most`` bytes at most.

    Facets are left out by kind in the order of ``_FACETS_BY_NEED``; if that is not enough, the last inputs and outputs
    are. What is missing stands in the facet ``hallmark_export``, which then says ``complete: false``.
    """
    body = _bytes(event)
    if len(body) <= most:
        return Sent(event, body)
    shrunk: dict[str, Any] = json.loads(body)
    missing: list[str] = []
    for name in _FACETS_BY_NEED:
        dropped = [holder.pop(name) for holder in _facets(shrunk) if name in holder]
        if dropped:
            missing.append(f"facet {name}")
        body = _with_note(shrunk, missing)
        if len(body) <= most:
            return Sent(shrunk, body)
    counts = {part: len(shrunk[part]) for part in _PARTS}
    while len(body) > most and any(shrunk[part] for part in _PARTS):
        longest = max(_PARTS, key=lambda part: len(shrunk[part]))
        shrunk[longest] = shrunk[longest][: len(shrunk[longest]) * 9 // 10]
        lost = [f"{counts[part] - len(shrunk[part])} {part}" for part in _PARTS if counts[part] > len(shrunk[part])]
        body = _with_note(shrunk, [*missing, *lost])
    return Sent(shrunk, body)


def _facets(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for holder in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        yield holder["facets"]


def _with_note(event: dict[str, Any], missing: list[str]) -> bytes:
    note = event["run"]["facets"]["hallmark_export"]
    note["complete"] = False
    told = [each for each in note.get("missing", ()) if not each.startswith(_LEFT_OUT)]
    note["missing"] = [*told, *(f"{_LEFT_OUT}{each}" for each in missing)]
    return _bytes(event)


_LEFT_OUT = "left out, to be small enough: "


def _bytes(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False).encode()


Post = Callable[[Sent], None]
"""Hands one event to who takes it."""


def send_all(events: Iterable[dict[str, Any]], post: Post, most: int | None = None) -> int:
    """Send run events, in their order; return how many.

    Raises:
        UnavailableError: One was not taken now; sending them again changes nothing.
        InvalidInputError: One will never be taken.
    """
    sent = 0
    for event in events:
        post(shrink(event, most) if most is not None else Sent(event, _bytes(event)))
        sent += 1
    return sent


def send_about(ask: Ask, node: str, post: Post, most: int | None = None) -> int:
    """Send the run events of a node, in the order of their times; return how many.

    Raises:
        UnavailableError: They were not taken now; sending them again changes nothing.
        InvalidInputError: They will never be taken.
    """
    return send_all(events_about(ask, node), post, most)
