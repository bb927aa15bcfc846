"""AddAssociation, DeleteAssociation and ListAssociations."""

from __future__ import annotations

from collections.abc import Iterable

from local.sagemaker.contract import Call, Description, Operation
from local.sagemaker.lineage.entities import (
    TRIAL_COMPONENT,
    AccountLineage,
    Association,
    Entity,
    LineageStore,
    user_context,
)
from local.sagemaker.lineage.entity_operations import check_limit, not_found, refused
from local.sagemaker.lineage.limits import LineageLimits
from local.sagemaker.lineage.pages import SortKey, is_descending, page, time_key, within
from local.sagemaker.resources import utc_now


class AssociationOperations:
    """The operations on associations, over the lineage of all accounts."""

    def __init__(self, store: LineageStore, limits: LineageLimits) -> None:
        self._store = store
        self._limits = limits

    def operations(self) -> dict[str, Operation]:
        """Return the operations by their names in the API."""
        return {
            "AddAssociation": self.add,
            "DeleteAssociation": self.delete,
            "ListAssociations": self.list,
        }

    def add(self, call: Call) -> Description:
        """Associate two entities, of which one at most belongs to an experiment."""
        account = self._store.of_call(call)
        source, destination = (_end(account, call.parameters[end]) for end in ("SourceArn", "DestinationArn"))
        if source.kind is TRIAL_COMPONENT and destination.kind is TRIAL_COMPONENT:
            raise refused(
                f"{source.arn} and {destination.arn} are both experiment entities, "
                "which cannot be associated with each other: put an artifact between them"
            )
        if account.find_association(source.arn, destination.arn) is not None:
            raise refused(f"The association from {source.arn} to {destination.arn} exists already")
        check_limit(account, "Association", self._limits.associations)
        account.associate(
            Association(
                source=source,
                destination=destination,
                type=call.parameters.get("AssociationType"),
                sequence=account.next_sequence(),
                made_at=utc_now(),
                made_by=user_context(call),
            )
        )
        return _ends(source.arn, destination.arn)

    def delete(self, call: Call) -> Description:
        """Delete an association."""
        account = self._store.of_call(call)
        source, destination = call.parameters["SourceArn"], call.parameters["DestinationArn"]
        association = account.find_association(source, destination)
        if association is None:
            raise not_found(f"from {source} to {destination}", "Association")
        account.dissociate(association)
        return _ends(source, destination)

    def list(self, call: Call) -> Description:
        """Answer a page of associations."""
        matching = (each for each in _candidates(self._store.of_call(call), call) if _matches(each, call))
        sort_by = call.parameters.get("SortBy", "CreationTime")

        def key(association: Association) -> SortKey:
            by: dict[str, str | int] = {
                "SourceArn": association.source.arn,
                "DestinationArn": association.destination.arn,
                "SourceType": association.source.associated_type,
                "DestinationType": association.destination.associated_type,
                "CreationTime": time_key(association.made_at),
            }
            return (by[sort_by], association.sequence)

        chosen, token = page(call, matching, key, descending=is_descending(call))
        return {"AssociationSummaries": [_summary(association) for association in chosen]} | token


def _end(account: AccountLineage, arn: str) -> Entity:
    entity = account.find(arn)
    if entity is None:
        raise not_found(arn, "The entity")
    return entity


def _ends(source_arn: str, destination_arn: str) -> Description:
    return {"SourceArn": source_arn, "DestinationArn": destination_arn}


def _candidates(account: AccountLineage, call: Call) -> Iterable[Association]:
    source, destination = call.parameters.get("SourceArn"), call.parameters.get("DestinationArn")
    if source is not None:
        return (each for each in account.outgoing(source) if destination in {None, each.destination.arn})
    if destination is not None:
        return account.incoming(destination)
    return account.all_associations()


def _matches(association: Association, call: Call) -> bool:
    wanted = call.parameters
    return (
        wanted.get("SourceType") in {None, association.source.associated_type}
        and wanted.get("DestinationType") in {None, association.destination.associated_type}
        and wanted.get("AssociationType") in {None, association.type}
        and within(association.made_at, wanted)
    )


def _summary(association: Association) -> Description:
    source, destination = association.source, association.destination
    summary = {
        "SourceArn": source.arn,
        "DestinationArn": destination.arn,
        "SourceType": source.associated_type,
        "DestinationType": destination.associated_type,
        "AssociationType": association.type,
        "SourceName": source.name,
        "DestinationName": destination.name,
        "CreationTime": association.made_at,
        "CreatedBy": association.made_by,
    }
    return {member: value for member, value in summary.items() if value is not None}
