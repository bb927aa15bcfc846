"""Who did what to a node, whose word an approval was, and what people did without saying why."""

from __future__ import annotations

from datetime import datetime

from hallmark.lineage.accountable import (
    Act,
    ApprovalsAnswer,
    ApprovalsQuestion,
    ReasonsAnswer,
    ReasonsQuestion,
    WhoAnswer,
    WhoQuestion,
)
from hallmark.lineage.questions import Answer, Candidates
from hallmark.lineage.reasoning.acts import Acts, is_human
from hallmark.lineage.reasoning.approving import Approvals, in_order
from hallmark.lineage.view import Moment


def answer_who(question: WhoQuestion, moment: Moment) -> Answer:
    """Return the newest acts on a node; of a user, theirs."""
    found = moment.view.resolve(question.node)
    if isinstance(found, Candidates):
        return found
    acts, complete = _acts(moment).of(found, question.limit, moment.as_of)
    return WhoAnswer(
        node=moment.summary(found),
        acts=tuple(sorted(acts, key=_order, reverse=True)),
        complete=complete,
    )


def _order(act: Act) -> tuple[datetime, bool, str]:
    """CloudTrail tells times to the second: what makes a thing comes before all else of its second."""
    return act.at, not act.what.lower().startswith("create"), act.key


def answer_approvals(question: ApprovalsQuestion, moment: Moment) -> Answer:
    """Return whose word approved the newest approved version of each group, or every version."""
    found = moment.view.resolve(question.group) if question.group else None
    if isinstance(found, Candidates):
        return found
    approvals = Approvals(
        moment.graph,
        _acts(moment),
        moment.node,
        moment.summary,
        moment.people.authors_may_approve,
        moment.people.revealed,
        moment.as_of,
    )
    groups = approvals.groups() if found is None else approvals.members(found)
    told = [approvals.of(members, everything=question.everything) for members in groups[: question.limit]]
    return ApprovalsAnswer(
        approved=tuple(in_order([each for group in told for each in group])),
        groups=len(groups),
        without=sum(not group for group in told),
        complete=len(groups) <= question.limit,
    )


def answer_reasons(question: ReasonsQuestion, moment: Moment) -> Answer:
    """Return which of the newest calls of people do not say why."""
    calls, complete = _acts(moment).calls(question.since, moment.as_of, question.limit)
    by_people = [act for act in calls if is_human(act)]
    return ReasonsAnswer(
        required=moment.people.reasons_required,
        calls=len(calls),
        by_people=len(by_people),
        missing=tuple(act for act in by_people if not act.why),
        complete=complete,
    )


def _acts(moment: Moment) -> Acts:
    return Acts(moment.graph, moment.node, moment.people.machines)
