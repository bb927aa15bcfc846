"""What a Map state iterates over: its items, read, selected and batched.

Source: "ItemReader (Map)", "ItemSelector (Map)", "ItemBatcher (Map)", developer guide.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.step_functions import role_sessions
from local.step_functions.documents import PAYLOAD_BYTES, Document, to_text
from local.step_functions.evaluations import Evaluation, JsonPathEvaluation
from local.step_functions.failures import (
    DATA_LIMIT_EXCEEDED,
    ITEM_READER_FAILED,
    QUERY_EVALUATION,
    RUNTIME,
    StateFailure,
)

_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


@dataclass(frozen=True)
class ChildInput:
    """Input of one child of a map run.

    Attributes:
        value: The input.
        items: How many items it holds.
    """

    value: Any
    items: int


def given_items(state: Document, fields: Evaluation) -> list[Any]:
    """Return the items that a state has in its input.

    Raises:
        StateFailure: They are no array.
    """
    if isinstance(fields, JsonPathEvaluation):
        items = fields.value("Items") if "ItemsPath" in state else fields.effective_input()
        wrong = RUNTIME
    else:
        items = fields.value("Items", fields.effective_input())
        wrong = QUERY_EVALUATION
    if not isinstance(items, list):
        raise StateFailure(wrong, f"The items of a Map state must be an array, but were: {to_text(items)[:200]}")
    return items


def read_items(reader: Document, fields: Evaluation, role_arn: str) -> list[Any]:
    """Return the items of a dataset in S3, read as the state machine's role.

    Raises:
        StateFailure: ``States.ItemReaderFailed``.
    """
    arguments = _arguments(reader, fields, "ItemReader")
    config = fields.template(reader.get("ReaderConfig", {}), "ItemReader/ReaderConfig")
    client = role_sessions.client("s3", role_arn)
    try:
        if str(reader["Resource"]).endswith(":listObjectsV2"):
            items = _listed(client, arguments, config)
        else:
            items = _parsed(client.get_object(**arguments)["Body"].read(), config)
    except ClientError as error:
        raise StateFailure(ITEM_READER_FAILED, f"{error} ({to_text(arguments)})") from error
    except (BotoCoreError, ValueError, KeyError, IndexError, TypeError) as error:
        raise StateFailure(ITEM_READER_FAILED, f"{to_text(arguments)}: {error}") from error
    most = fields.number("MaxItems", owner=reader.get("ReaderConfig", {}))
    return items[: int(most)] if most else items


def selected_item(state: Document, fields: Evaluation, context: Document, item: Any) -> Any:
    """Return what ``ItemSelector`` makes of an item; the item itself without one."""
    selector = state.get("ItemSelector", state.get("Parameters"))
    return item if selector is None else fields.template(selector, "ItemSelector", context)


def batched(items: list[Any], batcher: Document, fields: Evaluation) -> list[ChildInput]:
    """Return the items in batches ``{"BatchInput": ..., "Items": [...]}``.

    Raises:
        StateFailure: ``States.DataLimitExceeded`` where one item alone is larger than a batch may be.
    """
    most = int(fields.number("MaxItemsPerBatch", 0, batcher)) or len(items) or 1
    size = min(int(fields.number("MaxInputBytesPerBatch", 0, batcher)) or PAYLOAD_BYTES, PAYLOAD_BYTES)
    extra = (
        {"BatchInput": fields.template(batcher["BatchInput"], "ItemBatcher/BatchInput")}
        if "BatchInput" in batcher
        else {}
    )
    empty = len(to_text({**extra, "Items": []}).encode())
    batches: list[list[Any]] = []
    used = 0
    for index, item in enumerate(items):
        weight = len(to_text(item).encode()) + 1
        if empty + weight - 1 > size:
            raise StateFailure(DATA_LIMIT_EXCEEDED, f"Item {index} is larger than a batch of {size} bytes may be")
        if not batches or len(batches[-1]) >= most or used + weight > size:
            batches.append([])
            used = empty
        batches[-1].append(item)
        used += weight
    return [ChildInput({**extra, "Items": batch}, len(batch)) for batch in batches]


def _arguments(owner: Document, fields: Evaluation, name: str) -> dict[str, Any]:
    key = "Parameters" if isinstance(fields, JsonPathEvaluation) else "Arguments"
    filled: dict[str, Any] = fields.template(owner.get(key, {}), f"{name}/{key}")
    return filled


def _listed(client: Any, arguments: Document, config: Document) -> list[Any]:
    pages = client.get_paginator("list_objects_v2").paginate(**arguments)
    found = [entry for page in pages for entry in page.get("Contents", [])]
    if config.get("Transformation") == "LOAD_AND_FLATTEN":
        bodies = (client.get_object(Bucket=arguments["Bucket"], Key=entry["Key"])["Body"].read() for entry in found)
        return [item for body in bodies for item in _parsed(body, config)]
    return [
        {
            "Etag": entry["ETag"],
            "Key": entry["Key"],
            "LastModified": int(entry["LastModified"].timestamp()),
            "Size": entry["Size"],
            "StorageClass": entry.get("StorageClass", "STANDARD"),
        }
        for entry in found
    ]


def _parsed(body: bytes, config: Document) -> list[Any]:
    text = body.decode("utf-8-sig")
    kind = config.get("InputType", "JSON")
    if kind == "JSONL":
        # A line ends with a line feed and nothing else: U+2028 and its like stand inside strings.
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    if kind == "CSV":
        return _rows(text, config)
    if kind != "JSON":
        raise ValueError(f"the local cloud does not read InputType {kind}: use JSON, JSONL or CSV")
    value = json.loads(text)
    for part in [part for part in config.get("ItemsPointer", "").split("/") if part]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    if isinstance(value, Mapping):
        return [{"Key": key, "Value": item} for key, item in value.items()]
    if not isinstance(value, list):
        raise ValueError("the dataset is no JSON array")
    return value


def _rows(text: str, config: Document) -> list[Any]:
    rows = [
        row for row in csv.reader(io.StringIO(text), delimiter=_DELIMITERS[config.get("CSVDelimiter", "COMMA")]) if row
    ]
    if config.get("CSVHeaderLocation") == "GIVEN":
        headers = list(config["CSVHeaders"])
    else:
        headers, rows = rows[0], rows[1:]
    return [dict(zip(headers, [*row, *[""] * len(headers)], strict=False)) for row in rows]
