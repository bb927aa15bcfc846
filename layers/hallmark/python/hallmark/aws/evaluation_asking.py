"""What asks the models of a run, within one invocation."""

from __future__ import annotations

from datetime import timedelta
from random import SystemRandom
from typing import Any

from hallmark.aws.bedrock import BedrockModels, bedrock_runtime
from hallmark.aws.clients import client
from hallmark.aws.evaluation_calls import DynamoAnswerBook, DynamoPace, DynamoPurse
from hallmark.aws.invocation_clock import InvocationClock
from hallmark.aws.money_leases import Lease
from hallmark.evaluation.asking import Asker
from hallmark.evaluation.plans import Plan


def asker_of(table_name: str, plan: Plan, context: Any) -> Asker:
    """Return what asks for a run, within what is left of an invocation.

    Args:
        table_name: Of the evaluation table.
        plan: The run.
        context: Lambda's context of the invocation.
    """
    dynamodb, clock = client("dynamodb"), InvocationClock(context)
    lease = Lease(context.aws_request_id, clock.now() + timedelta(seconds=clock.remaining_seconds()))
    return Asker(
        models=BedrockModels(bedrock_runtime()),
        book=DynamoAnswerBook(table_name, dynamodb, plan.run, lease),
        purse=DynamoPurse(table_name, dynamodb, plan.run, plan.settings.budget.usd, lease),
        pace=DynamoPace(table_name, dynamodb),
        clock=clock,
        deadline=plan.deadline,
        random=SystemRandom(),
    )
