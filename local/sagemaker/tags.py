"""Tags of every resource that has an ARN."""

from __future__ import annotations

from local.sagemaker.contract import Call, Description, Operation
from local.sagemaker.foundation import Foundation, invalid
from local.sagemaker.listing import page
from local.sagemaker.resources import Resource, tags_of

MAX_TAGS = 50  # API reference, AddTags: "Array Members: Maximum number of 50 items"
_PAGE = 50  # "MaxResults … default 50" (API reference, ListTags)


class Tagging:
    """AddTags, ListTags and DeleteTags."""

    def __init__(self, foundation: Foundation) -> None:
        self._store = foundation.store

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {"AddTags": self._add, "ListTags": self._list, "DeleteTags": self._delete}

    def _add(self, call: Call) -> Description:
        resource = self._find(call)
        with self._store.lock:
            tags = resource.tags | tags_of(call.parameters)
            if len(tags) > MAX_TAGS:
                raise invalid(f"{resource.arn} would have {len(tags)} tags; at most {MAX_TAGS} are allowed")
            resource.tags.update(tags)
        return {"Tags": _listed(resource)}

    def _list(self, call: Call) -> Description:
        tags, token = page(call, _listed(self._find(call)), _PAGE)
        return {"Tags": tags} | token

    def _delete(self, call: Call) -> Description:
        resource = self._find(call)
        with self._store.lock:
            for key in call.parameters["TagKeys"]:
                resource.tags.pop(key, None)
        return {}

    def _find(self, call: Call) -> Resource:
        arn = call.parameters["ResourceArn"]
        resource = self._store.find_arn(arn)
        if resource is None:
            raise invalid(f"Resource {arn} does not exist.")
        return resource


def _listed(resource: Resource) -> list[Description]:
    return [{"Key": key, "Value": value} for key, value in resource.tags.items()]
