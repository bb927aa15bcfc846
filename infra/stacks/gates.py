"""The stack of quality gates: what they keep, what gives verdicts, and what follows from them."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from infra.constructs.gate_storage import GateStorage
from infra.constructs.lineage_storage import LineageStorage


class GatesStack(cdk.Stack):
    """Judges models by the gates of ``hallmark.yaml``."""

    def __init__(self, scope: Construct, construct_id: str, *, shared: LineageStorage) -> None:
        super().__init__(
            scope, construct_id, description="Hallmark: which model may move on", termination_protection=False
        )
        storage = self.storage = GateStorage(self, "Storage", shared=shared)
        self._output("GateTableName", storage.table.table_name)

    def _output(self, name: str, value: str) -> None:
        cdk.CfnOutput(self, name, value=value)
