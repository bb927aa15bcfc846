"""The lineage graph as a function holds it: loaded once, kept up to date, asked as often as somebody wants to know.

With this module comes numpy, which takes half as long to import as all that a start needs besides: functions import it
with their first question.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.graph_snapshots import GraphSnapshots
from hallmark.aws.kept_manifests import KeptManifests
from hallmark.lineage.answering import Answerer
from hallmark.lineage.questions import Answer, Question
from hallmark.lineage.refreshing import refresh
from hallmark.people import HumanRules


class GraphInMemory:
    """The compact graph of a bucket, and what a table recorded since.

    Args:
        table: The lineage table.
        bucket: Name of the bucket with snapshots and manifests.
        s3: Client of S3.
        people: What the policy says of people.

    Raises:
        UnavailableError: S3 did not answer.
    """

    def __init__(self, table: DynamoLineageTable, bucket: str, s3: Any, people: HumanRules) -> None:
        self._table = table
        self._snapshots = GraphSnapshots(bucket, s3)
        self._rows = self._snapshots.load()
        self._answerer = Answerer(
            self._rows,
            self._table,
            clock=lambda: datetime.now(UTC),
            people=people,
            manifests=KeptManifests(bucket, s3),
        )

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self._rows)

    def refresh(self) -> int:
        """Add what was recorded since; return how many facts were new.

        Raises:
            UnavailableError: DynamoDB or S3 did not answer.
        """
        return refresh(self._rows, self._table, self._snapshots)

    def answer(self, question: Question) -> Answer:
        """Answer a question.

        Raises:
            InvalidInputError: A resume token that no answer gave, or whose answer has changed since.
        """
        return self._answerer.answer(question)
