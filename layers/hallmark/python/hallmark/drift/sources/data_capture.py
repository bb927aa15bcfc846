"""SageMaker's data capture: ``<location>/<endpoint>/<variant>/yyyy/mm/dd/hh/<file>.jsonl``.

Source: SageMaker developer guide, "Capture data from real-time endpoint". A line is one request; a request of several
rows (lines of CSV, a list of JSON) is as many records, each with its own part of the answer.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from hallmark.drift.sources.records import AT, ID, BrokenLineError, Reading, json_lines, read_instant

_LISTS = ("instances", "predictions", "inputs", "outputs", "records")
"""Members under which serving protocols put the rows of a request (TensorFlow Serving, KServe, SageMaker JSON)."""


def read_capture(content: bytes) -> Reading:
    """Read one file.

    Returns:
        Records with ``at``, ``id`` (the caller's inference id where there is one), ``input`` and ``output``: of CSV a
        list of cells, of JSON what it says.
    """
    reading = Reading()
    for line in json_lines(content, reading):
        try:
            _add(line, reading)
        except BrokenLineError as error:
            reading.broken[str(error)] += 1
    return reading


def _add(line: Mapping[str, Any], reading: Reading) -> None:
    captured, metadata = line.get("captureData"), line.get("eventMetadata")
    if not isinstance(captured, Mapping) or not isinstance(metadata, Mapping):
        raise BrokenLineError("no captureData or eventMetadata")
    at = read_instant(metadata.get("inferenceTime"))
    name = str(metadata.get("inferenceId") or metadata.get("eventId") or "")
    inputs, outputs = _rows(captured.get("endpointInput")), _rows(captured.get("endpointOutput"))
    if not inputs and not outputs:
        raise BrokenLineError("neither input nor output")
    if _encoding(captured.get("endpointOutput")) == "JSON":
        outputs = _answers(outputs, len(inputs))
    if inputs and outputs and len(outputs) != len(inputs):
        reading.broken["answers of another number than rows"] += 1
        outputs = []
    count = len(inputs) or len(outputs)
    for place in range(count):
        reading.records.append(
            {
                AT: at,
                ID: name if count == 1 else f"{name}/{place}",
                "input": inputs[place] if inputs else None,
                "output": outputs[place] if outputs else None,
            }
        )


def _answers(outputs: list[Any], rows: int) -> list[Any]:
    """Return the answer of each row: a flat list of JSON has one for each where their numbers are equal."""
    if len(outputs) == 1 and isinstance(outputs[0], list) and len(outputs[0]) == rows:
        flat: list[Any] = outputs[0]
        return flat
    return outputs


def _rows(part: object) -> list[Any]:
    """Return the rows of one side of a request; none where it was not captured."""
    if part is None:
        return []
    if not isinstance(part, Mapping) or not isinstance(part.get("data"), str):
        raise BrokenLineError("captured data is no text")
    encoding, text = _encoding(part), part["data"]
    if str(part.get("encoding", "")).upper() == "BASE64":
        try:
            text = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise BrokenLineError("BASE64 that holds no text") from None
    if encoding == "CSV":
        return [row for row in csv.reader(io.StringIO(text)) if row]
    if encoding == "JSON":
        return _json_rows(text)
    return [text]


def _encoding(part: Mapping[str, Any] | None) -> str:
    """Return how the data of one side is written: ``CSV``, ``JSON`` or ``TEXT``."""
    encoding = str((part or {}).get("encoding", "")).upper()
    if encoding != "BASE64":
        return encoding
    content_type = str((part or {}).get("observedContentType", "")).lower()
    return "CSV" if "csv" in content_type else "JSON" if "json" in content_type else "TEXT"


def _json_rows(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        # JSON lines (application/jsonlines) are a row each.
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            raise BrokenLineError("captured data is not JSON") from None
    if isinstance(found, Mapping):
        for name in _LISTS:
            if isinstance(found.get(name), list):
                return list(found[name])
        return [found]
    if isinstance(found, list) and any(isinstance(part, list | Mapping) for part in found):
        return found
    return [found]
