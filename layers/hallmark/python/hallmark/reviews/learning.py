"""The way of feedback: received, joined to the model that answered, exported as a dataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.events.records import LineageFlow, LineageNode, LineageSection, own_id
from hallmark.events.reviews import FEEDBACK_EXPORTED, FEEDBACK_RECEIVED, FeedbackExported, FeedbackReceived
from hallmark.reviews.feedback import (
    Feedback,
    FeedbackStatus,
    FoundAnswer,
    GivenFeedback,
    case_lines,
    cases_of,
    is_usable,
    keep,
)
from hallmark.reviews.outputs import shortened
from hallmark.reviews.ports import AnswerFinder, DatasetWriter, ExportPlan, FeedbackStore, Publisher, ScoreFiles, Wanted
from hallmark.reviews.settings import FeedbackPolicy
from hallmark.reviews.subjects import Place, subject_name, subject_node
from hallmark.reviews.tasks import person_key

JOINED_AT_ONCE = 1_000
EXPORTED_AT_ONCE = 5_000
"""Ids of an export are kept in one item of 400 KB (DynamoDB quotas)."""


class Joined(NamedTuple):
    """What a look for answers came to."""

    found: int
    lost: int
    waiting: int


class Exported(NamedTuple):
    """A dataset that was made."""

    dataset: str
    model: str
    cases: int


@dataclass(frozen=True)
class Learning:
    """Feedback of this deployment."""

    policy: FeedbackPolicy
    place: Place
    store: FeedbackStore
    publisher: Publisher
    now: Callable[[], datetime]

    def receive(self, given: GivenFeedback) -> tuple[Feedback, bool]:
        """Keep feedback and say so on the bus; the same again is told again and changes nothing.

        Returns:
            The feedback, and whether it is new.
        """
        feedback = keep(given, self.now())
        is_new = self.store.add(feedback)
        self._tell(feedback.model_copy(update={"found": self._named_by_caller(given)}) if given.model else feedback)
        return feedback, is_new

    def join(self, finder: AnswerFinder, files: ScoreFiles) -> Joined:
        """Look for the answers that feedback waits for; give up on what waits too long.

        What is found is also written as rows for whoever computes with scores.
        """
        waiting = self.store.waiting(JOINED_AT_ONCE)
        named = [each for each in waiting if each.given.model]
        wanted: dict[str, Wanted] = {}
        started = self.now()
        for each in waiting:
            if not each.given.model:
                at = each.given.answered_at or each.received_at - self.policy.lookback
                other = wanted.get(each.given.request_id, Wanted(at, each.looked_at))
                looked = each.looked_at if each.looked_at and other.looked_at else None
                wanted[each.given.request_id] = Wanted(min(at, other.asked_from), looked)
        found = finder.find(wanted) if wanted else {}
        joined = [self._join(each, self._named_by_caller(each.given)) for each in named]
        lost = 0
        for each in waiting:
            if each.given.model:
                continue
            if each.given.request_id in found:
                joined.append(self._join(each, found[each.given.request_id]))
            elif self.now() - each.received_at > self.policy.give_up_after:
                self.store.lose(each, self.now())
                lost += 1
            else:
                self.store.looked(each, started)
        self._write_scores(joined, files)
        return Joined(len(joined), lost, len(waiting) - len(joined) - lost)

    def _named_by_caller(self, given: GivenFeedback) -> FoundAnswer:
        return FoundAnswer(
            subject=self.place.model_arn(given.model),
            prompt=shortened(given.prompt),
            answer=shortened(given.answer),
            at=given.answered_at,
            where="caller",
        )

    def _join(self, feedback: Feedback, found: FoundAnswer) -> Feedback:
        with_answer = feedback.model_copy(update={"found": found})
        usable = is_usable(with_answer, self.policy.export)
        joined = self.store.join(with_answer, found, self.now(), usable=usable)
        self._tell(joined)
        return joined

    def _tell(self, feedback: Feedback) -> None:
        given, found = feedback.given, feedback.found
        self.publisher.publish(
            FEEDBACK_RECEIVED,
            FeedbackReceived(
                feedback=feedback.id,
                request_id=given.request_id,
                model=found.subject if found else "",
                score=given.score,
                label=given.label or "",
                corrected=given.correct is not None,
                answered_at=found.at if found and found.at else given.answered_at,
                received_at=feedback.received_at,
            ),
        )

    def _write_scores(self, joined: Sequence[Feedback], files: ScoreFiles) -> None:
        if not joined:
            return
        ids = ",".join(sorted(each.id for each in joined))
        name = f"feedback/{self.now():%Y/%m/%d/%H}/{sha256(ids.encode()).hexdigest()[:16]}.jsonl"
        files.write_scores(name, _rows(joined))

    # --- datasets -----------------------------------------------------------------------------------------------------

    def export(
        self, writer: DatasetWriter, *, model: str | None = None, min_cases: int | None = None
    ) -> list[Exported]:
        """Make a dataset of each model's new corrections; first finish what was begun and not finished.

        Args:
            writer: Where datasets go.
            model: Only of this one: an ARN, or a part of one.
            min_cases: How many cases a dataset needs; policy says it, if not given.

        Raises:
            InvalidInputError: No usable feedback is about that model.
        """
        made = [self._finish(plan, writer) for plan in self.store.open_exports()]
        begun = {each for plan in self.store.open_exports() for each in plan.feedback}
        by_model: dict[str, list[Feedback]] = defaultdict(list)
        for each in self.store.usable(EXPORTED_AT_ONCE):
            if each.found is not None and each.id not in begun and (model is None or model in each.found.subject):
                by_model[each.found.subject].append(each)
        if model is not None and not by_model and not made:
            raise InvalidInputError("model", model, "no corrections of it wait: see `hallmark feedback status`")
        needed = min_cases if min_cases is not None else self.policy.export.min_cases
        for subject, feedback in sorted(by_model.items()):
            if sum(1 for _ in cases_of(feedback, self.policy.export)) >= needed:
                plan = _plan(subject, feedback)
                self.store.begin_export(plan)
                made.append(self._finish(plan, writer))
        return made

    def _finish(self, plan: ExportPlan, writer: DatasetWriter) -> Exported:
        """Write, tell, then mark: what is interrupted is made again, the same, by the next export."""
        cases = list(cases_of(self.store.read(plan.feedback), self.policy.export))
        content = case_lines(cases)
        slug = "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in subject_name(plan.model))
        dataset = writer.write_dataset(f"{slug}/{plan.at:%Y%m%dT%H%M%SZ}-{plan.export}.jsonl", content)
        digest = f"sha256:{sha256(content).hexdigest()}"
        node = own_id("feedback", plan.export)
        self.publisher.publish(
            FEEDBACK_EXPORTED,
            FeedbackExported(
                dataset=dataset,
                model=plan.model,
                cases=len(cases),
                digest=digest,
                exported_at=plan.at,
                lineage=LineageSection(
                    node=LineageNode(kind="feedback", id=node),
                    at=plan.at,
                    status="Exported",
                    attributes={
                        "name": f"feedback on {subject_name(plan.model)}",
                        "cases": len(cases),
                        "pieces": len(plan.feedback),
                        "digest": digest,
                    },
                    flows=[
                        LineageFlow(node=subject_node(plan.model), role="answered"),
                        LineageFlow(
                            node=LineageNode(kind="dataset", id=dataset), direction="out", type="Produced", role="cases"
                        ),
                    ],
                ),
            ),
        )
        self.store.finish_export(plan, dataset)
        return Exported(dataset, plan.model, len(cases))


def _plan(subject: str, feedback: Sequence[Feedback]) -> ExportPlan:
    ids = tuple(sorted(each.id for each in feedback))
    at = max(each.settled_at or each.received_at for each in feedback)
    return ExportPlan(sha256("\n".join((subject, *ids)).encode()).hexdigest()[:16], subject, ids, at)


def _rows(joined: Sequence[Feedback]) -> Iterator[dict[str, Any]]:
    for each in joined:
        given, found = each.given, each.found
        if found is None or each.status is not FeedbackStatus.JOINED:
            continue
        yield {
            "at": (found.at or given.answered_at or each.received_at).isoformat(),
            "received_at": each.received_at.isoformat(),
            "subject": found.subject,
            "request_id": given.request_id,
            "feedback": each.id,
            "by": person_key(given.by) if given.by else "",
            "score": given.score,
            "label": given.label,
            "corrected": given.correct is not None,
        }
