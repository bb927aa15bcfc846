"""Feedback and its exports in DynamoDB, in the table of reviews (layout: ``docs/reviews.md``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hallmark.aws.reviews_table import Item, ReviewItems, stamp
from hallmark.reviews.feedback import Feedback, FeedbackStatus, FoundAnswer, GivenFeedback, request_key
from hallmark.reviews.ports import ExportPlan

_WAITING, _USABLE, _SCORED, _EXPORTED, _LOST = (
    f"feedback#{word}" for word in ("waiting", "usable", "scored", "exported", "lost")
)
_OPEN, _DONE = "exports#open", "exports#done"
_EXPORTS = 100


class DynamoFeedback:
    """FeedbackStore.

    Args:
        table_name: The table of reviews.
        client: Of DynamoDB.
        keep: How long feedback is kept.
    """

    def __init__(self, table_name: str, client: Any, keep: timedelta) -> None:
        self._items = ReviewItems(table_name, client)
        self._keep = keep

    def add(self, feedback: Feedback) -> bool:
        """Keep feedback; tell whether it was new."""
        return self._items.put_new(
            {
                **_key(feedback.id),
                "body": {"S": feedback.given.model_dump_json()},
                "received_at": {"S": stamp(feedback.received_at)},
                "status": {"S": FeedbackStatus.WAITING},
                "listed": {"S": _WAITING},
                "listed_at": {"S": stamp(feedback.received_at)},
                "expires_at": {"N": str(int((feedback.received_at + self._keep).timestamp()))},
            }
        )

    def of_request(self, request_id: str) -> list[Feedback]:
        """Return all feedback on a request, the oldest first."""
        found = [_feedback(item) for item in self._items.query(f"FEEDBACK#{request_key(request_id)}")]
        return sorted(found, key=lambda each: each.received_at)

    def waiting(self, limit: int) -> list[Feedback]:
        """Return feedback whose answer is not found yet, the oldest first."""
        return [_feedback(item) for item in self._items.listed(_WAITING, limit)]

    def join(self, feedback: Feedback, found: FoundAnswer, at: datetime, *, usable: bool) -> Feedback:
        """Keep whose answer it was, and whether it can become a case."""
        self._items.update(
            _key(feedback.id),
            "SET #status = :joined, answered = :found, settled_at = :at, listed = :listed, listed_at = :at",
            "#status = :waiting",
            {
                ":joined": {"S": FeedbackStatus.JOINED},
                ":waiting": {"S": FeedbackStatus.WAITING},
                ":found": {"S": found.model_dump_json()},
                ":at": {"S": stamp(at)},
                ":listed": {"S": _USABLE if usable else _SCORED},
            },
        )
        item = self._items.get(_key(feedback.id))
        return _feedback(item) if item is not None else feedback

    def looked(self, feedback: Feedback, at: datetime) -> None:
        """Say that its answer was looked for in vain."""
        self._items.update(
            _key(feedback.id),
            "SET looked_at = :at",
            "#status = :waiting",
            {":at": {"S": stamp(at)}, ":waiting": {"S": FeedbackStatus.WAITING}},
        )

    def lose(self, feedback: Feedback, at: datetime) -> None:
        """Say that the answer was not found in time."""
        self._items.update(
            _key(feedback.id),
            "SET #status = :lost, settled_at = :at, listed = :listed, listed_at = :at",
            "#status = :waiting",
            {
                ":lost": {"S": FeedbackStatus.LOST},
                ":waiting": {"S": FeedbackStatus.WAITING},
                ":at": {"S": stamp(at)},
                ":listed": {"S": _LOST},
            },
        )

    def usable(self, limit: int) -> list[Feedback]:
        """Return feedback that can become cases and is in no dataset yet, the oldest first."""
        return [_feedback(item) for item in self._items.listed(_USABLE, limit)]

    def read(self, ids: Sequence[str]) -> list[Feedback]:
        """Return feedback by its ids, in their order; what has expired meanwhile is left out."""
        return [_feedback(item) for item in self._items.read([_key(each) for each in ids])]

    def open_exports(self) -> list[ExportPlan]:
        """Return the datasets that were begun and not finished."""
        return [_plan(item) for item in self._items.listed(_OPEN, _EXPORTS)]

    def begin_export(self, plan: ExportPlan) -> bool:
        """Keep what is about to be exported; False where it is kept already."""
        return self._items.put_new(
            {
                **_export_key(plan.export),
                "body": {"S": json.dumps({"model": plan.model, "feedback": plan.feedback})},
                "listed_at": {"S": stamp(plan.at)},
                "listed": {"S": _OPEN},
            }
        )

    def finish_export(self, plan: ExportPlan, dataset: str) -> None:
        """Say of each piece of feedback in which dataset it is, then that the export is done."""
        for each in plan.feedback:
            self._items.update(
                _key(each),
                "SET dataset = :dataset, listed = :exported",
                "attribute_exists(pk)",
                {":dataset": {"S": dataset}, ":exported": {"S": _EXPORTED}},
            )
        self._items.update(
            _export_key(plan.export),
            "SET dataset = :dataset, listed = :done",
            "attribute_exists(pk)",
            {":dataset": {"S": dataset}, ":done": {"S": _DONE}},
        )

    def counts(self) -> dict[str, int]:
        """Return how much feedback waits, is usable, only scores, is exported, is lost."""
        kinds = (_WAITING, _USABLE, _SCORED, _EXPORTED, _LOST)
        return {kind.partition("#")[2]: self._items.count(kind) for kind in kinds}


def _key(feedback: str) -> Item:
    return {"pk": {"S": f"FEEDBACK#{feedback.partition('-')[0]}"}, "sk": {"S": feedback}}


def _export_key(export: str) -> Item:
    return {"pk": {"S": f"EXPORT#{export}"}, "sk": {"S": "EXPORT"}}


def _feedback(item: Mapping[str, Any]) -> Feedback:
    found, settled, looked = (item.get(name) for name in ("answered", "settled_at", "looked_at"))
    return Feedback(
        id=item["sk"]["S"],
        given=GivenFeedback.model_validate_json(item["body"]["S"]),
        received_at=datetime.fromisoformat(item["received_at"]["S"]),
        status=FeedbackStatus(item["status"]["S"]),
        found=FoundAnswer.model_validate_json(found["S"]) if found else None,
        settled_at=datetime.fromisoformat(settled["S"]) if settled else None,
        looked_at=datetime.fromisoformat(looked["S"]) if looked else None,
        dataset=item["dataset"]["S"] if "dataset" in item else "",
    )


def _plan(item: Mapping[str, Any]) -> ExportPlan:
    body = json.loads(item["body"]["S"])
    return ExportPlan(
        item["pk"]["S"].partition("#")[2],
        body["model"],
        tuple(body["feedback"]),
        datetime.fromisoformat(item["listed_at"]["S"]),
    )
