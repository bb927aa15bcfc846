"""The stack of the ledger: what was recorded, so that nobody can change it unseen."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.answer_signing import AnswerSigning
from infra.constructs.attestation_storage import AttestationStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.ledger_log import LedgerLog
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.subject_tokens import SubjectTokens


class LedgerStack(cdk.Stack):
    """Seals every fact in a signed log, signs answers with what it saw of it, and knows whose data a snapshot holds."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        platform: Platform,
        shared: LineageStorage,
        attestations: AttestationStorage,
        questions: Mapping[str, PythonFunction],
        query_lineage: PythonFunction,
    ) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: what was recorded, provably", termination_protection=False
        )
        layers = Layers(self, "Layers", platform=platform)
        log = LedgerLog(self, "Ledger", storage=shared, layers=layers, policy=policy)
        subjects = SubjectTokens(self, "Subjects", storage=shared, layers=layers, query_lineage=query_lineage)
        answers = AnswerSigning(
            self,
            "Answers",
            storage=attestations,
            questions={**questions, "ledger": log.query, "subjects": subjects.finding},
            layers=layers,
        )
        outputs = {
            "LedgerBucketName": log.bucket.bucket_name,
            "LedgerOrigin": log.origin,
            "QueryLedgerFunctionName": log.query.function.function_name,
            "RebuildLineageFunctionName": log.rebuilding.function.function_name,
            "SealLedgerFunctionName": log.sealing.function.function_name,
            "SignAnswerFunctionName": answers.signing.function.function_name,
            "RecordSubjectsFunctionName": subjects.recording.function.function_name,
            "FindSubjectFunctionName": subjects.finding.function.function_name,
            "DeadLetterQueueUrlLedger": log.dead_letters.queue.queue_url,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
