"""Reviews, tasks and scores in DynamoDB (layout: ``docs/reviews.md``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError
from hallmark.reviews.ports import KeptReview
from hallmark.reviews.tasks import Review, ReviewOutcome, ReviewStatus, Score, Task, person_key

LISTED_INDEX = "listed"
"""Keys only: ``listed`` (what is listed, and how it stands) and ``at``; items are read afterwards, consistently."""
_OPEN, _ENDED = "reviews#open", "reviews#ended"
_KEYS_PER_READ = 100
_WRITES_PER_CALL = 25
"""BatchGetItem and BatchWriteItem (DynamoDB API reference)."""
_ATTEMPTS = 8

Item = dict[str, Any]


class ReviewItems:
    """The table of reviews and feedback: what both kinds of items need."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._table = table_name
        self._client = client

    def get(self, key: Item) -> Item | None:
        """Return an item; None where there is none."""
        with calling("reading the table of reviews"):
            found: Item | None = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return found

    def put_new(self, item: Item) -> bool:
        """Write an item, unless there is one of its key; tell whether it was written."""
        return self._holds(
            self._client.put_item,
            TableName=self._table,
            Item=item,
            ConditionExpression="attribute_not_exists(pk)",
        )

    def update(self, key: Item, change: str, condition: str, values: Item) -> bool:
        """Change an item if a condition holds; tell whether it did. ``#status`` stands for ``status``."""
        return self._holds(
            self._client.update_item,
            TableName=self._table,
            Key=key,
            UpdateExpression=change,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            **({"ExpressionAttributeNames": {"#status": "status"}} if "#status" in change + condition else {}),
        )

    def _holds(self, call: Any, **request: Any) -> bool:
        try:
            with calling("writing the table of reviews"):
                call(**request)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            if error_code(error) == "ValidationException":
                raise InvalidInputError("the item", "too large", "send less text: it has 400 KB at most") from error
            raise
        return True

    def write(self, items: Sequence[Item]) -> None:
        """Write items, whatever is there.

        Raises:
            UnavailableError: DynamoDB did not take them all.
        """
        for start in range(0, len(items), _WRITES_PER_CALL):
            left = {self._table: [{"PutRequest": {"Item": item}} for item in items[start : start + _WRITES_PER_CALL]]}
            for _ in range(_ATTEMPTS):
                with calling("writing the table of reviews"):
                    left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems", {})
                if not left:
                    break
            else:
                raise UnavailableError("writing the table of reviews: DynamoDB did not take all items")

    def query(self, pk: str, prefix: str = "") -> Iterator[Item]:
        """Yield the items of a partition, in the order of their keys."""
        request: Item = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)" if prefix else "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}, **({":prefix": {"S": prefix}} if prefix else {})},
            "ConsistentRead": True,
        }
        yield from self._pages(request)

    def listed(self, what: str, limit: int, *, newest_first: bool = False) -> list[Item]:
        """Return items that stand so, by time; what the index does not know yet comes the next time."""
        request: Item = {
            "TableName": self._table,
            "IndexName": LISTED_INDEX,
            "KeyConditionExpression": "listed = :listed",
            "ExpressionAttributeValues": {":listed": {"S": what}},
            "ScanIndexForward": not newest_first,
        }
        keys = [{name: item[name] for name in ("pk", "sk")} for item in islice(self._pages(request), limit)]
        return [item for item in self.read(keys) if item.get("listed", {}).get("S") == what]

    def count(self, what: str) -> int:
        """Return how many items stand so."""
        request: Item = {
            "TableName": self._table,
            "IndexName": LISTED_INDEX,
            "KeyConditionExpression": "listed = :listed",
            "ExpressionAttributeValues": {":listed": {"S": what}},
            "Select": "COUNT",
        }
        total = 0
        while True:
            with calling("counting in the table of reviews"):
                page = self._client.query(**request)
            total += int(page["Count"])
            if "LastEvaluatedKey" not in page:
                return total
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def read(self, keys: Sequence[Item]) -> list[Item]:
        """Return items by their keys, in that order; what is not there is left out.

        Raises:
            UnavailableError: DynamoDB did not give them all.
        """
        found: dict[tuple[str, str], Item] = {}
        for start in range(0, len(keys), _KEYS_PER_READ):
            left = {self._table: {"Keys": list(keys[start : start + _KEYS_PER_READ]), "ConsistentRead": True}}
            # A page has 16 MB at most: long texts take several (DynamoDB API reference, BatchGetItem).
            for _ in range(_ATTEMPTS):
                with calling("reading the table of reviews"):
                    answer = self._client.batch_get_item(RequestItems=left)
                found |= {(item["pk"]["S"], item["sk"]["S"]): item for item in answer["Responses"].get(self._table, [])}
                left = answer.get("UnprocessedKeys", {})
                if not left:
                    break
            else:
                raise UnavailableError("reading the table of reviews: DynamoDB did not give all items")
        wanted = [(key["pk"]["S"], key["sk"]["S"]) for key in keys]
        return [found[key] for key in wanted if key in found]

    def _pages(self, request: Item) -> Iterator[Item]:
        while True:
            with calling("reading the table of reviews"):
                page = self._client.query(**request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}


class DynamoReviews:
    """ReviewStore."""

    def __init__(self, table_name: str, client: Any) -> None:
        self._items = ReviewItems(table_name, client)

    def add_review(self, review: Review, tasks: Sequence[Task]) -> bool:
        """Keep a review whole: its tasks first, so that it is there with all of them or not at all."""
        partition = {"S": _partition(review.name)}
        self._items.write(
            [
                {"pk": partition, "sk": {"S": f"TASK#{review.draw}#{task.id}"}, "body": {"S": task.model_dump_json()}}
                for task in tasks
            ]
        )
        return self._items.put_new(
            {
                **_key(review.name),
                "body": {"S": review.model_dump_json()},
                "status": {"S": ReviewStatus.OPEN},
                "listed": {"S": _OPEN},
                "listed_at": {"S": stamp(review.requested_at)},
            }
        )

    def find_review(self, name: str) -> KeptReview:
        """Return a review.

        Raises:
            NotFoundError: There is none of that name.
        """
        item = self._items.get(_key(name))
        if item is None:
            raise NotFoundError(f"there is no review {name!r}: `hallmark review list` lists them")
        return _kept(item)

    def list_reviews(self, *, ended: bool, limit: int) -> list[KeptReview]:
        """Return those that are ended and told of, or those that are not; the latest first."""
        return [_kept(item) for item in self._items.listed(_ENDED if ended else _OPEN, limit, newest_first=True)]

    def tasks(self, review: Review) -> list[Task]:
        """Return the tasks of a review, in their order."""
        items = self._items.query(_partition(review.name), f"TASK#{review.draw}#")
        return [Task.model_validate_json(item["body"]["S"]) for item in items]

    def scores(self, name: str) -> list[Score]:
        """Return all scores of a review, with what was changed since."""
        return [Score.model_validate_json(item["body"]["S"]) for item in self._items.query(_partition(name), "SCORE#")]

    def add_score(self, name: str, score: Score) -> bool:
        """Keep a score; False where this person has given this revision already."""
        place = f"SCORE#{score.task}#{person_key(score.by)}#{score.revision:06d}"
        item = {"pk": {"S": _partition(name)}, "sk": {"S": place}, "body": {"S": score.model_dump_json()}}
        return self._items.put_new(item)

    def end(self, name: str, status: ReviewStatus, at: datetime, outcome: ReviewOutcome) -> bool:
        """Say how a review ended; False where it had ended before."""
        return self._items.update(
            _key(name),
            "SET #status = :status, ended_at = :at, outcome = :outcome",
            "#status = :open",
            {
                ":status": {"S": status},
                ":open": {"S": ReviewStatus.OPEN},
                ":at": {"S": stamp(at)},
                ":outcome": {"S": outcome.model_dump_json()},
            },
        )

    def told(self, name: str) -> None:
        """Say that everybody was told of a review's end."""
        self._items.update(_key(name), "SET listed = :ended", "attribute_exists(pk)", {":ended": {"S": _ENDED}})


def stamp(at: datetime) -> str:
    """Return a time that sorts as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _partition(name: str) -> str:
    return f"REVIEW#{name}"


def _key(name: str) -> Item:
    return {"pk": {"S": _partition(name)}, "sk": {"S": "REVIEW"}}


def _kept(item: Mapping[str, Any]) -> KeptReview:
    outcome = item.get("outcome")
    return KeptReview(
        review=Review.model_validate_json(item["body"]["S"]),
        status=ReviewStatus(item["status"]["S"]),
        ended_at=datetime.fromisoformat(item["ended_at"]["S"]) if "ended_at" in item else None,
        outcome=ReviewOutcome.model_validate_json(outcome["S"]) if outcome else None,
    )
