"""Tags of lineage entities ("You can add tags to all entities except associations", developer guide)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.lineage.entities import Entity, LineageStore
from local.sagemaker.lineage.entity_operations import refused
from local.sagemaker.lineage.pages import page
from local.sagemaker.resources import tags_of

MAX_TAGS = 50  # API reference, AddTags: "Array Members: Maximum number of 50 items"


class TagOperations:
    """AddTags, DeleteTags and ListTags of lineage entities; other ARNs are passed on to ``others``."""

    def __init__(self, store: LineageStore, others: Mapping[str, Operation]) -> None:
        self._store = store
        self._others = {name: others[name] for name in ("AddTags", "DeleteTags", "ListTags") if name in others}

    def operations(self) -> dict[str, Operation]:
        """Return the operations by their names in the API."""
        return {"AddTags": self.add, "DeleteTags": self.delete, "ListTags": self.list}

    def add(self, call: Call) -> Description:
        """Add tags, and give those that exist their new values."""
        return self._answer(call, _add)

    def delete(self, call: Call) -> Description:
        """Delete tags; those that do not exist are no error."""
        return self._answer(call, _delete)

    def list(self, call: Call) -> Description:
        """Answer a page of tags."""
        return self._answer(call, _list)

    def _answer(self, call: Call, of_entity: Callable[[Call, Entity], Description]) -> Description:
        with self._store.lock:
            entity = self._store.of_call(call).find(call.parameters["ResourceArn"])
            if entity is not None:
                return of_entity(call, entity)
        other = self._others.get(call.operation)
        if other is None:
            raise ServiceError(
                "ValidationException",
                f"Value '{call.parameters['ResourceArn']}' at 'resourceArn' names nothing that has tags here",
            )
        return other(call)


def _add(call: Call, entity: Entity) -> Description:
    tags = entity.tags | tags_of(call.parameters)
    if len(tags) > MAX_TAGS:
        raise refused(f"{entity.arn} would have {len(tags)} tags; at most {MAX_TAGS} are allowed")
    entity.tags = tags
    return {"Tags": _listed(tags)}


def _delete(call: Call, entity: Entity) -> Description:
    gone = set(call.parameters["TagKeys"])
    entity.tags = {key: value for key, value in entity.tags.items() if key not in gone}
    return {}


def _list(call: Call, entity: Entity) -> Description:
    chosen, token = page(call, _listed(entity.tags), lambda tag: (tag["Key"],), size=MAX_TAGS)
    return {"Tags": chosen} | token


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
