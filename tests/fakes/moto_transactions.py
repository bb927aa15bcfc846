"""moto's transactions, without their waste: it copies the whole table for each item that one transaction writes."""

from __future__ import annotations

import copy
from functools import cache
from threading import local
from types import SimpleNamespace
from typing import Any

from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

_within = local()


@cache
def copy_tables_once() -> None:
    """Let a transaction copy a table once, before its first item; what is copied, and when it is put back, stays."""
    original: Any = DynamoDBBackend.transact_write_items

    def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
        _within.copies = {}
        try:
            original(backend, transact_items)
        finally:
            del _within.copies

    setattr(DynamoDBBackend, original.__name__, transact_write_items)
    vars(models)["copy"] = SimpleNamespace(deepcopy=_deepcopy)


def _deepcopy(value: Any) -> Any:
    copies: dict[int, Any] | None = getattr(_within, "copies", None)
    if copies is None or not isinstance(value, Table):
        return copy.deepcopy(value)
    if id(value) not in copies:
        copies[id(value)] = copy.deepcopy(value)
    return copies[id(value)]
