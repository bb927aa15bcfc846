"""The account's one lineage group: DescribeLineageGroup, ListLineageGroups, GetLineageGroupPolicy."""

from __future__ import annotations

from typing import Any

from local.sagemaker.contract import Call, Description, Operation
from local.sagemaker.lineage.entities import DEFAULT_GROUP, AccountLineage, LineageStore
from local.sagemaker.lineage.entity_operations import not_found
from local.sagemaker.lineage.pages import is_descending, page, within


class GroupOperations:
    """The operations on lineage groups.

    "SageMaker AI creates the default lineage group whenever a lineage entity is created in your account" (Tracking
    Cross-Account Lineage, developer guide), so an account without lineage has none.
    """

    def __init__(self, store: LineageStore) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        """Return the operations by their names in the API."""
        return {
            "DescribeLineageGroup": self.describe,
            "ListLineageGroups": self.list,
            "GetLineageGroupPolicy": self.policy,
        }

    def describe(self, call: Call) -> Description:
        """Answer what is known of the group."""
        account = self._find(call)
        return _summary(account) | {"CreatedBy": {}, "LastModifiedBy": {}}

    def list(self, call: Call) -> Description:
        """Answer the group, if it exists."""
        account = self._store.of_call(call)
        made_at = account.first_made_at
        groups = [_summary(account)] if made_at is not None and within(made_at, call.parameters) else []
        chosen, token = page(
            call, groups, lambda group: (group["LineageGroupName"],), descending=is_descending(call, default=False)
        )
        return {"LineageGroupSummaries": chosen} | token

    def policy(self, call: Call) -> Description:
        """Answer the group's ARN: a policy comes from a resource share, which the stand-in does not have."""
        return {"LineageGroupArn": self._find(call).group_arn}

    def _find(self, call: Call) -> AccountLineage:
        account, wanted = self._store.of_call(call), call.parameters["LineageGroupName"]
        if account.first_made_at is None or wanted not in {DEFAULT_GROUP, account.group_arn}:
            raise not_found(wanted, "Lineage group")
        return account


def _summary(account: AccountLineage) -> dict[str, Any]:
    return {
        "LineageGroupArn": account.group_arn,
        "LineageGroupName": DEFAULT_GROUP,
        "DisplayName": DEFAULT_GROUP,
        "CreationTime": account.first_made_at,
        "LastModifiedTime": account.first_made_at,
    }
