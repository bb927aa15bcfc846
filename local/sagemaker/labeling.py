"""Labelling jobs: there are none, since people label; asking for one is answered as AWS answers for a missing one."""

from __future__ import annotations

from local.sagemaker.contract import Call, Description, Operation
from local.sagemaker.foundation import not_found


class LabelingJobs:
    """Describe and list; Ground Truth takes no new customers (SageMaker developer guide), so nothing creates any."""

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {"DescribeLabelingJob": self._describe, "ListLabelingJobs": lambda _call: {"LabelingJobSummaryList": []}}

    @staticmethod
    def _describe(call: Call) -> Description:
        raise not_found(f"Labeling job {call.parameters['LabelingJobName']} does not exist")
