"""Runs that have ended -> queue -> ``attest_run`` -> signed statements; questions about them; taking them back."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from hallmark.events.attestations import ATTESTATION_REVOKED, ATTESTATION_SIGNED
from hallmark.events.published import EVALUATION_COMPLETED, LINEAGE_RECORDED, SOURCE
from infra.constructs.attestation_storage import AttestationStorage
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.queues import MAXIMUM_RECEIVES, DeadLetterQueue, WorkQueue

_TIMEOUT = cdk.Duration.minutes(1)


class AttestationSigning(Construct):
    """What signs evaluations and training jobs, shows attestations, and takes them back.

    Attributes:
        dead_letters: What could not be signed.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: AttestationStorage,
        evaluation: EvaluationStorage,
        query_lineage: PythonFunction,
        layers: Layers,
    ) -> None:
        super().__init__(scope, construct_id)
        shared = storage.shared
        self._storage, self._evaluation, self._query_lineage, self._layers = storage, evaluation, query_lineage, layers
        self._signs = {
            **storage.place,
            "ATTESTOR": storage.attestor,
            "EVENT_BUS_NAME": shared.bus.event_bus_name,
        }
        self.dead_letters = DeadLetterQueue(self, "DeadLetters", key=shared.key, alarms=shared.alarms)
        self.attesting = self._add_attesting()
        self.query = self._add_questions()
        self.revoking = self._add_revoking()

    def _add_attesting(self) -> PythonFunction:
        storage, shared = self._storage, self._storage.shared
        queue = WorkQueue(self, "Runs", key=shared.key, dead_letters=self.dead_letters, function_timeout=_TIMEOUT)
        attesting = PythonFunction(
            self,
            "AttestRun",
            name="attest_run",
            description="Signs what evaluations and training jobs were",
            layers=self._layers,
            # Reports are read with what they are written with.
            numeric=True,
            timeout=_TIMEOUT,
            environment={
                **self._signs,
                "EVALUATION_TABLE_NAME": self._evaluation.table.table_name,
                "QUERY_LINEAGE_FUNCTION_NAME": self._query_lineage.function.function_name,
                "DEAD_LETTER_QUEUE_URL": self.dead_letters.queue.queue_url,
                "MAXIMUM_RECEIVES": str(MAXIMUM_RECEIVES),
            },
            statements=[
                queue.allow_receiving(),
                self.dead_letters.allow_sending(),
                *storage.allow_attesting(),
                shared.bus.allow_publishing(ATTESTATION_SIGNED),
                self._evaluation.allow_table("GetItem"),
                self._evaluation.allow_files("GetObject", "report.json"),
                self._evaluation.allow_missing(),
                iam.PolicyStatement(
                    sid="AskLineage",
                    actions=["lambda:InvokeFunction"],
                    resources=[self._query_lineage.function.function_arn],
                ),
                shared.allow_key(writes=True),
            ],
        )
        attesting.function.add_event_source(
            sources.SqsEventSource(queue.queue, batch_size=10, max_concurrency=2, report_batch_item_failures=True)
        )
        for name, description, pattern in (
            ("Evaluations", "Evaluations that have ended with a report", {"detail_type": [EVALUATION_COMPLETED]}),
            (
                "Trainings",
                "Training jobs that have ended well, as lineage knows them",
                {
                    "detail_type": [LINEAGE_RECORDED],
                    "detail": {"kind": ["training-job"], "status": ["Completed"]},
                },
            ),
        ):
            events.Rule(
                self,
                name,
                description=description,
                event_bus=shared.bus,
                event_pattern=events.EventPattern(source=[SOURCE], **pattern),
                targets=[targets.SqsQueue(queue.queue, dead_letter_queue=self.dead_letters.queue)],
            )
        return attesting

    def _add_questions(self) -> PythonFunction:
        return PythonFunction(
            self,
            "QueryAttestations",
            name="query_attestations",
            description="Shows attestations, and the key that verifies them",
            layers=self._layers,
            timeout=_TIMEOUT,
            environment=self._storage.place,
            statements=[
                *self._storage.allow_reading(),
                self._storage.allow_key("GetPublicKey"),
                self._storage.shared.allow_key(writes=False),
            ],
        )

    def _add_revoking(self) -> PythonFunction:
        return PythonFunction(
            self,
            "RevokeAttestation",
            name="revoke_attestation",
            description="Takes an attestation back in a person's name",
            layers=self._layers,
            timeout=_TIMEOUT,
            environment={**self._signs, "ACCOUNT_ID": cdk.Aws.ACCOUNT_ID},
            statements=[
                *self._storage.allow_revoking(),
                self._storage.shared.bus.allow_publishing(ATTESTATION_REVOKED),
                self._storage.shared.allow_key(writes=True),
            ],
        )
