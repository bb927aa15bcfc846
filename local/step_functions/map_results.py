"""The results of a map run, in S3 or in the state's output.

Source: "ResultWriter (Map)", developer guide: ``<Prefix>/<map run id>/manifest.json`` names the files
``SUCCEEDED_n.json``, ``FAILED_n.json`` and ``PENDING_n.json``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.step_functions import role_sessions
from local.step_functions.documents import Document, to_text
from local.step_functions.evaluations import Evaluation, JsonPathEvaluation
from local.step_functions.failures import RESULT_WRITER_FAILED, StateFailure

_NONE, _COMPACT, _FLATTEN = "NONE", "COMPACT", "FLATTEN"
_FILE_OF = {"SUCCEEDED": "SUCCEEDED", "PENDING": "PENDING"}


def transformed(children: Sequence[Document], config: Document) -> list[Any]:
    """Return what ``WriterConfig`` makes of children; one that did not succeed stays as it is.

    Args:
        children: Entries of :func:`entry`.
        config: ``WriterConfig``; without a transformation the outputs alone.
    """
    kind = config.get("Transformation", _COMPACT)
    if kind == _NONE:
        return list(children)
    results: list[Any] = []
    for child in children:
        output = json.loads(child["Output"]) if child["Status"] == "SUCCEEDED" else child
        if kind == _FLATTEN and isinstance(output, list):
            results += output
        else:
            results.append(output)
    return results


def entry(record: Document) -> dict[str, Any]:
    """Return how a result file describes a child workflow execution."""
    redrivable = record["status"] in {"FAILED", "TIMED_OUT", "ABORTED"}
    described = {
        "Cause": record.get("cause"),
        "Error": record.get("error"),
        "ExecutionArn": record["executionArn"],
        "Input": record["input"],
        "InputDetails": {"Included": True},
        "Name": record["name"],
        "Output": record.get("output"),
        "OutputDetails": {"Included": True} if record.get("output") is not None else None,
        "RedriveCount": record.get("redriveCount", 0),
        "RedriveStatus": "REDRIVABLE_BY_MAP_RUN" if redrivable else "NOT_REDRIVABLE",
        "RedriveStatusReason": None if redrivable else f"Execution is {record['status']} and cannot be redriven",
        "StartDate": record.get("startDate"),
        "StateMachineArn": record["stateMachineArn"],
        "Status": record["status"],
        "StopDate": record.get("stopDate"),
    }
    return {name: value for name, value in described.items() if value is not None}


def write_results(
    writer: Document, fields: Evaluation, map_run_arn: str, children: Sequence[Document], role_arn: str
) -> dict[str, Any]:
    """Write the files of a map run and return the state's result.

    Args:
        writer: ``ResultWriter``.
        fields: The Map state's fields.
        map_run_arn: The map run.
        children: Entries of :func:`entry`, those that never started among them.
        role_arn: The state machine's role, in whose name it is written.

    Raises:
        StateFailure: ``States.ResultWriterFailed``.
    """
    key = "Parameters" if isinstance(fields, JsonPathEvaluation) else "Arguments"
    arguments = fields.template(writer.get(key, {}), f"ResultWriter/{key}")
    config = fields.template(writer.get("WriterConfig", {}), "ResultWriter/WriterConfig")
    bucket, prefix = arguments.get("Bucket", ""), arguments.get("Prefix", "").strip("/")
    folder = "/".join(part for part in (prefix, map_run_arn.rpartition(":")[2]) if part)
    client = role_sessions.client("s3", role_arn)
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    try:
        for status, written in files.items():
            content = [child for child in children if _FILE_OF.get(child["Status"], "FAILED") == status]
            if not content:
                continue
            lines = transformed(content, {"Transformation": _NONE, **config}) if status == "SUCCEEDED" else content
            is_lines = config.get("OutputType") == "JSONL"
            body = ("\n".join(to_text(line) for line in lines) if is_lines else to_text(lines)).encode()
            name = f"{folder}/{status}_0.{'jsonl' if is_lines else 'json'}"
            client.put_object(Bucket=bucket, Key=name, Body=body)
            written.append({"Key": name, "Size": len(body)})
        manifest = {"DestinationBucket": bucket, "MapRunArn": map_run_arn, "ResultFiles": files}
        client.put_object(Bucket=bucket, Key=f"{folder}/manifest.json", Body=to_text(manifest).encode())
    except (ClientError, BotoCoreError) as error:
        raise StateFailure(RESULT_WRITER_FAILED, f"s3://{bucket}/{folder}: {error}") from error
    return {"MapRunArn": map_run_arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}
