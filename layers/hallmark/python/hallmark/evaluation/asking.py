"""Asking models: within the budget and the pace, each case once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from random import Random
from typing import NamedTuple

from hallmark.errors import HallmarkError, UnavailableError
from hallmark.evaluation.plans import call_cost_usd, input_tokens_of, worst_cost_usd
from hallmark.evaluation.ports import (
    AnswerBook,
    AnswerKey,
    Asked,
    Clock,
    Models,
    NoReplyError,
    Outcome,
    Pace,
    Progress,
    Purse,
    RefusedError,
    ThrottledError,
)
from hallmark.evaluation.results import Answer, Failure, FailureKind
from hallmark.evaluation.suites import ModelVariant

LANES = 8
"""Calls of one invocation at a time: an invocation waits for models, it does not compute."""
_BACKOFF_SECONDS = 0.5
_BACKOFF_LIMIT_SECONDS = 20.0
_TRIES = 6
_SETTLING_SECONDS = (0.5, 1.0, 2.0)
"""Waits for answers to calls of an invocation that lives on, e.g. behind an execution that was stopped and redriven."""
_MONEY_SECONDS = (0.5, 1.0, 2.0)
"""Waits for money that other invocations hold in reserve; what a dead one holds comes back when it would have ended."""
_RESERVE_SECONDS = 60.0
"""An invocation that has less time left than this asks no more: an answer may take this long (``aws/bedrock.py``)."""


class UnfinishedError(HallmarkError):
    """The invocation's time is nearly over; what was answered is recorded, the next invocation asks the rest."""


class _Tally(NamedTuple):
    outcomes: dict[AnswerKey, Outcome]
    throttled: list[Asked]


class Asker:
    """Asks cases of models; a case that was asked before is not asked again.

    Args:
        models: Where to ask.
        book: Calls of this run.
        purse: The run's money.
        pace: Rates of the models.
        clock: Time.
        deadline: When the run ends, with or without the rest.
        random: Spreads the waits of those that were throttled together.
    """

    def __init__(
        self,
        *,
        models: Models,
        book: AnswerBook,
        purse: Purse,
        pace: Pace,
        clock: Clock,
        deadline: datetime,
        random: Random,
    ) -> None:
        self._models = models
        self._book = book
        self._purse = purse
        self._pace = pace
        self._clock = clock
        self._deadline = deadline
        self._random = random

    def ask_all(self, asked: Sequence[Asked], *, give_up: bool = False) -> Mapping[AnswerKey, Outcome]:
        """Return an answer or a failure for each case, all of one variant.

        Args:
            asked: What to ask; at most a hundred.
            give_up: Whether cases that stay throttled are failures, rather than an error that calls for a retry.

        Raises:
            UnfinishedError: The invocation's time is nearly over.
            UnavailableError: The model throttles longer than an invocation should wait.
        """
        outcomes, pending = self._look_up(asked)
        if not pending:
            # Those who asked them may have died before they said what it cost: nobody else comes by to count it.
            self._purse.settle(0.0, Progress())
        leftover, progress, refusal, asking = 0.0, Progress(), None, False
        try:
            while pending:
                if refusal is not None or self._clock.now() >= self._deadline:
                    outcomes |= _not_asked(pending, refusal, "the run's time is over")
                    break
                if self._clock.remaining_seconds() < _RESERVE_SECONDS:
                    raise UnfinishedError(f"{len(pending)} of {len(asked)} cases are left: invoke again")
                chunk, worst = self._afford(pending[:LANES], leftover, progress)
                leftover, progress = worst, Progress()
                if not chunk:
                    outcomes |= _not_asked(pending, None, "the run's money is spent")
                    break
                asking = True
                done = self._ask_chunk(chunk)
                asking = False
                if done is None:
                    found, pending = self._look_up(pending)
                    outcomes |= found
                    continue
                progress = _progress(done.outcomes, _worst_usd(chunk))
                leftover = worst - progress.spent_usd
                outcomes |= done.outcomes
                pending = pending[len(chunk) :]
                if done.throttled:
                    if not give_up:
                        raise UnavailableError(f"{chunk[0].variant.model_id} throttles: {len(pending)} cases are left")
                    outcomes |= {each.key: _failed(FailureKind.THROTTLED, _THROTTLED) for each in done.throttled}
                refusal = _common_refusal(done.outcomes, chunk)
        finally:
            # Where it broke off among calls, nobody knows which were paid for: that money is not given back.
            if not asking and (leftover or any(progress)):
                self._purse.settle(leftover, progress)
        return outcomes | self._settle([key for key, outcome in outcomes.items() if outcome == _ANNOUNCED])

    def _afford(self, chunk: Sequence[Asked], leftover: float, progress: Progress) -> tuple[Sequence[Asked], float]:
        """Reserve money for as many of these calls as there is; return them, and what they cost at most.

        Answers cost less than was reserved for them: what the other invocations give back is waited for.
        """
        for wait in (0.0, *_MONEY_SECONDS):
            self._clock.wait(wait)
            wanted = chunk
            while wanted:
                worst = sum(_worst_usd(wanted).values())
                if self._purse.reserve(worst, leftover, progress):
                    return wanted, worst
                wanted = wanted[: len(wanted) // 2]
            if self._purse.settle(leftover, progress) <= 0:
                break
            leftover, progress = 0.0, Progress()
        return (), 0.0

    def _look_up(self, asked: Sequence[Asked]) -> tuple[dict[AnswerKey, Outcome], list[Asked]]:
        """Return what is known of calls, and those that nobody announced."""
        known = dict(self._book.find([each.key for each in asked]))
        return known, [each for each in asked if each.key not in known]

    def _settle(self, announced: Sequence[AnswerKey]) -> dict[AnswerKey, Outcome]:
        """Return what came of calls that another invocation announced; it may be alive, and hear of them yet."""
        settled: dict[AnswerKey, Outcome] = {}
        for wait in (0.0, *_SETTLING_SECONDS):
            waiting = [key for key in announced if key not in settled]
            if not waiting:
                break
            self._clock.wait(wait)
            settled |= {key: outcome for key, outcome in self._book.find(waiting).items() if outcome != _ANNOUNCED}
        return {key: settled.get(key, _INTERRUPTED) for key in announced}

    def _ask_chunk(self, chunk: Sequence[Asked]) -> _Tally | None:
        """Return what came of a few calls; None where another invocation has announced one of them."""
        self._keep_pace(chunk)
        if not self._book.announce(_worst_usd(chunk)):
            return None
        outcomes: dict[AnswerKey, Outcome] = {}
        throttled: list[Asked] = []
        with ThreadPoolExecutor(max_workers=LANES) as lanes:
            for each, outcome in zip(chunk, lanes.map(self._ask_one, chunk), strict=True):
                if outcome is None:
                    throttled.append(each)
                else:
                    outcomes[each.key] = outcome
        if throttled:
            self._book.withdraw([each.key for each in throttled])
        return _Tally(outcomes, throttled)

    def _keep_pace(self, chunk: Sequence[Asked]) -> None:
        variant = chunk[0].variant
        wait = 0.0
        if variant.requests_per_minute is not None:
            wait = self._pace.wait_seconds(variant.model_id, len(chunk), variant.requests_per_minute, "requests")
        if variant.tokens_per_minute is not None:
            tokens = sum(input_tokens_of(each.case, variant.system) + variant.inference.max_tokens for each in chunk)
            wait = max(wait, self._pace.wait_seconds(variant.model_id, tokens, variant.tokens_per_minute, "tokens"))
        self._clock.wait(wait)

    def _ask_one(self, asked: Asked) -> Outcome | None:
        """Return what came of one call; None where the model throttled all the time."""
        variant, case = asked.variant, asked.case
        tag = f"{asked.key.dataset}/{asked.key.case}/{asked.key.epoch}"
        for attempt in range(_TRIES):
            try:
                answer = self._models.ask(
                    variant.model_id, case.conversation, case.system or variant.system, variant.inference, tag
                )
            except ThrottledError:
                limit = min(_BACKOFF_LIMIT_SECONDS, _BACKOFF_SECONDS * 2**attempt)
                self._clock.wait(self._random.uniform(0, limit))
                continue
            except RefusedError as error:
                outcome = _failed(FailureKind.REFUSED, str(error))
            except NoReplyError as error:
                outcome = _failed(FailureKind.TIMED_OUT, str(error))
            else:
                outcome = Outcome(priced(answer, variant), None)
            self._book.record(asked.key, outcome)
            return outcome
        return None


def priced(answer: Answer, variant: ModelVariant) -> Answer:
    """Return the answer with its cost, where its tokens were counted and the model has a price."""
    if answer.input_tokens is None or answer.output_tokens is None:
        return answer
    cost = call_cost_usd(variant, answer.input_tokens, answer.output_tokens)
    return answer.model_copy(update={"cost_usd": cost})


_THROTTLED = "the model throttled every attempt: lower parallel_executions, or give it requests_per_minute"


def _failed(kind: FailureKind, reason: str) -> Outcome:
    return Outcome(None, Failure(kind=kind, reason=reason))


_ANNOUNCED = Outcome(None, None)
_INTERRUPTED = _failed(FailureKind.INTERRUPTED, "asked, and the run died before the answer was recorded")


def _not_asked(pending: Sequence[Asked], refusal: str | None, otherwise: str) -> dict[AnswerKey, Outcome]:
    if refusal is not None:
        outcome = _failed(FailureKind.REFUSED, f"not asked, because all before it were refused: {refusal}")
    else:
        outcome = _failed(FailureKind.BUDGET, f"not asked, because {otherwise}")
    return {each.key: outcome for each in pending}


def _common_refusal(outcomes: Mapping[AnswerKey, Outcome], chunk: Sequence[Asked]) -> str | None:
    """Return why a whole chunk was refused: a model that does not exist need not be asked 3,000 times."""
    reasons = {
        outcome.failure.reason
        for outcome in outcomes.values()
        if outcome.failure is not None and outcome.failure.kind is FailureKind.REFUSED
    }
    return (
        reasons.pop()
        if len(chunk) == LANES == len(outcomes)
        and len(reasons) == 1
        and all(outcome.failure is not None for outcome in outcomes.values())
        else None
    )


def _worst_usd(chunk: Sequence[Asked]) -> dict[AnswerKey, float]:
    return {each.key: worst_cost_usd(each.variant, each.case) for each in chunk}


def paid_usd(outcome: Outcome, worst_usd: float) -> float:
    """Return what a call that was announced cost; as much as it can where it is not known whether it was paid for.

    Args:
        outcome: What came of it.
        worst_usd: What it can cost at most.
    """
    if outcome.answer is not None:
        return outcome.answer.cost_usd or 0.0
    return worst_usd if outcome == _ANNOUNCED or _may_be_paid(outcome.failure) else 0.0


def _may_be_paid(failure: Failure | None) -> bool:
    return failure is not None and failure.kind is FailureKind.TIMED_OUT


def _progress(outcomes: Mapping[AnswerKey, Outcome], worst_usd: Mapping[AnswerKey, float]) -> Progress:
    answers = [outcome.answer for outcome in outcomes.values() if outcome.answer is not None]
    return Progress(
        answered=len(answers),
        failed=len(outcomes) - len(answers),
        spent_usd=sum(paid_usd(outcome, worst_usd[key]) for key, outcome in outcomes.items()),
        input_tokens=sum(answer.input_tokens or 0 for answer in answers),
        output_tokens=sum(answer.output_tokens or 0 for answer in answers),
    )
