"""The lineage table, as the stack makes it."""

from __future__ import annotations

from typing import Any

from tests.fakes.moto_transactions import copy_tables_once


def create_lineage_table(client: Any, name: str) -> None:
    copy_tables_once()
    names = ("pk", "sk", "target", "log_shard", "log_at")
    indexes = {"reverse": ("target", "sk"), "log": ("log_shard", "log_at")}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute in names],
        KeySchema=_key("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": index, "KeySchema": _key(*key), "Projection": {"ProjectionType": "ALL"}}
            for index, key in indexes.items()
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )


def _key(hashed: str, ranged: str) -> list[dict[str, str]]:
    return [{"AttributeName": hashed, "KeyType": "HASH"}, {"AttributeName": ranged, "KeyType": "RANGE"}]


def graph_of(client: Any, name: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Return all that a table holds but the times at which it was learned."""
    items = [item for page in client.get_paginator("scan").paginate(TableName=name) for item in page["Items"]]
    return {
        (item["pk"]["S"], item["sk"]["S"]): (str(item["body"]), str(item.get("target")), str(item.get("log_shard")))
        for item in items
    }
