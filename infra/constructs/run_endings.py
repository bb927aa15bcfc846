"""Runs that end from outside of their workflow: stopped by someone, out of time, or dead before they could say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.published import EVALUATION_FAILED
from infra.constructs.evaluation_functions import EvaluationFunctions
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue
from infra.constructs.workflows import Workflow

_CHANGES: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "Ended": {"status": ["ABORTED", "TIMED_OUT", "FAILED"]},
    # The workflow tells of its start itself.
    "Redriven": {"status": ["RUNNING"], "redriveCount": [{"numeric": [">", 0]}]},
}
_TIMEOUT = cdk.Duration.minutes(1)


class RunEndings(Construct):
    """Status changes of the workflow's executions -> queue -> ``follow_execution`` -> the run's record.

    Executions of a distributed map's children belong to a state machine with the map's label, and do not come here.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: EvaluationStorage,
        functions: EvaluationFunctions,
        workflow: Workflow,
        dead_letters: DeadLetterQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        queue = WorkQueue(self, "Events", key=storage.key, dead_letters=dead_letters, function_timeout=_TIMEOUT)
        following = functions.make(
            self,
            "FollowExecution",
            "follow_execution",
            "Records that a run was stopped from outside, or goes on after that",
            queue.allow_receiving(),
            dead_letters.allow_sending(),
            storage.allow_table("PutItem", "UpdateItem"),
            storage.allow_key(writes=True),
            storage.allow_publishing(EVALUATION_FAILED),
            timeout=_TIMEOUT,
            memory_mb=512,
            environment={
                **functions.table,
                "EVENT_BUS_NAME": storage.bus.event_bus_name,
                "DEAD_LETTER_QUEUE_URL": dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
        )
        following.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        for rule, told in _CHANGES.items():
            events.Rule(
                self,
                rule,
                description="That a run ended or goes on, where its workflow cannot tell",
                event_pattern=events.EventPattern(
                    source=["aws.states"],
                    detail_type=["Step Functions Execution Status Change"],
                    detail={"stateMachineArn": [workflow.arn], **told},
                ),
                targets=[targets.SqsQueue(queue.queue, dead_letter_queue=dead_letters.queue)],
            )
