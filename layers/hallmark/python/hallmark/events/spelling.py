"""Events spell some of the API's words in upper case with underscores; here they get the API's spelling back.

SageMaker's endpoint events say ``IN_SERVICE`` where DescribeEndpoint says ``InService``; its processing events say
``MANIFEST_FILE`` and ``FULLYREPLICATED`` (SageMaker developer guide, automating-sagemaker-with-eventbridge).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

_WORDS = (
    # EndpointStatus
    *("OutOfService", "Creating", "Updating", "SystemUpdating", "RollingBack", "InService", "Deleting", "Failed"),
    "UpdateRollbackFailed",
    # statuses of jobs, feature groups, packages and pipelines, and of Bedrock's jobs
    *("InProgress", "Completed", "Stopping", "Stopped", "Pending", "Deleted", "Succeeded", "Executing", "Starting"),
    *("Active", "Created", "CreateFailed", "DeleteFailed", "Initializing", "Running", "CompletedWithFailures"),
    *("CompletedWithViolations", "Submitted", "Validating", "Scheduled", "PartiallyCompleted", "Expired"),
    # SecondaryStatus of training jobs
    *("LaunchingMLInstances", "PreparingTrainingStack", "Downloading", "DownloadingTrainingImage", "Training"),
    *("Uploading", "MaxRuntimeExceeded", "Interrupted", "MaxWaitTimeExceeded", "Restarting"),
    # ModelApprovalStatus and ModelCardStatus
    *("Approved", "Rejected", "PendingManualApproval", "Draft", "PendingReview", "Archived"),
    # S3DataType, S3InputMode, S3DataDistributionType, S3UploadMode, S3CompressionType
    *("ManifestFile", "S3Prefix", "AugmentedManifestFile", "Pipe", "File", "FastFile", "FullyReplicated"),
    *("ShardedByS3Key", "Continuous", "EndOfJob", "None", "Gzip"),
)
_BY_LETTERS = {word.replace("_", "").upper(): word for word in _WORDS}


def api_spelling(word: str) -> str:
    """Return the API's spelling of an upper-case word; any other word as it is."""
    if word != word.upper():
        return word
    return _BY_LETTERS.get(word.replace("_", ""), word)


def _spell(value: object) -> object:
    return api_spelling(value) if isinstance(value, str) else value


def spell_all(value: Any) -> Any:
    """Give the API's spelling to every upper-case enum value within a section of an event.

    Only members whose names end in ``Type``, ``Mode`` or ``Status`` hold enum values; texts of users are left alone.
    """
    if isinstance(value, Mapping):
        return {
            key: _spell(item)
            if isinstance(item, str) and str(key).endswith(("Type", "Mode", "Status"))
            else spell_all(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [spell_all(item) for item in value]
    return value


Status = Annotated[str | None, BeforeValidator(_spell)]
