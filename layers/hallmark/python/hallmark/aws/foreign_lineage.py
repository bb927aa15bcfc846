"""What the intake of other tools' lineage needs of AWS: the bus, and what the table knows of a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.failures import calling
from hallmark.events.reports import LINEAGE_REPORTED, LineageReported

_ENDS = 50
"""Edges that are looked at: who tells of a place besides a run is mostly among the first."""
_VERSIONS = 10


class ReportsOnBus:
    """ReportBus: one event for each report."""

    def __init__(self, bus_name: str, client: Any) -> None:
        self._bus_name = bus_name
        self._publisher = EventPublisher(client)

    def publish(self, reports: Sequence[LineageReported]) -> None:
        """Publish all of them.

        Raises:
            UnavailableError: Some were not taken now; the same may be published again.
            InvalidInputError: EventBridge will never take one of them; the others are published.
        """
        if reports:
            self._publisher.publish([report.to_entry(self._bus_name, LINEAGE_REPORTED) for report in reports])


class KnownPlaces:
    """KnownData: reads who else a place or its contents have edges with."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table, self._client = table_name, client

    def is_known(self, place: str, besides: str) -> bool:
        """Tell whether anything but one run tells of a place.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        ends = list(self._ends(place))
        contents = [end for end in ends if end.startswith(f"{place}#")]
        if any(_is_other(end, place, besides) for end in ends):
            return True
        return any(_is_other(end, place, besides) for content in contents[:_VERSIONS] for end in self._ends(content))

    def _ends(self, node: str) -> Iterator[str]:
        """Yield the nodes at the other ends of a node's edges."""
        name = {"S": f"NODE#{node}"}
        out = self._query(
            KeyConditionExpression="pk = :node AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":node": name, ":prefix": {"S": "EDGE#"}},
        )
        yield from (str(item["target"]["S"]).removeprefix("NODE#") for item in out)
        into = self._query(
            IndexName="reverse",
            KeyConditionExpression="target = :target",
            ExpressionAttributeValues={":target": name},
        )
        yield from (str(item["pk"]["S"]).removeprefix("NODE#") for item in into)

    def _query(self, **request: Any) -> list[dict[str, Any]]:
        with calling("reading lineage"):
            found: list[dict[str, Any]] = self._client.query(TableName=self._table, Limit=_ENDS, **request)["Items"]
        return found


def _is_other(end: str, place: str, besides: str) -> bool:
    """Tell whether an end says something new: it is not the run, nor a content or a part of the place itself."""
    return end not in {besides, place} and not end.startswith((f"{place}#", f"{place}/"))
