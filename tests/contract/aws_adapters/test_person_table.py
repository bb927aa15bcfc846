"""The table of people over DynamoDB and KMS, as moto answers for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from hallmark.aws.person_table import REMEMBERED_SECONDS, PersonTable
from hallmark.erasure.forgetting import Request, forget, names_of, read_request
from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError
from hallmark.events.erasure import PersonForgotten
from hallmark.people import Person
from hallmark.pseudonyms import TOKEN, Trait, named
from tests.fakes.person_account import TABLE, create_persons, person_table

REGION = "us-east-1"
NOW = datetime(2026, 11, 29, 9, tzinfo=UTC)
OFFICER = Person(arn="arn:aws:iam::111122223333:user/officer")
REASON = "asked for on 2 November, article 17"
ANNA = named("Anna@Example.com")
ADDRESS = Trait(ANNA.person, "203.0.113.7")


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Bus:
    """Keeps what is published; refuses while it is down."""

    def __init__(self) -> None:
        self.published: list[PersonForgotten] = []
        self.is_down = False

    def publish(self, detail_type: str, event: PersonForgotten) -> None:
        if self.is_down:
            raise UnavailableError("publishing events: EventBridge is down")
        assert detail_type == "PersonForgotten"
        self.published.append(event)


@pytest.fixture(name="variables")
def created() -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        with mock_aws():
            yield create_persons(REGION)


@pytest.fixture
def people(variables: dict[str, str]) -> PersonTable:
    return person_table(variables, REGION)


def raw(table: str = TABLE) -> str:
    return str(boto3.client("dynamodb", region_name=REGION).scan(TableName=table)["Items"])


def test_a_token_stands_for_its_person_in_every_environment_and_however_the_name_is_written(
    people: PersonTable, variables: dict[str, str]
) -> None:
    token = people.tokens([ANNA])[ANNA]
    other = person_table(variables, REGION)

    assert TOKEN.fullmatch(token)
    assert other.tokens([named("anna@example.com ")]) == {named("anna@example.com "): token}
    assert other.known_token(named("ben")) is None
    assert other.names([token, f"person-{'0' * 32}"]) == {token: "Anna@Example.com"}


def test_the_table_holds_neither_name_nor_address(people: PersonTable) -> None:
    people.tokens([ANNA, ADDRESS])

    assert not any(text in raw().casefold() for text in ("anna", "example.com", "203.0.113"))


def test_a_warm_environment_reads_a_person_once_a_minute(variables: dict[str, str]) -> None:
    clock = Clock()
    people = person_table(variables, REGION, clock=clock)
    looks: list[Trait] = []
    find = people._find
    people._find = lambda trait: looks.append(trait) or find(trait)  # type: ignore[func-returns-value, method-assign]
    for _ in range(3):
        people.tokens([ANNA])
    assert looks == [ANNA]
    clock.seconds = REMEMBERED_SECONDS + 1
    people.tokens([ANNA])

    assert looks == [ANNA, ANNA]


def test_many_who_meet_a_new_person_at_once_agree_on_one_token(variables: dict[str, str]) -> None:
    tables = [person_table(variables, REGION) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda table: table.tokens([ANNA])[ANNA], tables))

    assert len(tokens) == 1
    assert tables[0].names(tokens) == {tokens.pop(): "Anna@Example.com"}


def test_who_loses_the_race_takes_the_token_of_who_won(
    people: PersonTable, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    won: list[str] = []
    make = people._make

    def meanwhile(trait: Trait) -> str | None:
        if not won:
            won.append(person_table(variables, REGION).tokens([trait])[trait])
        return make(trait)

    monkeypatch.setattr(people, "_make", meanwhile)

    assert people.tokens([ANNA])[ANNA] == won[0]


def test_forgetting_destroys_all_that_is_a_persons_and_nothing_else(people: PersonTable) -> None:
    bus, ben = Bus(), named("ben")
    tokens = people.tokens([ANNA, ADDRESS, ben])
    done = forget(read_request({"persons": ["anna@example.com"], "reason": REASON}), OFFICER, people, bus, NOW)

    assert done.tokens == 2
    assert people.names(tokens.values()) == {tokens[ben]: "ben"}
    assert people.known_token(ben) == tokens[ben]
    assert raw().count("PERSON#") == raw().count("TOKEN#") == 1


def test_what_is_told_of_it_names_who_asked_and_why_and_not_who_was_forgotten(people: PersonTable) -> None:
    bus = Bus()
    token = people.tokens([ANNA])[ANNA]
    forget(Request(persons=("Anna@example.com",), reason=REASON), OFFICER, people, bus, NOW)
    (told,) = bus.published
    text = told.model_dump_json().casefold()

    assert (told.by, told.reason, told.forgotten_at) == (OFFICER.arn, REASON, NOW)
    assert told.lineage.node.kind == "forgetting"
    assert "anna" not in text
    assert token not in text
    assert "officer" not in raw()


def test_a_new_act_of_a_forgotten_person_has_a_new_token_once_a_minute_is_over(variables: dict[str, str]) -> None:
    clock = Clock()
    people = person_table(variables, REGION, clock=clock)
    before = people.tokens([ANNA])[ANNA]
    forget(Request(persons=("anna@example.com",), reason=REASON), OFFICER, people, Bus(), NOW)
    clock.seconds = REMEMBERED_SECONDS + 1
    after = people.tokens([ANNA])[ANNA]

    assert before != after
    assert people.names([before, after]) == {after: "Anna@Example.com"}


def test_a_forgetting_that_could_not_be_told_is_told_first_by_the_next_call(people: PersonTable) -> None:
    bus, ben = Bus(), named("ben")
    tokens = people.tokens([ANNA, ben])
    bus.is_down = True
    for name in (ANNA.text, ben.text):
        with pytest.raises(UnavailableError):
            forget(Request(persons=(name,), reason=REASON), OFFICER, people, bus, NOW)
    # Nobody else is forgotten while that cannot be told.
    assert people.names(tokens.values()) == {tokens[ben]: "ben"}
    bus.is_down = False
    forget(Request(persons=(ben.text,), reason=REASON), OFFICER, people, bus, NOW)

    assert len({told.forgetting for told in bus.published}) == 2
    assert people.untold() == []


def test_nobody_by_that_name_is_said_and_nothing_is_told(people: PersonTable) -> None:
    bus = Bus()
    with pytest.raises(NotFoundError):
        forget(Request(persons=("nobody",), reason=REASON), OFFICER, people, bus, NOW)

    assert (bus.published, people.untold()) == ([], [])


def test_more_traits_than_one_transaction_holds_are_destroyed(people: PersonTable) -> None:
    traits = [ANNA, *(Trait(ANNA.person, f"2001:db8::{number:x}") for number in range(120))]
    people.tokens(traits)

    assert forget(Request(persons=(ANNA.text,), reason=REASON), OFFICER, people, Bus(), NOW).tokens == 121
    assert boto3.client("dynamodb", region_name=REGION).scan(TableName=TABLE)["Count"] == 0


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"persons": ["anna"], "reason": "Anna asked to be forgotten"}, "reason"),
        ({"persons": ["arn:aws:iam::111122223333:user/anna"], "reason": "as anna asked for it"}, "reason"),
        ({"persons": ["anna"], "reason": "why"}, "reason"),
        ({"persons": [], "reason": REASON}, "message.persons"),
        ({"persons": [" "], "reason": REASON}, "persons"),
        ("anna", "message"),
    ],
)
def test_a_request_that_would_keep_the_name_or_says_too_little_is_refused_without_repeating_it(
    message: object, field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_request(message)

    assert refused.value.field.startswith(field)
    assert "anna" not in str(refused.value).casefold()


def test_names_are_taken_out_of_arns() -> None:
    asked = Request(persons=("arn:aws:sts::111122223333:assumed-role/Science/anna", "ben@example.com"), reason=REASON)

    assert names_of(asked) == ("anna", "ben@example.com")


def test_an_identity_that_was_put_under_another_token_is_found_out(people: PersonTable) -> None:
    ben = named("ben")
    tokens = people.tokens([ANNA, ben])
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    keys = {who: {"pk": {"S": f"TOKEN#{tokens[who]}"}, "sk": {"S": "TOKEN"}} for who in (ANNA, ben)}
    sealed = dynamodb.get_item(TableName=TABLE, Key=keys[ANNA])["Item"]["sealed"]
    dynamodb.put_item(TableName=TABLE, Item={**keys[ben], "sealed": sealed})

    with pytest.raises((InvalidInputError, ClientError)):
        people.names([tokens[ben]])


def test_an_identity_that_somebody_sealed_anew_under_a_token_is_found_out(
    people: PersonTable, variables: dict[str, str]
) -> None:
    token = people.tokens([ANNA])[ANNA]
    forged = json.dumps({"text": "ben", "key": "A" * 43 + "="}).encode()
    sealed = boto3.client("kms", region_name=REGION).encrypt(
        KeyId=variables["PERSON_SEALING_KEY_ID"], Plaintext=forged, EncryptionContext={"token": token}
    )["CiphertextBlob"]
    item: dict[str, Any] = {"pk": {"S": f"TOKEN#{token}"}, "sk": {"S": "TOKEN"}, "sealed": {"B": sealed}}
    boto3.client("dynamodb", region_name=REGION).put_item(TableName=TABLE, Item=item)

    with pytest.raises(InvalidInputError, match="restore the table"):
        people.names([token])


def test_with_the_key_everybody_is_forgotten(people: PersonTable, variables: dict[str, str]) -> None:
    token = people.tokens([ANNA])[ANNA]
    kms = boto3.client("kms", region_name=REGION)
    gone = Stubber(kms)
    gone.add_client_error("decrypt", "KMSInvalidStateException", "pending deletion")
    with gone:
        dynamodb = boto3.client("dynamodb", region_name=REGION)
        assert PersonTable(TABLE, "", variables["PERSON_SEALING_KEY_ID"], dynamodb, lambda: kms).names([token]) == {}


def test_a_name_that_is_longer_than_any_is_refused(people: PersonTable) -> None:
    with pytest.raises(InvalidInputError):
        people.tokens([named("a" * 2_001)])
