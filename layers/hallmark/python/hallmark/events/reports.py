"""What other tools tell lineage: the one door for MLflow, OpenLineage, CI, Kubeflow and whatever else knows of runs."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from hallmark.events.records import LineageNode, RecordedEvent

LINEAGE_REPORTED = "LineageReported"

REPORTABLE_KINDS = frozenset({"run", "registered-model", "model-version", "model-alias", "dataset", "dataset-version"})
"""What another tool may say how it stands. Jobs, models and endpoints of AWS are told by AWS, verdicts and approvals by
Hallmark: another tool may name them as ends of flows, but it cannot say that one passed or was approved."""

RUN_STATUSES = ("InProgress", "Completed", "Failed", "Stopped")
"""How a run stands: the last three end it, in whatever order they are told."""


class LineageReported(RecordedEvent):
    """Another tool tells of a run, a model of its registry, a version of it, or a dataset."""

    tool: str = Field(pattern=r"^[a-z][a-z0-9._-]{0,63}$")
    """``mlflow``, ``openlineage``, ``github-actions`` …: the attribute ``tool`` of the node."""
    reported_by: str | None = Field(default=None, max_length=2048)
    """ARN of whom IAM let in, where somebody else sent it in."""

    @model_validator(mode="after")
    def _tells_of_its_own(self) -> Self:
        if self.lineage.node.kind not in REPORTABLE_KINDS:
            raise ValueError(
                f"another tool tells of {', '.join(sorted(REPORTABLE_KINDS))}, not of a {self.lineage.node.kind}"
            )
        return self


def foreign_id(tool: str, name: str) -> str:
    """Return the id of a node of another tool: ``<tool>:<the tool's own name>``."""
    return f"{tool}:{name}"


def data_node(uri: str, digest: str | None = None) -> LineageNode:
    """Return the node of data; with ``digest`` (``sha256:…``) that of its content."""
    return LineageNode(kind="dataset", id=uri, digest=digest)
