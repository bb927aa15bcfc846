"""All mends, in the order in which they build on each other."""

from __future__ import annotations

from collections.abc import Callable

from local import ministack_access
from local.bedrock_port import BedrockPort
from local.cloud_trail import CloudTrail
from local.patches import (
    bedrock_service,
    bus_policies,
    container_images,
    customer_keys,
    dead_letter_sources,
    denial_messages,
    event_source_mappings,
    event_targets,
    failed_invocations,
    lambda_functions,
    lambda_workers,
    log_streams,
    object_checksums,
    object_encryption,
    sagemaker_service,
    schedules,
    stack_resources,
    stand_ins,
    step_functions,
    stream_mappings,
    unimplemented_operations,
)
from local.sagemaker_port import SageMakerPort


def apply_all(sagemaker: Callable[[], SageMakerPort], bedrock: Callable[[], BedrockPort]) -> None:
    """Mend the emulator, once in a process however often it is called, and put SageMaker and Bedrock behind its port.

    Args:
        sagemaker: Gives the stand-in when the first request for it comes.
        bedrock: Likewise.

    Raises:
        EmulatorChangedError: MiniStack is no longer what a mend was written for.
    """
    lambda_functions.apply()
    lambda_workers.apply()
    event_source_mappings.apply()
    stream_mappings.apply()
    event_targets.apply()
    failed_invocations.apply()
    denial_messages.apply()
    customer_keys.apply()
    bus_policies.apply()
    stack_resources.apply()
    object_checksums.apply()
    object_encryption.apply()
    container_images.apply()
    step_functions.apply()
    schedules.apply()
    dead_letter_sources.apply()
    log_streams.apply()
    unimplemented_operations.apply()
    stand_ins.apply()
    trail = CloudTrail(ministack_access.publish_service_event)
    sagemaker_service.apply(sagemaker, trail)
    bedrock_service.apply(bedrock, trail)
