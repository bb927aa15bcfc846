"""Where the files of an interval lie: by hour, so that listing costs as much as is new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hallmark.drift.settings import DataCapture, InvocationLogs

_HOUR = timedelta(hours=1)


def hours_of(start: datetime, end: datetime) -> list[datetime]:
    """Return the hours whose folders may hold records from ``start`` to ``end``: the one before, too.

    A file that was begun at the end of an hour holds the first records of the next.
    """
    hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - _HOUR
    hours = []
    while hour < end:
        hours.append(hour)
        hour += _HOUR
    return hours


def capture_prefix(source: DataCapture, endpoint: str, variant: str, hour: datetime) -> str:
    """Return the URI under which an hour's captured data lies."""
    return f"{source.location.rstrip('/')}/{endpoint}/{variant}/{hour:%Y/%m/%d/%H}/"


def variants_prefix(source: DataCapture, endpoint: str) -> str:
    """Return the URI below which each variant has a folder."""
    return f"{source.location.rstrip('/')}/{endpoint}/"


def log_prefix(source: InvocationLogs, account: str, region: str, hour: datetime) -> str:
    """Return the URI under which an hour's invocation logs lie."""
    return f"{source.location.rstrip('/')}/AWSLogs/{account}/BedrockModelInvocationLogs/{region}/{hour:%Y/%m/%d/%H}/"


def is_record_file(key: str) -> bool:
    """Tell whether an object holds records: not a body of its own, nor the check of permissions."""
    name = key.rpartition("/")[2]
    return "/data/" not in key and name.endswith((".jsonl", ".json", ".json.gz", ".jsonl.gz"))
