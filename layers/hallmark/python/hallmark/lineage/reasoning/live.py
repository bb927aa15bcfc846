"""What was in production at a time, as it was known at another."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from hallmark.lineage.columns import Integers
from hallmark.lineage.model import NodeKind
from hallmark.lineage.paging import Position, checksum
from hallmark.lineage.reasoned import LiveAnswer, LiveEndpoint, LiveModel, LiveQuestion
from hallmark.lineage.reasoning.decisions import SERVING_STATUSES, Serving, config_of, decisions_of, models_of
from hallmark.lineage.view import Moment


def answer_live(question: LiveQuestion, moment: Moment, begun: Position, newest: datetime) -> LiveAnswer:
    """Return the endpoints in service, by key.

    Raises:
        InvalidInputError: The token is of another answer.
    """
    graph = moment.graph
    rows = moment.of_kind(NodeKind.ENDPOINT)
    wanted = question.contains.lower()
    kept = [
        wanted in graph.key(row).lower() or wanted in label.lower()
        for row, label in zip(rows.tolist(), graph.labels(rows), strict=True)
    ]
    rows = rows[np.array(kept, dtype=bool)]
    rows = rows[np.argsort(graph.ranks.of(rows))]
    serving, untold = _serving(moment, rows)
    last = serving[begun.nodes - 1] if 0 < begun.nodes <= len(serving) else None
    begun.expect(None if last is None else graph.key(last), question.resume)
    page = serving[begun.nodes : begun.nodes + question.limit]
    end = begun.nodes + len(page)
    complete = end == len(serving)
    known_at = moment.known_at or newest
    position = Position(end, 0, known_at, moment.time, checksum(graph.key(serving[end - 1])) if end else 0)
    return LiveAnswer(
        endpoints=tuple(_endpoint(moment, row) for row in page),
        in_service=len(serving),
        untold=untold,
        complete=complete,
        resume=None if complete else position.token(),
        as_of=moment.time,
        known_at=known_at,
    )


def _serving(moment: Moment, rows: Integers) -> tuple[list[int], int]:
    """Return the endpoints that served, and of how many no state is known."""
    found, untold = [], 0
    for row, status in zip(rows.tolist(), moment.graph.statuses(rows, moment.held), strict=True):
        if status.status in SERVING_STATUSES:
            found.append(row)
        elif status.status is None and moment.graph.first_seen[row] <= moment.held:
            untold += 1
    return found, untold


def _endpoint(moment: Moment, row: int) -> LiveEndpoint:
    config = config_of(moment, row)
    served = models_of(moment, config.row) if config else []
    return LiveEndpoint(
        endpoint=moment.summary(row),
        config=moment.summary(config.row) if config else None,
        since=config.since if config else None,
        models=tuple(_model(moment, each) for each in served),
    )


def _model(moment: Moment, each: Serving) -> LiveModel:
    if each.package is None:
        return LiveModel(variant=each.variant, model=moment.summary(each.model))
    told = moment.attributes(each.package)
    decided = [actor for actor in decisions_of(moment, each.package) if actor.kind != "action"]
    return LiveModel(
        variant=each.variant,
        model=moment.summary(each.model),
        package=moment.summary(each.package),
        approval_status=told.get("approval_status"),
        stage=told.get("stage"),
        approvals=tuple(decided),
    )
