"""Model cards: a new version with each new content, a status that changes without one."""

from __future__ import annotations

import json
from weakref import WeakKeyDictionary

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, caller_context, invalid, not_found
from local.sagemaker.listing import Listing, is_descending, list_operation, page, within_times
from local.sagemaker.resources import Resource, utc_now

KIND = "model-card"


class ModelCards:
    """Create, describe, list, update and delete of model cards, and their versions."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._versions: WeakKeyDictionary[Resource, dict[int, Description]] = WeakKeyDictionary()

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "ModelCardName")
        return {
            "CreateModelCard": self._create,
            "DescribeModelCard": self._describe,
            "ListModelCards": list_operation(self._foundation.model, self._store, "ListModelCards", listing),
            "ListModelCardVersions": self._list_versions,
            "UpdateModelCard": self._update,
            "DeleteModelCard": self._delete,
        }

    def _create(self, call: Call) -> Description:
        parameters, now = call.parameters, utc_now()
        _check_content(parameters["Content"])
        description = self._foundation.described_members("DescribeModelCard", parameters)
        description |= {
            "ModelCardArn": call.arn(f"{KIND}/{parameters['ModelCardName']}"),
            "ModelCardVersion": 1,
            "CreationTime": now,
            "CreatedBy": caller_context(call),
            "LastModifiedTime": now,
            "LastModifiedBy": caller_context(call),
        }
        card = self._foundation.new_resource(call, KIND, parameters["ModelCardName"], description)
        with self._store.lock:
            self._versions[card] = {1: dict(description)}
        if not self._store.add(card):
            raise ServiceError("ConflictException", f"Modelcard with name {card.name} already exists. ({card.arn})")
        return {"ModelCardArn": card.arn}

    def _describe(self, call: Call) -> Description:
        card = self._find(call)
        with self._store.lock:
            version = call.parameters.get("ModelCardVersion", card.description["ModelCardVersion"])
            found = self._versions[card].get(version)
        if found is None:
            raise not_found(f"ModelCard {card.name} has no version {version}.")
        return found | ({"Content": ""} if call.parameters.get("IncludedData") == "MetadataOnly" else {})

    def _list_versions(self, call: Call) -> Description:
        card, status = self._find(call), call.parameters.get("ModelCardStatus")
        with self._store.lock:
            versions = list(self._versions[card].values())
        versions = [
            version
            for version in versions
            if status in {None, version["ModelCardStatus"]} and within_times(call.parameters, version)
        ]
        versions.sort(key=lambda version: int(version["ModelCardVersion"]), reverse=is_descending(call, default=False))
        chosen, token = page(call, versions)
        summaries = [self._foundation.summary("ModelCardVersionSummary", version) for version in chosen]
        return {"ModelCardVersionSummaryList": summaries} | token

    def _update(self, call: Call) -> Description:
        card, content = self._find(call), call.parameters.get("Content")
        status = call.parameters.get("ModelCardStatus")
        if (content is None) == (status is None):
            # API reference, UpdateModelCard: "You cannot update both model card content and model card status in a
            # single call."
            raise invalid("Give either Content or ModelCardStatus")
        if content is not None:
            _check_content(content)

        def change(before: Description) -> Description:
            version = before["ModelCardVersion"] + (content is not None)
            members: Description = {
                "ModelCardVersion": version,
                "LastModifiedTime": utc_now(),
                "LastModifiedBy": caller_context(call),
                **({"Content": content} if content is not None else {"ModelCardStatus": status}),
            }
            self._versions[card][version] = {**before, **members}
            return members

        self._store.update(card, change)
        return {"ModelCardArn": card.arn}

    def _delete(self, call: Call) -> Description:
        self._store.remove(self._find(call))
        return {}

    def _find(self, call: Call) -> Resource:
        name = call.parameters["ModelCardName"].rpartition("/")[2]
        return self._foundation.find(call, KIND, name, not_found(f"ModelCard with name {name} does not exist."))


def _check_content(content: str) -> None:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise invalid(f"Content is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise invalid("Content is not a JSON object: see the model card JSON schema of the developer guide")
