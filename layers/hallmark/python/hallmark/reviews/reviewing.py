"""The life of a review: asked for, rated, ended, told of. Each step may be repeated and changes nothing then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.events.records import LineageFlow, LineageNode, LineageSection, own_id
from hallmark.events.reviews import (
    REVIEW_COMPLETED,
    REVIEW_NOTED,
    REVIEW_REQUESTED,
    REVIEW_SCORE_LOW,
    ReviewCompleted,
    ReviewNoted,
    ReviewRequested,
    ReviewScoreLow,
)
from hallmark.reviews.outputs import Output, draw
from hallmark.reviews.ports import KeptReview, OutputReader, Publisher, ReviewStore, ScoreFiles
from hallmark.reviews.settings import EndpointCapture, EvaluationOutputs, ReviewProgram, ReviewsPolicy
from hallmark.reviews.subjects import Place, subject_name, subject_node
from hallmark.reviews.tasks import (
    Review,
    ReviewOutcome,
    ReviewStatus,
    Score,
    Task,
    draw_digest,
    is_complete,
    latest_scores,
    make_tasks,
    may_rate,
    person_key,
    read_score,
)

_OPEN_LIMIT = 500


@dataclass(frozen=True)
class Reviewing:
    """Reviews of this deployment."""

    policy: ReviewsPolicy
    place: Place
    store: ReviewStore
    files: ScoreFiles
    publisher: Publisher
    now: Callable[[], datetime]

    # --- asking for reviews -------------------------------------------------------------------------------------------

    def program(self, name: str) -> ReviewProgram:
        """Return a program of the policy.

        Raises:
            InvalidInputError: There is none of that name.
        """
        if name not in self.policy.programs:
            there = ", ".join(sorted(self.policy.programs)) or "none yet"
            raise InvalidInputError("program", name, f"name a program of reviews in hallmark.yaml ({there})")
        return self.policy.programs[name]

    def programs_of(self, subject: str) -> list[str]:
        """Return the programs that a drift report on a subject asks for.

        Raises:
            InvalidInputError: The policy has none.
        """
        wanted = {self.place.model_arn(subject), self.place.endpoint_arn(subject)} if subject else set()
        found = [
            name
            for name, program in self.policy.programs.items()
            if program.on_drift and (_subject_of(program, self.place) in wanted or _suite_of(program) == subject)
        ]
        if not found:
            remedy = "add a program of reviews with this model or endpoint to hallmark.yaml, or take the action away"
            raise InvalidInputError("detail.subject", subject, remedy)
        return found

    def request(
        self,
        program: str,
        key: str,
        reader: OutputReader,
        *,
        window: tuple[datetime, datetime] | None = None,
        cause: str = "",
    ) -> Review:
        """Ask for a review, unless it was asked for already.

        Args:
            program: Name in the policy.
            key: The same for every repeat: a time of the schedule, a drift report, a request's id.
            reader: Where outputs are read.
            window: Whose outputs; the program's own window until now, if not given.
            cause: Id of the node that it is asked for because of.

        Raises:
            InvalidInputError: There is no such program, or nothing to review.
        """
        settings = self.program(program)
        name = review_name(program, key)
        try:
            review = self.store.find_review(name).review
        except NotFoundError:
            review = self._make(name, program, settings, reader, window, cause)
        self.publisher.publish(
            REVIEW_REQUESTED,
            ReviewRequested(
                review=review.node,
                program=program,
                subject=review.subject,
                subject_name=review.subject_name,
                tasks=review.tasks,
                cause=review.cause,
                requested_at=review.requested_at,
                owners=list(settings.owners),
            ),
        )
        return review

    def _make(
        self,
        name: str,
        program: str,
        settings: ReviewProgram,
        reader: OutputReader,
        window: tuple[datetime, datetime] | None,
        cause: str,
    ) -> Review:
        now = self.now()
        start, end = window or (now - settings.window, now)
        end = min(end, now)
        where, outputs = reader.read(settings.source, start, end)
        population = 0
        subject = _subject_of(settings, self.place)

        def counted() -> Iterator[Output]:
            nonlocal population, subject
            for output in outputs:
                population += 1
                if subject is None:
                    subject = self.place.model_arn(output.model)
                yield output

        drawn = draw(counted(), settings.sample)
        if not drawn or subject is None:
            remedy = (
                f"nothing was answered from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC: check that it is logged"
            )
            raise InvalidInputError("source", where, f"{remedy}, or ask for another window")
        tasks = make_tasks(drawn, settings)
        review = Review(
            name=name,
            program=program,
            settings=settings,
            subject=subject,
            subject_name=subject_name(subject),
            cause=cause,
            source=where,
            population=population,
            tasks=len(tasks),
            draw=draw_digest(tasks),
            requested_at=now,
            expires_at=now + settings.expires,
        )
        if not self.store.add_review(review, tasks):
            return self.store.find_review(name).review
        return review

    # --- rating -------------------------------------------------------------------------------------------------------

    def next_task(self, person: str, review: str | None = None) -> tuple[KeptReview, Task] | None:
        """Return the first output that waits for this person; of all open reviews the one that ends first."""
        kept = [self.store.find_review(review)] if review else self.store.list_reviews(ended=False, limit=_OPEN_LIMIT)
        for each in sorted(kept, key=lambda one: one.review.expires_at):
            if each.status is not ReviewStatus.OPEN:
                continue
            scores = latest_scores(self.store.scores(each.review.name))
            mine = {score.task for score in scores if person_key(score.by) == person_key(person)}
            for task in self.store.tasks(each.review):
                given = sum(score.task == task.id for score in scores)
                if task.id not in mine and may_rate(person, task) and given < each.review.settings.per_item:
                    return each, task
        return None

    def rate(self, review: str, task: str, person: str, given: str, *, note: str = "", change: bool = False) -> Score:
        """Keep what a person says of an output; end the review where it was the last that was missing.

        Raises:
            NotFoundError: There is no such review or task.
            InvalidInputError: The score is not on the scale, it is not for this person, this person has rated it, or
                the review has ended.
        """
        kept = self.store.find_review(review)
        settings = kept.review.settings
        value, fraction = read_score(given, settings)
        if kept.status is not ReviewStatus.OPEN:
            raise InvalidInputError("review", review, f"it is {kept.status.value}: scores are no longer taken")
        if not person:
            raise InvalidInputError("by", person, "say who rates: call with credentials of your own")
        found = self._task(kept.review, task)
        if not may_rate(person, found):
            remedy = f"it is for {', '.join(found.reviewers)}: `hallmark review next` shows what is for you"
            raise InvalidInputError("by", person, remedy)
        scores = [score for score in self.store.scores(review) if score.task == task]
        own = [score for score in scores if person_key(score.by) == person_key(person)]
        if own and not change:
            remedy = f"you gave it {own[-1].value:g} already: change it with --change, the first score is kept"
            raise InvalidInputError("task", task, remedy)
        if not own and len(latest_scores(scores)) >= settings.per_item:
            raise InvalidInputError("task", task, "it has all its scores: `hallmark review next` shows what has not")
        score = Score(
            task=task,
            by=person,
            value=value,
            fraction=fraction,
            note=note,
            revision=1 + max((each.revision for each in own), default=-1),
            at=self.now(),
        )
        if not self.store.add_score(review, score):
            raise InvalidInputError(
                "task", task, "you rated it elsewhere at the same moment: see it, then use --change"
            )
        self.end_if_due(kept)
        return score

    def _task(self, review: Review, task: str) -> Task:
        found = next((each for each in self.store.tasks(review) if each.id == task), None)
        if found is None:
            raise NotFoundError(f"{review.name} has no task {task!r}: `hallmark review show {review.name}` lists them")
        return found

    # --- ending -------------------------------------------------------------------------------------------------------

    def close(self, review: str) -> KeptReview:
        """End a review with the scores that it has.

        Raises:
            NotFoundError: There is no such review.
            InvalidInputError: It has ended already.
        """
        kept = self.store.find_review(review)
        if kept.status is not ReviewStatus.OPEN:
            raise InvalidInputError("review", review, f"it is {kept.status.value} already")
        return self._end(kept, ReviewStatus.CLOSED, self.now())

    def end_due(self) -> list[KeptReview]:
        """End what is complete or has expired, and tell of what ended untold; return it."""
        ended = [self.end_if_due(kept) for kept in self.store.list_reviews(ended=False, limit=_OPEN_LIMIT)]
        return [kept for kept in ended if kept is not None]

    def end_if_due(self, kept: KeptReview) -> KeptReview | None:
        """End a review that is complete or has expired; None where it goes on."""
        review = kept.review
        if kept.status is not ReviewStatus.OPEN:
            return self._tell(kept)
        scores = self.store.scores(review.name)
        if is_complete(review.tasks, review.settings.per_item, scores):
            return self._end(kept, ReviewStatus.COMPLETED, max(score.at for score in scores))
        if self.now() >= review.expires_at:
            return self._end(kept, ReviewStatus.EXPIRED, review.expires_at)
        return None

    def _end(self, kept: KeptReview, status: ReviewStatus, at: datetime) -> KeptReview:
        from hallmark.reviews.outcome import judge_review  # noqa: PLC0415 - numpy comes with it, and few events end one

        name = kept.review.name
        outcome = judge_review(self.store.tasks(kept.review), self.store.scores(name), kept.review.settings)
        self.store.end(name, status, at, outcome)
        return self._tell(self.store.find_review(name))

    def _tell(self, kept: KeptReview) -> KeptReview:
        """Tell everybody how a review ended; what is told is what was kept, however often."""
        review, outcome, at = kept.review, kept.outcome, kept.ended_at
        if outcome is None or at is None:
            raise NotFoundError(f"{review.name} is {kept.status.value} without an outcome")
        uri = self.files.write_scores(_scores_file(review), self._rows(review))
        self.publisher.publish(REVIEW_COMPLETED, _completed(kept, outcome, at, uri))
        if outcome.is_alarming(review.settings.alarm) and outcome.mean is not None:
            self.publisher.publish(REVIEW_SCORE_LOW, _score_low(kept, outcome, outcome.mean, at))
        self.store.told(review.name)
        return kept

    def _rows(self, review: Review) -> Iterator[dict[str, object]]:
        tasks = {task.id: task for task in self.store.tasks(review)}
        for score in latest_scores(self.store.scores(review.name)):
            task = tasks[score.task]
            yield {
                "at": score.at.isoformat(),
                "subject": review.subject,
                "program": review.program,
                "review": review.name,
                "task": task.id,
                "request_id": task.request_id,
                "stratum": task.stratum,
                "weight": task.weight,
                "reviewer": person_key(score.by),
                "value": score.value,
                "score": score.fraction,
            }

    # --- notes --------------------------------------------------------------------------------------------------------

    def write_note(self, node: LineageNode, text: str, person: str) -> ReviewNoted:
        """Keep a note on any node of the graph, as a fact of its own.

        Raises:
            InvalidInputError: It says nothing, or nobody says it.
        """
        if not text.strip():
            raise InvalidInputError("text", text, "write what is to be kept")
        if not person:
            raise InvalidInputError("by", person, "say who writes: call with credentials of your own")
        at = self.now()
        # Not of the person: whoever is forgotten could be found again by trying names.
        digest = sha256(f"{node.id}\n{at.isoformat()}\n{text}".encode()).hexdigest()[:16]
        name = f"note-{digest}"
        event = ReviewNoted(
            note=own_id("review", name),
            node=node.id,
            by=person,
            noted_at=at,
            lineage=LineageSection(
                node=LineageNode(kind="review", id=own_id("review", name)),
                at=at,
                status="Noted",
                attributes={"name": f"note of {subject_name(person)}", "text": text.strip(), "by": person},
                flows=[LineageFlow(node=node, type="AssociatedWith", role="noted")],
            ),
        )
        self.publisher.publish(REVIEW_NOTED, event)
        return event


def review_name(program: str, key: str) -> str:
    """Return a review's name: the same for every repeat of what asks for it."""
    return f"{program}-{sha256(key.encode()).hexdigest()[:12]}"


def _subject_of(program: ReviewProgram, place: Place) -> str | None:
    """Return the ARN of what a program reviews; None where only the run of its suite knows."""
    match program.source:
        case EndpointCapture(endpoint=name):
            return place.endpoint_arn(name)
        case source if source.kind == "invocation_logs":
            return place.model_arn(source.model)
    return None


def _suite_of(program: ReviewProgram) -> str | None:
    return program.source.suite if isinstance(program.source, EvaluationOutputs) else None


def _scores_file(review: Review) -> str:
    return f"scores/program={review.program}/{review.requested_at:%Y/%m/%d}/{review.name}.jsonl"


def _completed(kept: KeptReview, outcome: ReviewOutcome, at: datetime, uri: str) -> ReviewCompleted:
    review, settings = kept.review, kept.review.settings
    flows = [LineageFlow(node=subject_node(review.subject), role="reviewed")]
    if review.cause.startswith("hallmark:drift-report/"):
        flows.append(LineageFlow(node=LineageNode(kind="drift-report", id=review.cause), role="asked for"))
    agreement = outcome.agreement
    found = {
        "mean": outcome.mean,
        "low": outcome.low,
        "high": outcome.high,
        "agreement": agreement.alpha if agreement else None,
        "agreement_low": agreement.low if agreement else None,
        "agreement_high": agreement.high if agreement else None,
        "judgement": outcome.judgement,
        "threshold": settings.threshold,
        "confidence": settings.confidence,
        "scores_uri": uri,
    }
    told = {name: value for name, value in found.items() if value is not None}
    return ReviewCompleted(
        review=review.node,
        program=review.program,
        subject=review.subject,
        subject_name=review.subject_name,
        tasks=review.tasks,
        scores=outcome.scores,
        status=kept.status.value,
        completed_at=at,
        owners=list(settings.owners),
        lineage=LineageSection(
            node=LineageNode(kind="review", id=review.node),
            at=at,
            status=kept.status.value.capitalize(),
            attributes={
                "name": review.name,
                "program": review.program,
                "tasks": review.tasks,
                "rated": outcome.rated,
                "scores": outcome.scores,
                "population": review.population,
                "source": review.source,
                "no_agreement": outcome.no_agreement,
                **told,
            },
            flows=flows,
        ),
        **{"mean": None, **told},
    )


def _score_low(kept: KeptReview, outcome: ReviewOutcome, mean: float, at: datetime) -> ReviewScoreLow:
    review, settings = kept.review, kept.review.settings
    return ReviewScoreLow(
        review=review.node,
        program=review.program,
        subject=review.subject,
        subject_name=review.subject_name,
        mean=mean,
        low=outcome.low,
        high=outcome.high,
        threshold=settings.threshold,
        scores=outcome.scores,
        judgement=outcome.judgement,
        confidence=settings.confidence,
        completed_at=at,
        owners=list(settings.owners),
    )
