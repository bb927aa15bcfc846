"""Tags of resources."""

from __future__ import annotations

from local.bedrock.contract import Call, Document, Operation, ServiceError
from local.bedrock.foundation import Foundation
from local.sagemaker.resources import Resource

_MAX_TAGS = 200  # Bedrock API reference, TagList


class Tagging:
    """TagResource, UntagResource and ListTagsForResource."""

    def __init__(self, foundation: Foundation) -> None:
        self._store = foundation.store

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {"TagResource": self._tag, "UntagResource": self._untag, "ListTagsForResource": self._list}

    def _tag(self, call: Call) -> Document:
        resource = self._find(call)
        added = {tag["key"]: tag["value"] for tag in call.parameters["tags"]}
        with self._store.lock:
            if len(resource.tags | added) > _MAX_TAGS:
                raise ServiceError("TooManyTagsException", f"{resource.arn} may have at most {_MAX_TAGS} tags.")
            resource.tags.update(added)
        return {}

    def _untag(self, call: Call) -> Document:
        resource = self._find(call)
        with self._store.lock:
            for key in call.parameters["tagKeys"]:
                resource.tags.pop(key, None)
        return {}

    def _list(self, call: Call) -> Document:
        tags = self._find(call).tags
        return {"tags": [{"key": key, "value": value} for key, value in sorted(tags.items())]}

    def _find(self, call: Call) -> Resource:
        arn = call.parameters["resourceARN"]
        resource = self._store.find_arn(arn)
        if resource is None:
            raise ServiceError("ResourceNotFoundException", f"{arn} does not exist.")
        return resource
