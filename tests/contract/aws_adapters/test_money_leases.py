"""Money that invocations hold when they die, against moto's DynamoDB: it comes back, and nothing is spent twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from threading import Lock
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from hallmark.aws.evaluation_calls import DynamoAnswerBook, DynamoPurse
from hallmark.aws.money_leases import Lease
from hallmark.errors import UnavailableError
from hallmark.evaluation.asking import LANES, Asker, priced
from hallmark.evaluation.plans import worst_cost_usd
from hallmark.evaluation.ports import AnswerKey, NoReplyError, Outcome, Progress
from hallmark.evaluation.results import Answer
from tests.contract.aws_adapters.evaluation_table import TABLE, create_table
from tests.fakes.evaluation_run import (
    NOW,
    VARIANT,
    CountedModels,
    KilledError,
    MemoryPace,
    SteppingClock,
    questions,
)

INVOCATION = timedelta(minutes=15)
OVER = INVOCATION + timedelta(minutes=3)
WORST = worst_cost_usd(VARIANT, questions(1)[0].case)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        create_table(client)
        yield client


class Mortal:
    """A client that dies with its process before or after a call, and counts calls."""

    def __init__(self, client: Any, dies_at: int | None = None, *, afterwards: bool = False) -> None:
        self._client = client
        self._dies_at = dies_at
        self._afterwards = afterwards
        self._lock = Lock()
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            with self._lock:
                self.calls[name] += 1
                number = self.calls.total()
                if self._dies_at is not None and number > self._dies_at - (not self._afterwards):
                    raise KilledError
                answer = getattr(self._client, name)(**request)
                if number == self._dies_at:
                    raise KilledError
                return answer

        return call


class World:
    """One run's money, its invocations, and what models were really paid."""

    def __init__(self, dynamodb: Any, run: str, cap_usd: float, output_tokens: int = 5) -> None:
        self.dynamodb = dynamodb
        self.run = run
        self.cap_usd = cap_usd
        self.clock = SteppingClock(remaining_seconds=1e9)
        self.models = CountedModels(output_tokens=output_tokens)
        self._holders = 0
        dynamodb.put_item(
            TableName=TABLE, Item={"pk": {"S": f"RUN#{run}"}, "sk": {"S": "RUN"}, "committed_nanousd": {"N": "0"}}
        )

    def purse(self, client: Any = None) -> DynamoPurse:
        return self._parts(client)[0]

    def book(self) -> DynamoAnswerBook:
        return self._parts(None)[1]

    def _parts(self, client: Any) -> tuple[DynamoPurse, DynamoAnswerBook]:
        self._holders += 1
        lease = Lease(f"h{self._holders}", self.clock.now() + INVOCATION)
        client = client or self.dynamodb
        purse = DynamoPurse(TABLE, client, self.run, self.cap_usd, lease, self.clock.now)
        return purse, DynamoAnswerBook(TABLE, client, self.run, lease)

    def asker(self, client: Any = None) -> Asker:
        purse, book = self._parts(client)
        return Asker(
            models=self.models,
            book=book,
            purse=purse,
            pace=MemoryPace(),
            clock=self.clock,
            deadline=NOW + timedelta(days=7),
            random=Random(0),  # noqa: S311 - waits, not secrets
        )

    def pass_by(self, time: timedelta) -> None:
        self.clock.time += time

    def item(self) -> dict[str, Any]:
        key = {"pk": {"S": f"RUN#{self.run}"}, "sk": {"S": "RUN"}}
        found: dict[str, Any] = self.dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
        return found

    def usd(self, what: str) -> float:
        return int(self.item().get(f"{what}_nanousd", {"N": "0"})["N"]) / 1e9


def answered(usd: float) -> Outcome:
    return Outcome(
        Answer(
            text="yes", stop_reason="end", input_tokens=1, output_tokens=1, latency_ms=1, cost_usd=usd, answered_at=NOW
        ),
        None,
    )


def key(number: int) -> AnswerKey:
    return AnswerKey("nova", "facts", f"c{number}", 0)


def test_money_of_a_live_holder_is_never_taken(dynamodb: Any) -> None:
    world = World(dynamodb, "alive", 1.0)
    world.purse().reserve(1.0, 0.0, Progress())
    world.pass_by(INVOCATION - timedelta(seconds=1))

    other = world.purse()

    assert other.settle(0.0, Progress()) == pytest.approx(1.0)
    assert other.reserve(0.1, 0.0, Progress()) is False


def test_money_that_a_dead_holder_took_and_announced_nothing_for_is_there_again(dynamodb: Any) -> None:
    world = World(dynamodb, "silent", 1.0)
    world.purse().reserve(1.0, 0.0, Progress())
    world.pass_by(OVER)

    other = world.purse()

    assert other.reserve(0.5, 0.0, Progress()) is False
    assert other.settle(0.0, Progress()) == pytest.approx(1.0)
    assert other.reserve(1.0, 0.0, Progress()) is True


def test_calls_of_the_dead_cost_what_is_recorded_and_at_most_what_they_can_where_nothing_is(dynamodb: Any) -> None:
    world = World(dynamodb, "half", 1.0)
    purse, book = world._parts(None)
    purse.reserve(0.9, 0.0, Progress())
    book.announce({key(1): 0.3, key(2): 0.3, key(3): 0.3})
    book.record(key(1), answered(0.1))
    book.withdraw([key(3)])
    world.pass_by(OVER)

    world.purse().settle(0.0, Progress())

    assert [world.usd("committed"), world.usd("spent")] == pytest.approx([0.4, 0.4])


def test_what_the_dead_held_comes_back_once(dynamodb: Any) -> None:
    world = World(dynamodb, "once", 1.0)
    world.purse().reserve(0.8, 0.0, Progress())
    world.pass_by(OVER)

    for _ in range(3):
        world.purse().settle(0.0, Progress())

    assert world.usd("committed") == 0
    assert not [name for name, value in world.item().items() if name.startswith("held") and value != {"N": "0"}]


def test_an_invocation_that_ends_well_leaves_nothing_to_take_back_and_no_trace(dynamodb: Any) -> None:
    world = World(dynamodb, "well", 1.0)
    world.asker().ask_all(questions(20))
    spent = world.usd("spent")
    world.pass_by(OVER)

    world.asker().ask_all(questions(40)[20:])

    assert world.usd("committed") == pytest.approx(world.usd("spent"))
    assert world.usd("spent") == pytest.approx(2 * spent)
    assert len([name for name in world.item() if name.startswith("held")]) == 1, "of the living alone"
    leases = dynamodb.query(
        TableName=TABLE, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "LEASE#well"}}
    )
    assert leases["Count"] == 0


def test_leases_cost_one_request_a_batch(dynamodb: Any) -> None:
    world, counted = World(dynamodb, "counted", 1.0), Mortal(dynamodb)

    world.asker(counted).ask_all(questions(50))

    groups = -(-50 // LANES)
    assert counted.calls == {
        "batch_get_item": 1,
        "update_item": groups + 1,
        "transact_write_items": groups,
        "put_item": 50,
        "batch_write_item": 1,
    }


def test_money_for_a_call_without_a_reply_counts_as_spent(dynamodb: Any) -> None:
    world = World(dynamodb, "vanished", 1.0)

    def vanish(question: str) -> str:
        raise NoReplyError("read timed out")

    world.models.behaviour = vanish
    world.asker().ask_all(questions(3))

    assert world.usd("committed") == world.usd("spent") == pytest.approx(3 * WORST, abs=1e-8)


def test_money_for_calls_whose_answers_could_not_be_recorded_is_not_given_back(dynamodb: Any) -> None:
    world = World(dynamodb, "unrecorded", 1.0)

    class Broken(Mortal):
        def __getattr__(self, name: str) -> Callable[..., Any]:
            if name == "put_item":
                raise UnavailableError("the table is away")
            return super().__getattr__(name)

    with pytest.raises(UnavailableError):
        world.asker(Broken(dynamodb)).ask_all(questions(LANES))

    assert world.usd("committed") == pytest.approx(LANES * WORST, abs=1e-8)
    world.pass_by(OVER)
    world.purse().settle(0.0, Progress())
    assert world.usd("spent") == pytest.approx(LANES * WORST, abs=1e-8)


def test_a_run_that_ran_short_because_of_the_dead_goes_on_after_their_time(dynamodb: Any) -> None:
    world = World(dynamodb, "short", LANES * WORST)
    world.purse().reserve(LANES * WORST, 0.0, Progress())

    before = world.asker().ask_all(questions(4))
    world.pass_by(OVER)
    after = world.asker().ask_all(questions(4))

    assert not any(outcome.answer for outcome in before.values())
    assert all(outcome.answer for outcome in after.values())


def test_what_the_dead_paid_is_counted_when_nothing_is_left_to_ask(dynamodb: Any) -> None:
    world = World(dynamodb, "complete", 1.0)
    with pytest.raises(KilledError):  # between the last recorded answer and the account of what they cost
        world.asker(Mortal(dynamodb, 3 + LANES, afterwards=True)).ask_all(questions(LANES))
    world.pass_by(OVER)

    world.asker().ask_all(questions(LANES))

    paid = LANES * cost_of_an_answer(5)
    assert world.models.calls.total() == LANES
    assert [world.usd("spent"), world.usd("committed")] == pytest.approx([paid, paid], abs=1e-7)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(deaths=[(12, True, 0), (13, True, 0), (4, False, 0)], affordable=11, full=False)
@given(
    deaths=st.lists(st.tuples(st.integers(1, 24), st.booleans(), st.sampled_from([0, 5, 20])), min_size=1, max_size=3),
    affordable=st.integers(1, 24),
    full=st.booleans(),
)
def test_whenever_processes_die_no_more_than_the_cap_is_paid_and_what_is_free_can_be_spent(
    dynamodb: Any, deaths: list[tuple[int, bool, int]], affordable: int, full: bool
) -> None:
    tokens = VARIANT.inference.max_tokens if full else 5
    # moto copies all tables for each transaction: a small one is quick.
    dynamodb.delete_table(TableName=TABLE)
    create_table(dynamodb)
    world = World(dynamodb, "mortal", affordable * WORST, output_tokens=tokens)
    batches = [questions(20)[:10], questions(20)[10:]]
    for place, (death, afterwards, minutes) in enumerate(deaths):
        try:
            world.asker(Mortal(dynamodb, death, afterwards=afterwards)).ask_all(batches[place % 2])
        except KilledError:
            world.pass_by(timedelta(minutes=minutes))
    world.pass_by(OVER)

    for batch in batches:
        world.asker().ask_all(batch)

    paid = world.models.calls.total() * cost_of_an_answer(tokens)
    rounding = 1e-7
    assert max(world.models.calls.values(), default=0) <= 1
    assert paid <= world.usd("spent") + rounding
    assert world.usd("committed") == pytest.approx(world.usd("spent"), abs=rounding)
    assert world.usd("spent") <= world.cap_usd + rounding
    assert world.purse().reserve(world.cap_usd - world.usd("spent") - rounding, 0.0, Progress()) is True


def cost_of_an_answer(output_tokens: int) -> float:
    answer = CountedModels(output_tokens=output_tokens).ask(
        "", questions(1)[0].case.conversation, None, VARIANT.inference, ""
    )
    return priced(answer, VARIANT).cost_usd or 0.0
