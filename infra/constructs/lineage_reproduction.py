"""``LineageRecorded`` of jobs that have ended -> queue -> ``judge_reproduction`` -> ``ReproductionJudged``."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.published import LINEAGE_RECORDED, SOURCE
from hallmark.events.reproductions import REPRODUCTION_JUDGED
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue

_TIMEOUT = cdk.Duration.minutes(1)
_JOBS = ("training-job", "processing-job", "transform-job", "hyper-parameter-tuning-job")


class LineageReproduction(Construct):
    """Compares runs that were started to reproduce other ones, from lineage alone, and tells what they came to."""

    def __init__(self, scope: Construct, construct_id: str, *, storage: LineageStorage, layers: Layers) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=storage.key, alarms=storage.alarms)
        queue = WorkQueue(self, "Ended", key=storage.key, dead_letters=self.dead_letters, function_timeout=_TIMEOUT)
        events.Rule(
            self,
            "JobRecorded",
            description="Jobs that have ended, some of which reproduce others",
            event_bus=storage.bus,
            event_pattern=events.EventPattern(
                source=[SOURCE],
                detail_type=[LINEAGE_RECORDED],
                detail={"kind": list(_JOBS), "status": ["Completed", "Failed", "Stopped"]},
            ),
            targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.dead_letters.queue)],
        )
        judging = PythonFunction(
            self,
            "JudgeReproduction",
            name="judge_reproduction",
            description="Tells whether a second run came to the same as the first one",
            layers=layers,
            timeout=_TIMEOUT,
            environment={
                "LINEAGE_TABLE_NAME": storage.table.table_name,
                "EVENT_BUS_NAME": storage.bus.event_bus_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
            statements=[
                queue.allow_receiving(),
                self.dead_letters.allow_sending(),
                storage.allow_asking(),
                storage.allow_key(writes=True),
                storage.bus.allow_publishing(REPRODUCTION_JUDGED),
            ],
        )
        judging.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
