"""Which of AWS's events lineage is made of, and the word for the resource that each one tells of."""

from __future__ import annotations

from collections.abc import Mapping

from hallmark.events.calls import API_CALL_DETAIL_TYPE, CALLS

SAGEMAKER = "aws.sagemaker"
BEDROCK = "aws.bedrock"
S3 = "aws.s3"

# EventBridge reference, events-ref-sagemaker; "SageMaker Job State Change" is in the developer guide only.
SAGEMAKER_DETAIL_TYPES: Mapping[str, str] = {
    "SageMaker Training Job State Change": "training-job",
    "SageMaker HyperParameter Tuning Job State Change": "hyper-parameter-tuning-job",
    "SageMaker Transform Job State Change": "transform-job",
    "SageMaker Processing Job State Change": "processing-job",
    "SageMaker Job State Change": "job",
    "SageMaker Ground Truth Labeling Job State Change": "labeling-job",
    "SageMaker Model State Change": "model",
    "SageMaker Model Package State Change": "model-package",
    "SageMaker Model Card State Change": "model-card",
    "SageMaker Endpoint Config State Change": "endpoint-config",
    "SageMaker Endpoint State Change": "endpoint",
    "SageMaker Endpoint Deployment State Change": "endpoint",
    "SageMaker Feature Group State Change": "feature-group",
    "SageMaker Model Building Pipeline Execution Status Change": "pipeline-execution",
    "SageMaker Model Building Pipeline Execution Step Status Change": "pipeline-step",
}
# EventBridge reference, events-ref-bedrock.
BEDROCK_DETAIL_TYPES: Mapping[str, str] = {
    "Model Customization Job State Change": "model-customization-job",
    "Batch Inference Job State Change": "model-invocation-job",
}
# What Hallmark itself publishes and lineage is made of, too (hallmark/events/published.py).
HALLMARK = "hallmark"
RECORD = "record"
"""The word for events that carry a section ``lineage`` (hallmark/events/records.py)."""
REPORT = "report"
"""The word for what another tool tells: a section ``lineage`` and the tool (hallmark/events/reports.py)."""
HALLMARK_DETAIL_TYPES: Mapping[str, str] = {
    "EvaluationCompleted": "evaluation",
    # Told by hallmark/events/gates.py:
    "QualityGatePassed": RECORD,
    "QualityGateFailed": RECORD,
    "QualityGateInconclusive": RECORD,
    "ApprovalDecided": RECORD,
    "GateOverridden": RECORD,
    "ModelPromoted": RECORD,
    "ModelRejected": RECORD,
    "PromotionRefused": RECORD,
    "EndpointRolledBack": RECORD,
    "RollbackFailed": RECORD,
    "TrainingHalted": RECORD,
    # Told by hallmark/events/attestations.py:
    "AttestationSigned": RECORD,
    "AttestationRevoked": RECORD,
    # Told by hallmark/events/drift.py:
    "BaselineCaptured": RECORD,
    "DriftDetected": RECORD,
    "DriftCleared": RECORD,
    "RetrainingStarted": RECORD,
    # Told by hallmark/events/reviews.py:
    "ReviewCompleted": RECORD,
    "ReviewNoted": RECORD,
    "FeedbackExported": RECORD,
    # Told by hallmark/events/alerts.py:
    "AlertFired": RECORD,
    "AlertResolved": RECORD,
    "AlertAcknowledged": RECORD,
    # Told by hallmark/events/reproductions.py:
    "ReproductionJudged": RECORD,
    # Told by hallmark/events/subjects.py:
    "SubjectsRecorded": RECORD,
    # Told by hallmark/events/erasure.py:
    "PersonForgotten": RECORD,
    # Told by hallmark/events/reports.py:
    "LineageReported": REPORT,
}
API_CALL = "api-call"
"""The word for calls of AWS's APIs that CloudTrail tells of (hallmark/events/calls.py)."""
_CALL = {API_CALL_DETAIL_TYPE: API_CALL}
RESOURCES: Mapping[str, Mapping[str, str]] = {
    SAGEMAKER: {**SAGEMAKER_DETAIL_TYPES, **_CALL},
    BEDROCK: {**BEDROCK_DETAIL_TYPES, **_CALL},
    S3: _CALL,
    HALLMARK: HALLMARK_DETAIL_TYPES,
}
SUBSCRIPTIONS: Mapping[str, tuple[str, ...]] = {
    SAGEMAKER: tuple(SAGEMAKER_DETAIL_TYPES),
    BEDROCK: tuple(BEDROCK_DETAIL_TYPES),
}
"""What rules on the account's default bus match of the services' own events."""
CALL_SUBSCRIPTIONS: Mapping[str, tuple[str, ...]] = {
    f"aws.{service.partition('.')[0]}": tuple(calls) for service, calls in CALLS.items()
}
"""Which calls rules on the account's default bus match, by the source of the event."""
