"""The stacks of lineage: what is kept, and what works on it."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.functions import Layers
from infra.constructs.lineage_coverage import LineageCoverage
from infra.constructs.lineage_mirror import LineageMirror
from infra.constructs.lineage_questions import LineageQuestions
from infra.constructs.lineage_reconciliation import LineageReconciliation
from infra.constructs.lineage_recording import LineageRecording
from infra.constructs.lineage_reproduction import LineageReproduction
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.persons import Persons
from infra.constructs.queues import DeadLetterQueue


class LineageStack(cdk.Stack):
    """Records lineage, mirrors it, reconciles it, and answers questions about it."""

    def __init__(self, scope: Construct, construct_id: str, *, policy: Policy, platform: Platform) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: where every model came from", termination_protection=False
        )
        storage = self.storage = LineageStorage(self, "Storage")
        layers = Layers(self, "Layers", platform=platform)
        persons = Persons(self, "Persons", storage=storage, layers=layers)
        recording = LineageRecording(
            self, "Recording", storage=storage, persons=persons, layers=layers, policy=policy.lineage
        )
        reconciliation = LineageReconciliation(
            self, "Reconciliation", storage=storage, persons=persons, layers=layers, policy=policy.lineage
        )
        questions = self.questions = LineageQuestions(
            self,
            "Questions",
            storage=storage,
            persons=persons,
            layers=layers,
            policy=policy.lineage,
            authors_may_approve=policy.gates.groups_whose_authors_may_approve,
        )
        self.query = questions.query
        self.recorders = (recording.recording, reconciliation.reconciling)
        reproduction = LineageReproduction(self, "Reproduction", storage=storage, layers=layers)
        coverage = LineageCoverage(self, "Coverage", storage=storage, layers=layers, policy=policy.lineage)
        self.coverage = coverage.measuring
        dead_letters: dict[str, DeadLetterQueue] = {
            "Recording": recording.dead_letters,
            "Reconciliation": reconciliation.dead_letters,
            "Questions": questions.dead_letters,
            "Coverage": coverage.dead_letters,
            "Reproduction": reproduction.dead_letters,
        }
        if policy.lineage.mirror.enabled:
            mirror = LineageMirror(self, "Mirror", storage=storage, layers=layers, policy=policy.lineage)
            dead_letters["Mirror"] = mirror.dead_letters

        self._output("LineageTableName", storage.table.table_name, "The lineage table")
        self._output("LineageBucketName", storage.bucket.bucket_name, "Listings of datasets and the compact graph")
        self._output("EventBusName", storage.bus.event_bus_name, "The hallmark bus")
        self._output("AlarmTopicArn", storage.alarms.topic_arn, "Subscribe whoever runs Hallmark")
        self._output("QueryLineageFunctionName", questions.query.function.function_name, "What `hallmark` asks")
        self._output(
            "ForgetPersonFunctionName", persons.forgetting.function.function_name, "What `hallmark forget` asks"
        )
        self._output("PersonTableName", persons.table.table_name, "Who people are, sealed")
        self._output(
            "MeasureCoverageFunctionName", coverage.measuring.function.function_name, "What `hallmark coverage` asks"
        )
        self._output("ReconciliationQueueUrl", reconciliation.queue.queue.queue_url, "What `hallmark backfill` wakes")
        for name, queue in dead_letters.items():
            self._output(f"DeadLetterQueueUrl{name}", queue.queue.queue_url, f"Dead letters of {name.lower()}")

    def _output(self, name: str, value: str, description: str) -> None:
        cdk.CfnOutput(self, name, value=value, description=description)
