"""DynamoDB Streams feed functions as on AWS.

MiniStack invokes functions one after another in its polling thread, retries a failing batch for ever, and knows neither
partial answers nor bisection. Source of the rules: "Process DynamoDB records with Lambda" and "Configuring partial
batch response with DynamoDB and Lambda", Lambda developer guide.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import request_scope
from ministack.services import dynamodb, lambda_svc

from local.patches.event_source_mappings import WholeBatchFailedError, failed_items, is_denied
from local.patches.permissions import key_arn
from local.patches.replacement import replace_function

_STREAM_ACTIONS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
_DEFAULT_BATCH_SIZE = 100
_Document = dict[str, Any]


@dataclass
class _Retry:
    """What is being tried again.

    Attributes:
        position: Where in the stream the batch starts.
        size: Records of the stream in it, those that the filter leaves out included.
        attempts: Failed invocations with this very batch.
    """

    position: int
    size: int
    attempts: int = 0


_retries: dict[str, _Retry] = {}
_lock = threading.Lock()


def apply() -> None:
    """Poll streams by this module's rules.

    Raises:
        EmulatorChangedError: MiniStack's poller is no longer what it was.
    """
    replace_function(lambda_svc, "_poll_dynamodb_streams", (), lambda _original: poll)


def poll() -> bool:
    """Start an invocation for each mapping that has records and none running; tell whether there was one."""
    started = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        with request_scope(account, region):
            started = _poll_mapping(mapping) or started
    return started


def _poll_mapping(mapping: _Document) -> bool:
    table = _table_of(mapping)
    identifier = mapping["UUID"]
    if (
        table is None
        or not mapping.get("Enabled", True)
        or lambda_svc._esm_inflight.get(identifier, 0)
        or lambda_svc._esm_backoff_until.get(identifier, 0) > time.time()
    ):
        return False
    function, config = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    if function is None:
        return False
    name = table["TableName"]
    position = _position(mapping, name)
    retry = _retry_at(identifier, position)
    size = retry.size if retry else int(mapping.get("BatchSize") or _DEFAULT_BATCH_SIZE)
    records = dynamodb.stream_records_since(name, position, size)
    if not records or _is_denied(mapping, config, table):
        return False
    lambda_svc._dispatch_esm_batch(identifier, _run_batch, mapping, function, records, position)
    return True


def _run_batch(mapping: _Document, function: _Document, records: list[_Document], position: int) -> None:
    """Invoke the function with what the filter leaves of ``records``, and move on as its answer says."""
    kept = lambda_svc._apply_filter_criteria(records, mapping)
    if not kept:
        _move_on(mapping, position + len(records))
        return
    result = lambda_svc._execute_function(function, {"Records": kept})
    numbers = {record["dynamodb"]["SequenceNumber"]: record for record in kept}
    try:
        if result.get("error") or result.get("throttle"):
            raise WholeBatchFailedError(str(result.get("body")))
        failed = failed_items(mapping, result.get("body"), numbers)
    except WholeBatchFailedError as error:
        lambda_svc.logger.warning("%s failed a batch of a stream: %s", mapping["FunctionName"], error)
        _try_again(mapping, function, records, position, result)
        return
    if not failed:
        mapping["LastProcessingResult"] = "OK"
        _move_on(mapping, position + len(records))
        return
    # Lambda retries from the lowest failed sequence number on, and does not call for what came before it.
    first_failed = records.index(numbers[min(failed)])
    if first_failed:
        _move_on(mapping, position + first_failed)
    _try_again(mapping, function, records[first_failed:], position + first_failed, result)


def _try_again(
    mapping: _Document, function: _Document, records: list[_Document], position: int, result: Mapping[str, Any]
) -> None:
    identifier = mapping["UUID"]
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
    retry = _retry_at(identifier, position) or _Retry(position, len(records))
    retry.size = len(records)
    if mapping.get("BisectBatchOnFunctionError") and len(records) > 1:
        # Splitting a batch does not consume the retry quota.
        retry.size = len(records) // 2
        retry.attempts = 0
    else:
        retry.attempts += 1
    condition = _end_of_retries(mapping, retry, records)
    if condition is not None:
        kept = lambda_svc._apply_filter_criteria(records, mapping)
        lambda_svc._send_ddb_stream_failure_record(
            mapping, function, kept, mapping["EventSourceArn"], result, condition
        )
        _move_on(mapping, position + len(records))
        return
    with _lock:
        _retries[identifier] = retry
    if retry.attempts:
        lambda_svc._esm_backoff_until[identifier] = time.time() + lambda_svc._ESM_BACKOFF_SECONDS


def _end_of_retries(mapping: Mapping[str, Any], retry: _Retry, records: list[_Document]) -> str | None:
    """Return the condition under which the batch is given up, in the words of the destination record."""
    # -1 or nothing: until the records expire.
    most = int(mapping.get("MaximumRetryAttempts", -1))
    if 0 <= most < retry.attempts:
        return "RetryAttemptsExhausted"
    oldest_age = time.time() - float(records[0]["dynamodb"]["ApproximateCreationDateTime"])
    if 0 < int(mapping.get("MaximumRecordAgeInSeconds") or -1) < oldest_age:
        return "MaxRecordAgeExceeded"
    return None


def _table_of(mapping: Mapping[str, Any]) -> _Document | None:
    try:
        spec = parse_arn(mapping.get("EventSourceArn", ""))
    except ArnParseError:
        return None
    named = lambda_svc._dynamodb_stream_table_from_arn_spec(spec) if spec.service == "dynamodb" else None
    table: _Document | None = dynamodb._tables.get(named[0]) if named else None
    return table if table and table.get("LatestStreamArn") == mapping["EventSourceArn"] else None


def _is_denied(mapping: _Document, config: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    # ListStreams names no single stream (service authorization reference, Amazon DynamoDB).
    permissions = [(action, mapping["EventSourceArn"]) for action in _STREAM_ACTIONS] + [("dynamodb:ListStreams", "*")]
    key = key_arn((table.get("SSEDescription") or {}).get("KMSMasterKeyArn"))
    if key:
        permissions.append(("kms:Decrypt", key))
    return is_denied(mapping, config, permissions)


def _position(mapping: Mapping[str, Any], table: str) -> int:
    """Return where the mapping reads next, in records since the stream began."""
    horizon: int = dynamodb.stream_start_position(table)
    with lambda_svc._dynamodb_stream_positions_lock:
        known = lambda_svc._dynamodb_stream_positions.get(mapping["UUID"])
        if known is None:
            latest: int = dynamodb.stream_end_position(table)
            known = horizon if mapping.get("StartingPosition") == "TRIM_HORIZON" else latest
        position = max(int(known), horizon)
        lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = position
    return position


def _move_on(mapping: Mapping[str, Any], position: int) -> None:
    with _lock:
        _retries.pop(mapping["UUID"], None)
    with lambda_svc._dynamodb_stream_positions_lock:
        lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = position
    lambda_svc._esm_backoff_until.pop(mapping["UUID"], None)


def _retry_at(identifier: str, position: int) -> _Retry | None:
    with _lock:
        retry = _retries.get(identifier)
    return retry if retry is not None and retry.position == position else None
