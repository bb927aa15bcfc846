"""Pages of a list that stay right while entities come and go: a token names the last item, not a position."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from local.sagemaker.contract import Call, Description, ServiceError
from local.sagemaker.lineage.limits import DEFAULT_PAGE

Item = TypeVar("Item")
SortKey = tuple[str | int, ...]


def time_key(time: datetime) -> int:
    """Return a time as a number to sort by, in microseconds of the epoch."""
    return int(time.timestamp() * 1_000_000)


def page(
    call: Call,
    items: Iterable[Item],
    key: Callable[[Item], SortKey],
    *,
    descending: bool = False,
    size: int = DEFAULT_PAGE,
) -> tuple[list[Item], Description]:
    """Sort ``items`` and return one page of them, and the ``NextToken`` member, empty on the last page.

    Args:
        call: The request, with ``MaxResults`` and ``NextToken``.
        items: All of them.
        key: Different for each item.
        descending: Whether the greatest comes first.
        size: Items on a page unless the request says otherwise.

    Raises:
        ServiceError: The token is not one that this operation gave for the same parameters.
    """
    ordered = sorted(((key(item), item) for item in items), key=lambda pair: pair[0], reverse=descending)
    last = _last_key(call)
    if last is not None:
        ordered = [pair for pair in ordered if (pair[0] < last if descending else pair[0] > last)]
    size = call.parameters.get("MaxResults", size)
    chosen = ordered[:size]
    token = {"NextToken": _token(call, chosen[-1][0])} if size < len(ordered) else {}
    return [item for _, item in chosen], token


def within(time: datetime, wanted: Mapping[str, Any]) -> bool:
    """Tell whether ``time`` is on or after ``CreatedAfter`` and on or before ``CreatedBefore``."""
    after, before = wanted.get("CreatedAfter"), wanted.get("CreatedBefore")
    return (after is None or time >= after) and (before is None or time <= before)


def is_descending(call: Call, *, default: bool = True) -> bool:
    """Tell whether the caller wants the greatest first."""
    order = call.parameters.get("SortOrder")
    return default if order is None else order == "Descending"


def _fingerprint(call: Call) -> str:
    others = {name: str(value) for name, value in call.parameters.items() if name not in {"NextToken", "MaxResults"}}
    text = json.dumps([call.operation, call.account, call.region, others], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _token(call: Call, last: SortKey) -> str:
    return base64.urlsafe_b64encode(json.dumps([_fingerprint(call), *last]).encode()).decode()


def _last_key(call: Call) -> SortKey | None:
    token = call.parameters.get("NextToken")
    if not token:
        return None
    try:
        fingerprint, *last = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, binascii.Error) as error:
        raise _bad_token(token) from error
    if fingerprint != _fingerprint(call):
        raise _bad_token(token)
    return tuple(last)


def _bad_token(token: str) -> ServiceError:
    return ServiceError(
        "ValidationException",
        f"Value '{token}' at 'nextToken' is not a token of this operation with these parameters: "
        "use the NextToken of the page before, and leave the other parameters as they were",
    )
