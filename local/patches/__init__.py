"""What MiniStack does otherwise than AWS, mended: one module for each mend."""

from __future__ import annotations

from collections.abc import Callable

from local.patches import event_source_mappings, event_targets, lambda_functions, sagemaker_service, stream_mappings
from local.sagemaker_port import SageMakerPort


def apply_all(sagemaker: Callable[[], SageMakerPort]) -> None:
    """Mend the emulator, once in a process however often it is called, and put SageMaker behind its port.

    Args:
        sagemaker: Gives the stand-in when the first request for it comes.

    Raises:
        EmulatorChangedError: MiniStack is no longer what a mend was written for.
    """
    lambda_functions.apply()
    event_source_mappings.apply()
    stream_mappings.apply()
    event_targets.apply()
    sagemaker_service.apply(sagemaker)
