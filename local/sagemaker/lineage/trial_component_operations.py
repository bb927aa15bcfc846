"""DescribeTrialComponent and ListTrialComponents: the jobs as vertices of the lineage.

SageMaker makes a trial component for each job. Nobody else makes one here: experiments are not part of the stand-in.
"""

from __future__ import annotations

from local.sagemaker.contract import Call, Description, Operation
from local.sagemaker.lineage.entities import TRIAL_COMPONENT, Entity, LineageStore
from local.sagemaker.lineage.entity_operations import not_found, refused
from local.sagemaker.lineage.pages import SortKey, is_descending, page, time_key, within


class TrialComponentOperations:
    """The operations on trial components."""

    def __init__(self, store: LineageStore) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        """Return the operations by their names in the API."""
        return {"DescribeTrialComponent": self.describe, "ListTrialComponents": self.list}

    def describe(self, call: Call) -> Description:
        """Answer what is known of a trial component, by its name or ARN."""
        account, wanted = self._store.of_call(call), call.parameters["TrialComponentName"]
        entity = account.find(wanted if wanted.startswith("arn:") else account.arn(TRIAL_COMPONENT, wanted))
        if entity is None or entity.kind is not TRIAL_COMPONENT:
            raise not_found(wanted, "Trial component")
        return _common(entity) | {"Source": _source(entity), "LineageGroupArn": account.group_arn}

    def list(self, call: Call) -> Description:
        """Answer a page of trial components, of one job with ``SourceArn``."""
        parameters = call.parameters
        for member in ("ExperimentName", "TrialName"):
            if member in parameters:
                raise refused(f"The local cloud has no experiments: leave {member} '{parameters[member]}' out")
        components = self._store.of_call(call).of_kind(TRIAL_COMPONENT, parameters.get("SourceArn"))

        def key(entity: Entity) -> SortKey:
            if parameters.get("SortBy") == "Name":
                return (entity.name or "", entity.sequence)
            return (time_key(entity.made_at), entity.sequence)

        chosen, token = page(
            call,
            (entity for entity in components if within(entity.made_at, parameters)),
            key,
            descending=is_descending(call),
        )
        summaries = [_common(entity) | {"TrialComponentSource": _source(entity)} for entity in chosen]
        return {"TrialComponentSummaries": summaries} | token


def _common(entity: Entity) -> Description:
    return {
        "TrialComponentName": entity.name,
        "TrialComponentArn": entity.arn,
        "DisplayName": entity.name,
        "CreationTime": entity.made_at,
        "CreatedBy": entity.made_by,
        "LastModifiedTime": entity.modified_at,
        "LastModifiedBy": entity.modified_by,
        **entity.members,
    }


def _source(entity: Entity) -> Description:
    return {"SourceArn": entity.source_uri, "SourceType": entity.associated_type}
