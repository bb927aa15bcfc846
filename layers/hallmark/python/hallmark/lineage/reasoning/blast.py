"""What an act would touch, before anybody does it: deleting data, rejecting a model, rolling an image."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.lineage.model import RUN_KINDS, NodeKind
from hallmark.lineage.paging import Position, checksum
from hallmark.lineage.questions import Answer, Candidates, Direction
from hallmark.lineage.reasoned import BlastAnswer, BlastQuestion, Hit, Hits, Kept, Unknown
from hallmark.lineage.reasoning.decisions import (
    SERVING_STATUSES,
    Serving,
    config_of,
    models_of,
    owners_of,
)
from hallmark.lineage.references import dataset_id
from hallmark.lineage.view import Moment

_Each = TypeVar("_Each")

Effect = Literal["breaks", "must change", "is judged again", "loses evidence", "cannot be repeated", "descends"]
EFFECTS: tuple[Effect, ...] = (
    "breaks",
    "must change",
    "is judged again",
    "loses evidence",
    "cannot be repeated",
    "descends",
)
"""The worst first."""

_SHOWN = 50
_TARGETS_SHOWN = 20
_KEPT_SHOWN = 20
_COPIES_SHOWN = 3
_WHOLES_READ = 200
_DATA = (NodeKind.DATASET_VERSION, NodeKind.DATASET)
_MODELS = (NodeKind.MODEL, NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL, NodeKind.MODEL_VERSION)
_EVIDENCE = frozenset(
    {
        NodeKind.EVALUATION,
        NodeKind.VERDICT,
        NodeKind.BASELINE,
        NodeKind.DRIFT_REPORT,
        NodeKind.REVIEW,
        NodeKind.ATTESTATION,
        NodeKind.MODEL_CARD,
    }
)
_REPEATED = frozenset(RUN_KINDS - {NodeKind.EVALUATION, NodeKind.PIPELINE_EXECUTION})
_TOUCHED_AT_ALL = frozenset(
    {
        NodeKind.ENDPOINT,
        NodeKind.ENDPOINT_CONFIG,
        NodeKind.MODEL_PACKAGE,
        NodeKind.MODEL,
        NodeKind.CUSTOM_MODEL,
        NodeKind.MODEL_VERSION,
        NodeKind.FEATURE_GROUP,
        NodeKind.PIPELINE,
        *_EVIDENCE,
        *_REPEATED,
    }
)


class _Touch(NamedTuple):
    effect: Effect
    why: str
    certain: bool = True


class _Live(NamedTuple):
    endpoint: int
    served: list[Serving]


class _Reach(NamedTuple):
    """A stretch of what came of it, by distance: where it ends, whether that is all, the nodes before its ends."""

    end: int
    is_all: bool
    before: str = ""
    last: str = ""


def answer_blast(question: BlastQuestion, moment: Moment, begun: Position, newest: datetime) -> Answer:
    """Return what an act would touch; where the name tells no node, or several, what may have been meant.

    Raises:
        InvalidInputError: What is to be deleted is no S3 URI; what is to be rejected is no registered model; what is
            to be rolled is no image; the token is of another answer.
    """
    blast = _Blast(moment, question, begun, newest)
    if question.act == "delete":
        return blast.delete()
    found = moment.view.resolve(question.target)
    if isinstance(found, Candidates):
        images = blast.images_of(question.target) if question.act == "roll" else []
        return blast.roll(images) if images else found
    kind = moment.graph.kind(found)
    if question.act == "reject":
        if kind not in {NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL, NodeKind.MODEL_VERSION}:
            raise InvalidInputError("target", question.target, f"a {kind.value} cannot be rejected: name a package")
        return blast.reject(found)
    if kind is not NodeKind.IMAGE:
        raise InvalidInputError("target", question.target, f"a {kind.value} cannot be rolled: name an image")
    others = [] if "@" in question.target else blast.images_of(question.target)
    return blast.roll(list(dict.fromkeys([found, *others])))


class _Blast:
    def __init__(self, moment: Moment, question: BlastQuestion, begun: Position, newest: datetime) -> None:
        self._moment = moment
        self._begun = begun
        self._known_at = moment.known_at or newest
        self._graph = moment.graph
        self._question = question
        self._deadline = time.monotonic() + question.time_budget_seconds
        self._touched: dict[int, _Touch] = {}
        self._unknown: list[Unknown] = []
        self._kept: dict[int, list[int]] = {}
        self._given_before: set[int] = set()
        self._reach = _Reach(0, is_all=True)
        self._live = list(self._find_live())

    # --- acts ---

    def delete(self) -> BlastAnswer:
        prefix = dataset_id(self._question.target)
        if not prefix.startswith("s3://"):
            raise InvalidInputError("target", self._question.target, "give an S3 URI: s3://bucket/prefix")
        targets = self._under(prefix)
        lost = self._without_copies(targets, prefix)
        wholes = dict(self._wholes(prefix))
        gone = set(targets)
        for live in self._live:
            for each in live.served:
                if self._model_data(each) & gone:
                    self._touch(live.endpoint, "breaks", "its model data lies there: no new instance can start")
        for row in [*targets, *wholes]:
            self._lose(row, certain=wholes.get(row, True), copied=row not in lost and row in gone)
        self._descend([*lost, *wholes])
        self._say_addresses(targets)
        return self._answer(targets)

    def reject(self, package: int) -> BlastAnswer:
        moment = self._moment
        for live in self._live:
            if any(package in {each.package, each.model} for each in live.served):
                self._touch(live.endpoint, "must change", "it serves this model, and a rejection alone stops nothing")
        for link in moment.out_of(package, NodeKind.VERDICT, NodeKind.APPROVAL, NodeKind.OVERRIDE):
            status = moment.node(link.row).status or ""
            if status.lower() in {"passed", "approved", "overridden"}:
                self._touch(link.row, "is judged again", "it let this model through: the rejection contradicts it")
        self._descend([package])
        return self._answer([package])

    def roll(self, images: Sequence[int]) -> BlastAnswer:
        moment = self._moment
        rolled = set(images)
        for live in self._live:
            if any(self._images(each) & rolled for each in live.served):
                self._touch(live.endpoint, "must change", "its containers run this image until it is deployed again")
        models = [link.row for image in images for link in moment.out_of(image, *_MODELS)]
        for model in dict.fromkeys(models):
            self._touch(model, "must change", "it names this image")
            for link in moment.out_of(model, NodeKind.VERDICT):
                self._touch(link.row, "is judged again", "it judged a model that runs in this image")
        for image in images:
            for link in moment.out_of(image, *_REPEATED):
                why = "it ran in this image: it can be repeated only while the registry keeps it"
                self._touch(link.row, "cannot be repeated", why, certain=False)
                for parent in moment.into(link.row, NodeKind.PIPELINE_EXECUTION):
                    for pipeline in moment.into(parent.row, NodeKind.PIPELINE):
                        why = "runs of it used this image; whether its definition names it is not known"
                        self._touch(pipeline.row, "must change", why, certain=False)
        self._descend(images)
        return self._answer(images)

    # --- what is targeted ---

    def _under(self, prefix: str) -> list[int]:
        """Return the places and contents at a prefix and below it."""
        graph = self._graph
        rows = [*graph.compact.rows_beginning(prefix), *range(graph.compact.count, graph.count)]
        found = [
            row
            for row in rows
            if graph.kind(row) in _DATA
            and ((place := graph.key(row).partition("#")[0]) == prefix or place.startswith(f"{prefix}/"))
        ]
        told = np.array(found, dtype=np.int64)
        return sorted(told[graph.is_told(told)].tolist(), key=graph.key) if found else []

    def _wholes(self, prefix: str) -> Iterator[tuple[int, bool]]:
        """Yield the contents of places above a prefix that have objects below it, or may, and how certain that is.

        Which objects a content has is known of those whose listing is kept.
        """
        graph, met = self._graph, 0
        place = prefix.rpartition("/")[0]
        while place.count("/") >= _BUCKET_SLASHES:
            inside = prefix.removeprefix(f"{place}/")
            for row in [*graph.compact.rows_beginning(f"{place}#"), *range(graph.compact.count, graph.count)]:
                if not graph.key(row).startswith(f"{place}#") or graph.kind(row) is not NodeKind.DATASET_VERSION:
                    continue
                met += 1
                listed = self._moment.listing(row) if met <= _WHOLES_READ else None
                if listed is None:
                    yield row, False
                elif any(str(each[0]) == inside or str(each[0]).startswith(f"{inside}/") for each in listed):
                    yield row, True
            place = place.rpartition("/")[0]
        if met > _WHOLES_READ:
            what = f"Of {met - _WHOLES_READ} contents of places above it the listing was not read: too many are known."
            self._unknown.append(Unknown(what=what, remedy="Ask of the place that they are of: its contents are few."))

    def images_of(self, target: str) -> list[int]:
        """Return the images that a name may have meant: of a repository all, or those whose digest begins so."""
        digits = target.partition("@")[2].removeprefix("sha256:")
        repository = _repository(target)
        return [
            row
            for row in self._moment.of_kind(NodeKind.IMAGE).tolist()
            if repository in _names_of(self._graph.key(row))
            and self._graph.key(row).partition("@sha256:")[2].startswith(digits)
        ]

    def _without_copies(self, targets: Sequence[int], prefix: str) -> list[int]:
        """Return the targets whose content is not known to lie anywhere else."""
        lost = []
        for row in targets:
            copies = self._copies(row, prefix) if self._graph.kind(row) is NodeKind.DATASET_VERSION else []
            if copies:
                self._kept[row] = copies
            else:
                lost.append(row)
        return lost

    def _copies(self, row: int, prefix: str) -> list[int]:
        rows = self._moment.view.names.with_content(self._graph.key(row).rpartition("#")[2])
        return [
            other
            for other in rows
            if other != row
            and self._graph.kind(other) is NodeKind.DATASET_VERSION
            and not f"{self._graph.key(other).partition('#')[0]}/".startswith(f"{prefix}/")
        ]

    def _say_addresses(self, targets: Sequence[int]) -> None:
        if not targets:
            remedy = "Name its bucket in the policy, then: hallmark backfill."
            self._unknown.append(Unknown(what="Nothing that is recorded lies there.", remedy=remedy))
        places = [row for row in targets if self._graph.kind(row) is NodeKind.DATASET]
        blind = [row for row in places if not self._graph.versions_of(row, self._moment.held)]
        if blind:
            what = f"Of {len(blind)} places only the address is known: whether their content lies elsewhere is not."
            self._unknown.append(Unknown(what=what, remedy="Name their bucket in the policy: it is listed then."))

    # --- what is touched ---

    def _touch(self, row: int, effect: Effect, why: str, *, certain: bool = True) -> None:
        """Keep the worst effect on a node; of the same effect, the certain one."""
        known = self._touched.get(row)
        rank = (EFFECTS.index(effect), not certain)
        if known is None or rank < (EFFECTS.index(known.effect), not known.certain):
            self._touched[row] = _Touch(effect, why, certain)

    def _lose(self, row: int, *, certain: bool, copied: bool) -> None:
        """Touch what used data that would be gone."""
        doubt = "" if certain else "; whether these objects are among what it read is not known"
        for link in self._moment.out_of(row) if not copied else ():
            if link.kind in _EVIDENCE:
                why = f"{link.role or 'what it rests on'} lies there{doubt}"
                self._touch(link.row, "loses evidence", why, certain=certain)
            elif link.kind in _REPEATED:
                why = f"it read {link.role or 'data'} from there{doubt}"
                self._touch(link.row, "cannot be repeated", why, certain=certain)

    def _descend(self, rows: Iterable[int]) -> None:
        """Touch what came of it all: so many nodes as the budget allows, from where the last stretch ended."""
        start = np.array(sorted(set(rows)), dtype=np.int64)
        if not len(start):
            return
        first = self._begun.edges
        walk = self._graph.walk(start, Direction.DOWN, as_of=self._moment.held, deadline=self._deadline, at_least=first)
        end = min(first + self._question.node_budget, len(walk.nodes))
        before, last = (
            self._graph.key(int(walk.nodes[place - 1])) if 0 < place <= len(walk.nodes) else ""
            for place in (first, end)
        )
        self._reach = _Reach(end, walk.finished and end == len(walk.nodes), before, last)
        started = set(start.tolist())
        for place, row in enumerate(walk.nodes[:end].tolist()):
            if self._graph.kind(row) in _TOUCHED_AT_ALL and row not in started:
                self._touch(row, "descends", "it came of it")
                if place < first:
                    self._given_before.add(row)

    def _find_live(self) -> Iterator[_Live]:
        moment = self._moment
        rows = moment.of_kind(NodeKind.ENDPOINT)
        blind = 0
        for row, status in zip(rows.tolist(), self._graph.statuses(rows, moment.held), strict=True):
            if status.status not in SERVING_STATUSES:
                continue
            config = config_of(moment, row)
            served = models_of(moment, config.row) if config else []
            if not served or not all(self._model_data(each) or self._images(each) for each in served):
                blind += 1
            yield _Live(row, served)
        if blind:
            what = f"Of {blind} endpoints in service the model, its data or its image is not known: they may be hit."
            self._unknown.append(Unknown(what=what, remedy="Describe what is there: hallmark backfill."))

    def _model_data(self, each: Serving) -> set[int]:
        rows = [each.model, *([] if each.package is None else [each.package])]
        return {link.row for row in rows for link in self._moment.into(row, *_DATA) if link.role == "model-data"}

    def _images(self, each: Serving) -> set[int]:
        rows = [each.model, *([] if each.package is None else [each.package])]
        return {link.row for row in rows for link in self._moment.into(row, NodeKind.IMAGE)}

    # --- the answer ---

    def _answer(self, targets: Sequence[int]) -> BlastAnswer:
        moment, page, first = self._moment, self._begun.nodes, self._begun.edges
        by_effect = {effect: self._rows_of(effect) for effect in EFFECTS}
        # The nodes of the first stretch come page by page; each further stretch adds what came of it, and no more.
        stretch = {
            effect: [row for row in rows if not first or (effect == "descends" and row not in self._given_before)]
            for effect, rows in by_effect.items()
        }
        others, kept = ([], []) if first else (list(targets), list(self._kept.items()))
        given = {effect: _page(rows, page, _SHOWN) for effect, rows in stretch.items()}
        self._begun.expect(self._last(stretch, page - 1) if page else self._reach.before, self._question.resume)
        more = any(len(rows) > (page + 1) * _SHOWN for rows in stretch.values()) or any(
            len(rows) > (page + 1) * shown for rows, shown in ((others, _TARGETS_SHOWN), (kept, _KEPT_SHOWN))
        )
        hits = {effect: [self._hit(row) for row in rows] for effect, rows in given.items()}
        complete = not more and self._reach.is_all
        return BlastAnswer(
            act=self._question.act,
            target=self._question.target,
            targets=tuple(moment.summaries(_page(others, page, _TARGETS_SHOWN))),
            target_count=len(targets),
            effects=tuple(
                Hits(
                    effect=effect,
                    count=len(rows),
                    certain=sum(self._touched[row].certain for row in rows),
                    hits=tuple(hits[effect]),
                )
                for effect, rows in by_effect.items()
                if rows
            ),
            owners=tuple(dict.fromkeys(owner for each in hits.values() for hit in each for owner in hit.owners)),
            kept=tuple(
                Kept(node=moment.summary(row), elsewhere=tuple(moment.summaries(copies[:_COPIES_SHOWN])))
                for row, copies in _page(kept, page, _KEPT_SHOWN)
            ),
            kept_count=len(self._kept),
            unknown=tuple(self._unknown),
            complete=complete,
            resume=None if complete else self._resume(stretch, more=more).token(),
            as_of=moment.time,
            known_at=self._known_at,
        )

    def _rows_of(self, effect: Effect) -> list[int]:
        rows = [row for row, touch in self._touched.items() if touch.effect == effect]
        return sorted(rows, key=lambda row: (self._rank(row), not self._touched[row].certain, self._graph.key(row)))

    def _resume(self, stretch: Mapping[Effect, Sequence[int]], *, more: bool) -> Position:
        """Return where the next page begins: in this stretch, or in the one that follows it."""
        page, first, last = self._begun.nodes, self._begun.edges, self._reach.end
        times = (self._known_at, self._moment.time)
        if more:
            return Position(page + 1, first, *times, checksum(self._last(stretch, page)))
        return Position(0, last, *times, checksum(self._reach.last))

    def _last(self, stretch: Mapping[Effect, Sequence[int]], page: int) -> str:
        """Return the keys of a page, by which it is known again."""
        return " ".join(self._graph.key(row) for rows in stretch.values() for row in _page(rows, page, _SHOWN))

    def _rank(self, row: int) -> int:
        kind = self._graph.kind(row)
        return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)

    def _hit(self, row: int) -> Hit:
        touch = self._touched[row]
        told: Any = self._moment.attributes(row)
        owners = owners_of(told)
        return Hit(
            node=self._moment.summary(row),
            effect=touch.effect,
            why=touch.why,
            certain=touch.certain,
            owners=tuple(owners),
        )


_BUCKET_SLASHES = 2
"""In ``s3://bucket``."""
_ORDER = (NodeKind.ENDPOINT, NodeKind.MODEL_PACKAGE, NodeKind.MODEL, NodeKind.PIPELINE, NodeKind.VERDICT)


def _page(rows: Sequence[_Each], page: int, size: int) -> Sequence[_Each]:
    return rows[page * size : (page + 1) * size]


def _repository(image: str) -> str:
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _names_of(image: str) -> tuple[str, str]:
    """Return a repository as it is named within its registry, and whole."""
    whole = _repository(image)
    return whole.partition("/")[2] or whole, whole
