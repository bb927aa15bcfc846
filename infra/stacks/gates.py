"""The stack of quality gates: what they keep, what gives verdicts, and what follows from them."""

from __future__ import annotations

from pathlib import Path

import aws_cdk as cdk
from constructs import Construct

from hallmark.policy.models import Policy
from infra.assets import Platform
from infra.constructs.attestation_storage import AttestationStorage
from infra.constructs.evaluation_storage import EvaluationStorage
from infra.constructs.functions import Layers, PythonFunction
from infra.constructs.gate_actions import GateActions
from infra.constructs.gate_functions import GateFunctions
from infra.constructs.gate_storage import GateStorage
from infra.constructs.gate_verdicts import GateVerdicts
from infra.constructs.lineage_storage import LineageStorage
from infra.constructs.policy_layer import PolicyLayer
from infra.constructs.training_watch import TrainingWatch


class GatesStack(cdk.Stack):
    """Judges models by the gates of ``hallmark.yaml``."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        policy: Policy,
        policy_folder: Path,
        platform: Platform,
        shared: LineageStorage,
        evaluation: EvaluationStorage,
        query_lineage: PythonFunction,
        attestations: AttestationStorage,
    ) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: which model may move on", termination_protection=False
        )
        storage = self.storage = GateStorage(self, "Storage", shared=shared)
        layers = Layers(self, "Layers", platform=platform)
        policy_layer = PolicyLayer(self, "Policy", policy=policy, folder=policy_folder).version
        verdicts = GateVerdicts(
            self,
            "Verdicts",
            storage=storage,
            evaluation=evaluation,
            query_lineage=query_lineage,
            layers=layers,
            policy_layer=policy_layer,
            policy=policy,
        )
        functions = GateFunctions(layers=layers, policy=policy_layer, storage=storage)
        actions = GateActions(
            self,
            "Actions",
            functions=functions,
            policy=policy,
            query_lineage=query_lineage.function,
            evaluation=evaluation,
            attestations=attestations,
            platform=platform,
        )
        watch = TrainingWatch(self, "Watch", functions=functions, policy=policy)
        self._output("GateTableName", storage.table.table_name)
        self._output("QueryGatesFunctionName", verdicts.query.function.function_name)
        self._output("GateWorkflowArn", verdicts.workflow.arn)
        self._output("GateRequestQueueUrl", verdicts.queue.queue.queue_url)
        self._output("DeadLetterQueueUrlGates", verdicts.dead_letters.queue.queue_url)
        self._output("AttestVerdictFunctionName", actions.attesting.function.function_name)
        self._output("DecidePromotionFunctionName", actions.decide.function.function_name)
        self._output("DeadLetterQueueUrlActions", actions.dead_letters.queue.queue_url)
        self._output("DeadLetterQueueUrlWatch", watch.dead_letters.queue.queue_url)

    def _output(self, name: str, value: str) -> None:
        cdk.CfnOutput(self, name, value=value)
