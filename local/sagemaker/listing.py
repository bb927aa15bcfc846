"""List operations: filters, order and pages, read from the request by the names that AWS's models use."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from botocore.model import ListShape, ServiceModel, StructureShape

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.resources import STATUS_MEMBERS, Resource, ResourceStore

DEFAULT_PAGE = 10  # "The default value is 10" (SageMaker API reference, ListTransformJobs, ListEndpoints and others)
_NOT_FILTERS = {"NextToken", "MaxResults"}
_TIME_FILTERS = {
    "CreationTimeAfter": ("CreationTime", False),
    "CreationTimeBefore": ("CreationTime", True),
    "LastModifiedTimeAfter": ("LastModifiedTime", False),
    "LastModifiedTimeBefore": ("LastModifiedTime", True),
    "CreatedAfter": ("CreationTime", False),
    "CreatedBefore": ("CreationTime", True),
}

Summarise = Callable[[Resource], Description]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Listing:
    """How one List operation answers.

    Attributes:
        kind: The kind of resource.
        name_member: The member of the description that holds the name.
        descending: Whether the newest (or last) comes first unless the caller says otherwise.
        sort_by: The order unless the caller says otherwise.
        page: Items on a page unless the caller says otherwise.
        more: Members of the summary that the description does not have.
        keep: Further filter on the request.
    """

    kind: str
    name_member: str
    descending: bool = False
    sort_by: str = "CreationTime"
    page: int = DEFAULT_PAGE
    more: Summarise | None = None
    keep: Callable[[Call, Resource], bool] | None = None


def list_operation(model: ServiceModel, store: ResourceStore, operation: str, listing: Listing) -> Operation:
    """Return the operation that lists resources of one kind as ``listing`` says; summaries follow the output shape."""
    member, summary_shape = _summary_shape(model, operation)

    def answer(call: Call) -> Description:
        resources = [r for r in store.of_kind(call, listing.kind) if _passes(call, r, listing)]
        order = sort_key(call.parameters.get("SortBy", listing.sort_by), listing)
        resources.sort(key=order, reverse=is_descending(call, default=listing.descending))
        chosen, token = page(call, resources, listing.page)
        summaries = []
        for resource in chosen:
            known = store.describe(resource) | (listing.more(resource) if listing.more else {})
            summaries.append({name: known[name] for name in summary_shape.members if name in known})
        return {member: summaries} | token

    return answer


def _summary_shape(model: ServiceModel, operation: str) -> tuple[str, StructureShape]:
    output = model.operation_model(operation).output_shape
    for name, shape in output.members.items() if output else ():
        if isinstance(shape, ListShape) and isinstance(shape.member, StructureShape):
            return name, shape.member
    raise TypeError(f"{operation} answers no list of structures")


def _passes(call: Call, resource: Resource, listing: Listing) -> bool:
    wanted, description = call.parameters, resource.description
    name = description.get(listing.name_member, resource.name)
    if wanted.get("NameContains", "").lower() not in name.lower():
        return False
    status = wanted.get("StatusEquals") or wanted.get(f"{STATUS_MEMBERS.get(listing.kind, '')}Equals")
    if status is not None and resource.status != status:
        return False
    if not within_times(wanted, description):
        return False
    return listing.keep is None or listing.keep(call, resource)


def within_times(wanted: Mapping[str, Any], description: Mapping[str, Any]) -> bool:
    """Tell whether the times of ``description`` lie within the time filters of the request."""
    for parameter, (member, before) in _TIME_FILTERS.items():
        if parameter not in wanted:
            continue
        limit, time = wanted[parameter], description.get(member)
        if not isinstance(time, datetime) or (time >= limit if before else time <= limit):
            return False
    return True


def sort_key(sort_by: str, listing: Listing) -> Callable[[Resource], tuple[Any, ...]]:
    """Return the key that a list is sorted by; the name decides between equals."""

    def key(resource: Resource) -> tuple[Any, ...]:
        if sort_by == "Name":
            return (resource.description.get(listing.name_member, resource.name),)
        if sort_by in {"Status", STATUS_MEMBERS.get(listing.kind)}:
            return (resource.status or "", resource.name)
        if sort_by in {"CreationTime", "LastModifiedTime"}:
            return (resource.description[sort_by], resource.name)
        return (str(resource.description.get(sort_by, "")), resource.name)

    return key


def is_descending(call: Call, *, default: bool) -> bool:
    """Tell whether the caller wants the list from the end."""
    order: str = call.parameters.get("SortOrder", "Descending" if default else "Ascending")
    return order == "Descending"


def page(call: Call, items: Iterable[Item], default: int = DEFAULT_PAGE) -> tuple[list[Item], Description]:
    """Return one page of ``items`` and the ``NextToken`` member, empty on the last page.

    Raises:
        ServiceError: The token is not one that this operation gave for the same filters.
    """
    everything = list(items)
    start = _token_position(call)
    size = call.parameters.get("MaxResults", default)
    end = start + size
    token = {"NextToken": _token(call, end)} if end < len(everything) else {}
    return everything[start:end], token


def _fingerprint(call: Call) -> str:
    filters = {k: str(v) for k, v in call.parameters.items() if k not in _NOT_FILTERS}
    text = json.dumps([call.operation, call.account, call.region, filters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _token(call: Call, position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([_fingerprint(call), position]).encode()).decode()


def _token_position(call: Call) -> int:
    token = call.parameters.get("NextToken")
    if not token:
        return 0
    try:
        fingerprint, position = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error, TypeError) as error:
        raise _bad_token(token) from error
    if fingerprint != _fingerprint(call) or not isinstance(position, int):
        raise _bad_token(token)
    return position


def _bad_token(token: str) -> ServiceError:
    return ServiceError(
        "ValidationException",
        f"Value '{token}' at 'nextToken' is not a token of this operation with these filters: "
        "use the NextToken of the page before, and leave the other parameters as they were",
    )
