"""Why a node is what it is: what it serves, what that was made of, what let it through, and what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hallmark.lineage.exports.holes import holes
from hallmark.lineage.exports.material import Material
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.numbering import DATA_KINDS, data_of, trainer_of, version_of, with_versions
from hallmark.lineage.questions import Answer, Candidates, NodeSummary, ShowAnswer
from hallmark.lineage.reasoned import (
    Actor,
    AlertTold,
    Cause,
    CriterionTold,
    DataUsed,
    ModelOrigin,
    Replaced,
    ServedModel,
    Unknown,
    VerdictTold,
    WhyAnswer,
    WhyQuestion,
)
from hallmark.lineage.reasoning.decisions import (
    REGISTERED_KINDS,
    Serving,
    config_of,
    decisions_of,
    is_machine,
    models_of,
)
from hallmark.lineage.view import Link, Moment

OPEN_ALERTS = frozenset({"Firing", "Acknowledged"})
_SUBJECTS = (NodeKind.ENDPOINT, NodeKind.MODEL, *REGISTERED_KINDS)
_ABOUT_DECISIONS = frozenset(
    {NodeKind.VERDICT, NodeKind.APPROVAL, NodeKind.OVERRIDE, NodeKind.ACTION, NodeKind.DRIFT_REPORT, NodeKind.ALERT}
)
_EVIDENCE = (NodeKind.VERDICT, NodeKind.DRIFT_REPORT, NodeKind.EVALUATION, NodeKind.REVIEW, NodeKind.ALERT)
_MODELS_TOLD = 5
_DATA_TOLD = 12
_DECIDING = 3
_NEIGHBOURS_TOLD = 12
_SAID = ("summary", "reason", "text")


def answer_why(question: WhyQuestion, moment: Moment) -> Answer:
    """Return why a node is what it is; where the name tells no node, or several, what may have been meant."""
    found = moment.view.resolve(question.node)
    if isinstance(found, Candidates):
        return found
    return _Why(moment, found).answer()


class _Why:
    def __init__(self, moment: Moment, row: int) -> None:
        self._moment = moment
        self._row = row
        self._kind = moment.graph.kind(row)
        self._config = self._find_config()
        self._serving = models_of(moment, self._config) if self._config is not None else []

    def _find_config(self) -> int | None:
        if self._kind is NodeKind.ENDPOINT:
            link = config_of(self._moment, self._row)
            return link.row if link else None
        return self._row if self._kind is NodeKind.ENDPOINT_CONFIG else None

    def answer(self) -> WhyAnswer:
        moment = self._moment
        models = self._models()
        served = config_of(moment, self._row) if self._kind is NodeKind.ENDPOINT else None
        about, led_to = self._neighbours()
        told = moment.attributes(self._row)
        return WhyAnswer(
            node=self._numbered(self._row),
            said=tuple(str(told[name]) for name in _SAID if told.get(name)) if self._kind in _ABOUT_DECISIONS else (),
            since=served.since if served else None,
            config=moment.summary(served.row) if served else None,
            serving=tuple(self._served(each) for each in self._serving),
            replaced=self._replaced(served) if served else None,
            about=tuple(moment.summaries(about[:_NEIGHBOURS_TOLD])),
            led_to=tuple(moment.summaries(led_to[:_NEIGHBOURS_TOLD])),
            models=tuple(self._origin(row) for row in models[:_MODELS_TOLD]),
            alerts=tuple(self._alerts(models)),
            unknown=tuple(self._unknown(models[:_MODELS_TOLD])),
            complete=max(len(about), len(led_to)) <= _NEIGHBOURS_TOLD and len(models) <= _MODELS_TOLD,
        )

    # --- what it is about ---

    def _models(self) -> list[int]:
        """Return the models that are to be explained, registered ones where they are known."""
        if self._config is not None:
            found = [each.model if each.package is None else each.package for each in self._serving]
        elif self._kind in _ABOUT_DECISIONS:
            found = [
                row
                for link in self._subjects()
                for row in (self._models_behind(link.row) if link.kind is NodeKind.ENDPOINT else [link.row])
            ]
        elif self._kind is NodeKind.MODEL:
            packages = [link.row for link in self._moment.into(self._row, *REGISTERED_KINDS)]
            found = packages or [self._row]
        else:
            found = [self._row]
        return list(dict.fromkeys(found))

    def _subjects(self) -> list[Link]:
        links = self._moment.into(self._row, *_SUBJECTS) + self._moment.out_of(self._row, *_SUBJECTS)
        if links:
            return links
        verdicts = self._moment.into(self._row, NodeKind.VERDICT)
        return [link for verdict in verdicts for link in self._moment.into(verdict.row, *_SUBJECTS)]

    def _models_behind(self, endpoint: int) -> list[int]:
        config = config_of(self._moment, endpoint)
        served = models_of(self._moment, config.row) if config else []
        return [each.model if each.package is None else each.package for each in served]

    def _neighbours(self) -> tuple[list[int], list[int]]:
        if self._kind not in _ABOUT_DECISIONS:
            return [], []
        up, down = self._moment.into(self._row), self._moment.out_of(self._row)
        return [link.row for link in up], [link.row for link in down]

    # --- what it serves ---

    def _served(self, each: Serving) -> ServedModel:
        package = None if each.package is None else self._numbered(each.package)
        return ServedModel(variant=each.variant, model=self._moment.summary(each.model), package=package)

    def _numbered(self, row: int) -> NodeSummary:
        step = version_of(self._moment, row)
        return with_versions(self._moment, [row], [step] if step else [])[0]

    def _replaced(self, served: Link) -> Replaced | None:
        """Return what an endpoint served until its configuration began."""
        moment, since = self._moment, served.since
        if since is None:
            return None
        before = moment.at(since, just_before=True)
        former = config_of(before, self._row)
        if former is None:
            return None
        models = tuple(self._served(each) for each in models_of(moment, former.row))
        return Replaced(until=since, config=moment.summary(former.row), models=models)

    # --- what a model was made of ---

    def _origin(self, row: int) -> ModelOrigin:
        moment = self._moment
        run = trainer_of(moment, row)
        data = data_of(moment, run) if run is not None else []
        known = {link.role for link in data if link.kind is NodeKind.DATASET_VERSION}
        data = [link for link in data if link.kind is not NodeKind.DATASET or link.role not in known]
        sources = moment.into(run, NodeKind.CODE, NodeKind.IMAGE) if run is not None else []
        return ModelOrigin(
            model=self._numbered(row),
            version=version_of(moment, row),
            made_by=moment.summary(run) if run is not None else None,
            data=tuple(self._data(link) for link in data[:_DATA_TOLD]),
            more_data=max(0, len(data) - _DATA_TOLD),
            code=tuple(moment.summary(link.row).label for link in sources if link.kind is NodeKind.CODE),
            images=tuple(moment.summary(link.row).label for link in sources if link.kind is NodeKind.IMAGE),
            people=tuple(self._people(row, run)),
            verdicts=tuple(self._verdicts(row)),
            decisions=tuple(decisions_of(moment, row)),
            cause=tuple(self._cause(run)) if run is not None else (),
        )

    def _data(self, link: Link) -> DataUsed:
        told = self._moment.attributes(link.row)
        return DataUsed(
            role=link.role,
            node=self._moment.summary(link.row),
            objects=told.get("objects"),
            bytes=told.get("bytes"),
        )

    def _people(self, row: int, run: int | None) -> Iterator[Actor]:
        """Yield who registered and who trained a model, as far as anything tells."""
        for made, did in ((row, "registered"), (run, "trained")):
            if made is None:
                continue
            told = self._moment.attributes(made)
            callers = [
                (link.row, self._moment.attributes(link.row))
                for link in self._moment.into(made, NodeKind.ACTION)
                if str(self._moment.attributes(link.row).get("name", "")).startswith("Create")
            ]
            reason = str((told.get("tags") or {}).get("hallmark:reason") or "")
            for action, call in callers:
                who = str(call.get("by") or "")
                yield Actor(
                    kind="call",
                    did=did,
                    by=who,
                    name=str(call.get("by_name") or ""),
                    at=self._moment.node(action).at,
                    reason=str(call.get("reason") or reason),
                    machine=is_machine(who, call),
                )
            makers = [link.row for link in self._moment.into(made, NodeKind.USER) if link.role == "created-by"]
            if not callers:
                for maker in makers:
                    who = self._moment.graph.identifier(maker)
                    yield Actor(kind="made", did=did, by=who, reason=reason, machine=is_machine(who, {}))

    # --- what let it through ---

    def _verdicts(self, row: int) -> Iterator[VerdictTold]:
        """Yield the newest verdict of each gate and stage, the newest first."""
        moment = self._moment
        links = moment.out_of(row, NodeKind.VERDICT)
        if self._kind is NodeKind.VERDICT:
            links = [link for link in links if link.row == self._row]
        rows = sorted(
            dict.fromkeys(link.row for link in links),
            key=lambda verdict: (moment.node(verdict).at or moment.time, moment.graph.key(verdict)),
            reverse=True,
        )
        met = set()
        for verdict in rows:
            told = moment.attributes(verdict)
            gate = (told.get("gate"), told.get("stage"))
            if gate not in met:
                met.add(gate)
                yield self._verdict(verdict, told)

    def _verdict(self, verdict: int, told: Mapping[str, Any]) -> VerdictTold:
        criteria = criteria_of(told)
        return VerdictTold(
            node=self._moment.summary(verdict),
            gate=str(told.get("gate") or ""),
            stage=str(told.get("stage") or ""),
            action=str(told.get("action") or ""),
            summary=str(told.get("summary") or ""),
            deciding=tuple(deciding(criteria)),
            criteria=len(criteria),
        )

    def _cause(self, run: int) -> Iterator[Cause]:
        """Yield, of a retraining, what led to it: the drift report, the action, the execution, the run."""
        moment = self._moment
        executions = [link.row for link in moment.into(run) if link.type is EdgeType.ASSOCIATED_WITH]
        for execution in (run, *executions):
            for action in moment.into(execution, NodeKind.ACTION):
                reports = moment.into(action.row, NodeKind.DRIFT_REPORT, NodeKind.VERDICT, NodeKind.ALERT)
                if not reports:
                    continue
                way = [reports[0].row, action.row, *([execution] if execution != run else []), run]
                for row in way:
                    told = moment.attributes(row)
                    said = next((str(told[name]) for name in _SAID if told.get(name)), "")
                    yield Cause(node=moment.summary(row), said=said)
                return

    # --- what is wrong, and what is not known ---

    def _alerts(self, models: Sequence[int]) -> Iterator[AlertTold]:
        moment = self._moment
        around = dict.fromkeys([self._row, *([] if self._config is None else [self._config]), *models])
        first = [link.row for row in around for link in moment.out_of(row, *_EVIDENCE)]
        if self._kind is NodeKind.ALERT:
            first.append(self._row)
        second = [
            link.row
            for row in dict.fromkeys(first)
            if moment.graph.kind(row) is not NodeKind.ALERT
            for link in moment.out_of(row, NodeKind.ALERT)
        ]
        alerts = [row for row in dict.fromkeys([*first, *second]) if moment.graph.kind(row) is NodeKind.ALERT]
        for row in sorted(alerts, key=moment.graph.key):
            node = moment.node(row)
            if node.status in OPEN_ALERTS:
                told = node.attributes
                yield AlertTold(
                    node=moment.summary(row),
                    severity=str(told.get("severity") or ""),
                    summary=str(told.get("summary") or ""),
                    acknowledged_by=str(told.get("acknowledged_by") or ""),
                )

    def _unknown(self, models: Sequence[int]) -> Iterator[Unknown]:
        """Yield what is not known of the models and of what they were made from, a step each: no further up."""
        met = set()
        if self._kind is NodeKind.ENDPOINT and not self._serving:
            yield Unknown(
                what="It is not known which model it serves.", remedy="Describe its configuration: hallmark backfill."
            )
        for row in models:
            for hole in holes(self._material(row)):
                if hole.what not in met:
                    met.add(hole.what)
                    yield Unknown(what=hole.what, remedy=hole.remedy)

    def _material(self, row: int) -> Material:
        """Return a model, its run, the run's inputs and what made those, and what was said of the model."""
        moment = self._moment
        run = trainer_of(moment, row)
        rows, makers = [row], list[int]()
        if run is not None:
            inputs = [link.row for link in moment.into(run, *DATA_KINDS, NodeKind.CODE, NodeKind.IMAGE)]
            makers = [link.row for each in inputs for link in moment.into(each)[:1]]
            rows += [run, *inputs]
        rows += [
            link.row
            for link in moment.out_of(
                row, NodeKind.VERDICT, NodeKind.EVALUATION, NodeKind.APPROVAL, NodeKind.OVERRIDE, NodeKind.ACTION
            )
        ]
        for each in (row, run):
            rows += [] if each is None else [link.row for link in moment.into(each, NodeKind.USER)]
        for model in [link.row for link in moment.out_of(row, NodeKind.MODEL)]:
            rows += [link.row for link in moment.out_of(model, NodeKind.EVALUATION)]
        rows = list(dict.fromkeys(rows))
        near = {row, run}
        return Material(
            start=moment.summary(row),
            nodes=tuple(moment.summaries(rows)),
            # Of what made the inputs it counts that it is known, not what is known of it.
            edges=tuple(moment.edges_among([*rows, *makers])),
            shown={moment.graph.key(each): self._shown(each) for each in rows if each in near or self._is_said(each)},
            as_of=moment.as_of,
            known_at=moment.known_at,
        )

    def _is_said(self, row: int) -> bool:
        return self._moment.graph.kind(row) in {NodeKind.DATASET_VERSION, NodeKind.APPROVAL, NodeKind.ACTION}

    def _shown(self, row: int) -> ShowAnswer:
        moment = self._moment
        return ShowAnswer(
            node=moment.summary(row),
            attributes=dict(moment.attributes(row)),
            history=(),
            upstream=(),
            downstream=(),
            neighbours=(),
        )


def criteria_of(told: Mapping[str, Any]) -> list[CriterionTold]:
    """Return the criteria of a verdict, by name."""
    found = []
    for name, criterion in sorted((told.get("criteria") or {}).items()):
        if isinstance(criterion, Mapping):
            numbers = {
                field: number
                for field in ("value", "low", "high", "threshold")
                if isinstance(number := criterion.get(field), int | float) and not isinstance(number, bool)
            }
            cases = criterion.get("cases")
            found.append(
                CriterionTold(
                    name=str(name),
                    outcome=str(criterion.get("outcome") or ""),
                    cases=cases if isinstance(cases, int) else None,
                    margin=_margin(str(criterion.get("outcome") or ""), numbers),
                    **numbers,
                )
            )
    return found


def _margin(outcome: str, numbers: Mapping[str, float]) -> float | None:
    """Return how far the deciding bound lies from the threshold: what passed is above nought, what failed below."""
    if "threshold" not in numbers or not numbers.keys() & {"value", "low", "high"}:
        return None
    bounds = [numbers[name] for name in ("low", "high") if name in numbers] or [numbers["value"]]
    nearest = min(abs(bound - numbers["threshold"]) for bound in bounds)
    return nearest if outcome == "passed" else -nearest


def deciding(criteria: Iterable[CriterionTold], most: int = _DECIDING) -> list[CriterionTold]:
    """Return the criteria that decided a verdict.

    Those that failed, else those that were inconclusive; where all passed, those that passed by the least, as a share
    of their threshold.
    """
    found = list(criteria)
    for outcome in ("failed", "inconclusive"):
        fallen = [each for each in found if each.outcome == outcome]
        if fallen:
            return sorted(fallen, key=_closeness, reverse=True)[:most]
    return sorted(found, key=_closeness)[:most]


def _closeness(criterion: CriterionTold) -> tuple[float, str]:
    if criterion.margin is None:
        return float("inf"), criterion.name
    return abs(criterion.margin) / (abs(criterion.threshold or 0.0) or 1.0), criterion.name
