"""What reviews and feedback are about, as lineage names it."""

from __future__ import annotations

from typing import NamedTuple

from hallmark.events.records import LineageNode

_ARN_PARTS = 6
_KINDS = {
    "endpoint": "endpoint",
    "model-package": "model-package",
    "custom-model": "custom-model",
    "provisioned-model": "custom-model",
    "imported-model": "custom-model",
}


class Place(NamedTuple):
    """Account and Region of this deployment."""

    partition: str
    region: str
    account: str

    def model_arn(self, model: str) -> str:
        """Return the ARN of what answered: an ARN as it is, else that of a foundation model's id."""
        return (
            model
            if model.startswith("arn:")
            else f"arn:{self.partition}:bedrock:{self.region}::foundation-model/{model}"
        )

    def endpoint_arn(self, name: str) -> str:
        """Return the ARN of an endpoint; SageMaker spells names in ARNs in lower case."""
        return f"arn:{self.partition}:sagemaker:{self.region}:{self.account}:endpoint/{name.lower()}"


def subject_node(arn: str) -> LineageNode:
    """Return the node of a model or endpoint."""
    parts = arn.split(":", _ARN_PARTS - 1)
    word = parts[-1].partition("/")[0] if len(parts) == _ARN_PARTS else ""
    return LineageNode(kind=_KINDS.get(word, "foundation-model"), id=arn)


def subject_name(arn: str) -> str:
    """Return what people call it."""
    return arn.rpartition("/")[2] or arn
