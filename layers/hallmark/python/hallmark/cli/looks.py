"""How each kind of node looks, on the screen and in pictures."""

from __future__ import annotations

from typing import Literal, NamedTuple

from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import NodeSummary

Shape = Literal["cylinder", "box", "hexagon", "pill", "note", "tag"]


class Family(NamedTuple):
    """Kinds that belong together have a colour and a shape; both, since colours are not seen or printed by all.

    ``colour`` is a terminal's; ``fill`` and ``line`` are a picture's, dark on light enough to be printed in grey.
    """

    colour: str
    shape: Shape
    fill: str
    line: str


class Look(NamedTuple):
    """A symbol (one column wide; ``letter`` where the terminal has ASCII only), its name for one and for several."""

    symbol: str
    letter: str
    word: str
    words: str
    family: Family


DATA = Family("cyan", "cylinder", "#e1f0fb", "#1c5f96")
PREPARATION = Family("yellow", "box", "#fdf3d6", "#8a6100")
TRAINING = Family("bright_yellow", "box", "#fde5d0", "#a8480c")
MODEL = Family("magenta", "hexagon", "#efe3f8", "#65309a")
SERVING = Family("green", "pill", "#dff3e2", "#1f6b32")
SOURCE = Family("blue", "note", "#e9ecf0", "#46545f")
DECISION = Family("red", "note", "#fbe3e4", "#8f1d24")
FLOW = Family("bright_blue", "tag", "#e3e6fa", "#3b449c")

_LOOKS: dict[NodeKind, Look] = {
    NodeKind.DATASET: Look("▢", "d", "dataset", "datasets", DATA),
    NodeKind.DATASET_VERSION: Look("▤", "D", "dataset version", "dataset versions", DATA),
    NodeKind.FEATURE_GROUP: Look("▥", "F", "feature group", "feature groups", DATA),
    NodeKind.PROCESSING_JOB: Look("▷", "P", "processing job", "processing jobs", PREPARATION),
    NodeKind.TRANSFORM_JOB: Look("▷", "B", "transform job", "transform jobs", PREPARATION),
    NodeKind.LABELING_JOB: Look("▷", "L", "labeling job", "labeling jobs", PREPARATION),
    NodeKind.BATCH_INFERENCE_JOB: Look("▷", "B", "batch inference job", "batch inference jobs", PREPARATION),
    NodeKind.JOB: Look("▷", "J", "job", "jobs", PREPARATION),
    NodeKind.RUN: Look("▷", "R", "run", "runs", PREPARATION),
    NodeKind.TRAINING_JOB: Look("▶", "T", "training job", "training jobs", TRAINING),
    NodeKind.TUNING_JOB: Look("≫", "H", "tuning job", "tuning jobs", TRAINING),
    NodeKind.AUTOML_JOB: Look("≫", "A", "AutoML job", "AutoML jobs", TRAINING),
    NodeKind.CUSTOMIZATION_JOB: Look("▶", "C", "customization job", "customization jobs", TRAINING),
    NodeKind.EVALUATION: Look("≈", "V", "evaluation", "evaluations", FLOW),
    NodeKind.PIPELINE: Look("≡", "L", "pipeline", "pipelines", FLOW),
    NodeKind.PIPELINE_EXECUTION: Look("≡", "E", "pipeline execution", "pipeline executions", FLOW),
    NodeKind.MODEL: Look("◇", "m", "model", "models", MODEL),
    NodeKind.MODEL_PACKAGE: Look("◆", "M", "model package", "model packages", MODEL),
    NodeKind.MODEL_PACKAGE_GROUP: Look("❖", "G", "model package group", "model package groups", MODEL),
    NodeKind.MODEL_CARD: Look("◈", "c", "model card", "model cards", MODEL),
    NodeKind.CUSTOM_MODEL: Look("◆", "M", "custom model", "custom models", MODEL),
    NodeKind.FOUNDATION_MODEL: Look("◆", "f", "foundation model", "foundation models", MODEL),
    NodeKind.REGISTERED_MODEL: Look("❖", "g", "registered model", "registered models", MODEL),
    NodeKind.MODEL_VERSION: Look("◆", "n", "model version", "model versions", MODEL),
    NodeKind.MODEL_ALIAS: Look("◇", "a", "model alias", "model aliases", MODEL),
    NodeKind.ENDPOINT_CONFIG: Look("○", "o", "endpoint config", "endpoint configs", SERVING),
    NodeKind.ENDPOINT: Look("●", "O", "endpoint", "endpoints", SERVING),
    NodeKind.IMAGE: Look("▣", "I", "image", "images", SOURCE),
    NodeKind.CODE: Look("#", "#", "code", "commits", SOURCE),
    NodeKind.VERDICT: Look("✓", "v", "verdict", "verdicts", DECISION),
    NodeKind.APPROVAL: Look("✓", "a", "approval", "approvals", DECISION),
    NodeKind.OVERRIDE: Look("!", "!", "override", "overrides", DECISION),
    NodeKind.ACTION: Look("→", ">", "action", "actions", DECISION),
    NodeKind.BASELINE: Look("━", "b", "baseline", "baselines", DATA),
    NodeKind.DRIFT_REPORT: Look("≠", "x", "drift report", "drift reports", DECISION),
    NodeKind.REVIEW: Look("✎", "r", "review", "reviews", DECISION),
    NodeKind.FEEDBACK: Look("✉", "k", "feedback", "feedback", DATA),
    NodeKind.ALERT: Look("▲", "^", "alert", "alerts", DECISION),
    NodeKind.ATTESTATION: Look("✓", "s", "attestation", "attestations", DECISION),
    NodeKind.REPRODUCTION: Look("⟳", "z", "reproduction", "reproductions", DECISION),
    NodeKind.FORGETTING: Look("∅", "0", "forgetting", "forgettings", DECISION),
    NodeKind.USER: Look("@", "@", "user", "users", SOURCE),
}

KINDS = tuple(_LOOKS)
"""The kinds in the order in which they are listed: data, runs, models, what serves, what was given."""

_PROMINENCE = {
    NodeKind.ENDPOINT: 0,
    NodeKind.ENDPOINT_CONFIG: 1,
    NodeKind.MODEL: 2,
    NodeKind.MODEL_PACKAGE: 3,
    NodeKind.TRAINING_JOB: 4,
    NodeKind.TUNING_JOB: 7,
    NodeKind.DATASET_VERSION: 6,
    NodeKind.DATASET: 8,
    NodeKind.CODE: 9,
    NodeKind.IMAGE: 10,
    NodeKind.USER: 11,
}
_RUN = 5

BAD_STATUSES = frozenset({"Failed", "Rejected", "Deleted", "OutOfService", "UpdateRollbackFailed"})
PASSING_STATUSES = frozenset(
    {"InProgress", "Stopping", "PendingManualApproval", "Creating", "Updating", "Stopped", "RollingBack"}
)


def look_of(kind: NodeKind) -> Look:
    """Return how a kind looks."""
    return _LOOKS[kind]


def label_of(node: NodeSummary) -> str:
    """Return a node's label; of a person's or role's ARN the end, since the account is that of all the others."""
    if node.kind is NodeKind.USER and node.label.startswith("arn:"):
        return node.label.rpartition(":")[2]
    return node.label


def prominence(kind: NodeKind) -> int:
    """Return where a kind stands among the neighbours of a node: what leads on first, what it ends in last."""
    return _PROMINENCE.get(kind, _RUN)


def status_colour(status: str) -> str:
    """Return a terminal's colour for a status."""
    if status in BAD_STATUSES:
        return "red"
    return "yellow" if status in PASSING_STATUSES else "green"
