"""Fixed baselines: CSV with a header, or JSON lines."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime

from hallmark.drift.sources.records import AT, ID, Reading, json_lines

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def read_dataset(name: str, content: bytes) -> Reading:
    """Read one object; its name tells how it is written (``.csv``, ``.jsonl``, each also with ``.gz``).

    Returns:
        Records by column or field; a dataset has no times.
    """
    reading = Reading()
    if name.endswith(".gz"):
        name, content = name.removesuffix(".gz"), gzip.decompress(content)
    if name.endswith((".jsonl", ".json", ".ndjson")):
        reading.records += [{AT: _NO_TIME, ID: "", **line} for line in json_lines(content, reading)]
        return reading
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig", errors="replace")))
    for row in rows:
        if None in row or None in row.values():
            reading.broken["a row of another length than the header"] += 1
            continue
        reading.records.append({AT: _NO_TIME, ID: "", **row})
    return reading
