"""Questions whose answers are reasoned: each module answers one, through a ``Moment``; none changes anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from hallmark.errors import InvalidInputError
from hallmark.lineage.accountable import ApprovalsQuestion, ReasonsQuestion, WhoQuestion
from hallmark.lineage.paging import Position
from hallmark.lineage.questions import Answer, Question
from hallmark.lineage.reasoned import BisectQuestion, BlastQuestion, LiveQuestion, WhyQuestion
from hallmark.lineage.reasoning.bisect import answer_bisect
from hallmark.lineage.reasoning.blast import answer_blast
from hallmark.lineage.reasoning.live import answer_live
from hallmark.lineage.reasoning.who import answer_approvals, answer_reasons, answer_who
from hallmark.lineage.reasoning.why import answer_why
from hallmark.lineage.view import Moment

_Answering = Callable[[Any, Moment, Position, datetime], Answer]

_ANSWERS: Mapping[type[Question], _Answering] = {
    WhyQuestion: lambda question, moment, _begun, _newest: answer_why(question, moment),
    LiveQuestion: answer_live,
    BlastQuestion: answer_blast,
    BisectQuestion: lambda question, moment, _begun, _newest: answer_bisect(question, moment),
    WhoQuestion: lambda question, moment, _begun, _newest: answer_who(question, moment),
    ApprovalsQuestion: lambda question, moment, _begun, _newest: answer_approvals(question, moment),
    ReasonsQuestion: lambda question, moment, _begun, _newest: answer_reasons(question, moment),
}


def answer_reasoned(question: Question, moment: Moment, begun: Position, newest: datetime) -> Answer:
    """Answer a question.

    Args:
        question: What is asked.
        moment: What it looks through.
        begun: How far the answer was given before.
        newest: When the newest fact that is known was recorded.

    Raises:
        InvalidInputError: Nobody answers such a question.
    """
    answering = _ANSWERS.get(type(question))
    if answering is None:
        raise InvalidInputError("ask", question.ask, "ask one of the questions of docs/questions.md")
    return answering(question, moment, begun, newest)
