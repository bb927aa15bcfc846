from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hallmark.erasure import forgetting
from hallmark.erasure.forgetting import Request
from hallmark.events.erasure import PERSON_FORGOTTEN
from hallmark.lineage.answering import Answerer
from hallmark.lineage.recording import record_event
from hallmark.lineage.revealing import answer_asked, revealed, revealed_text, with_known_tokens, with_tokens
from hallmark.lineage.rows import GraphRows
from hallmark.people import HumanRules, Person
from hallmark.pseudonyms import named, spoken_person, tokens_in
from tests.component.query_lineage.test_who_did_what import STATE
from tests.fakes.api_calls import ACCOUNT, arn, call, sso, user
from tests.fakes.memory_store import MemoryStore, surroundings
from tests.unit.erasure.conftest import KnownPeople

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
PACKAGE = arn("model-package", "wine/3")
APPROVAL = {
    "modelPackageArn": PACKAGE,
    "modelApprovalStatus": "Approved",
    "approvalDescription": "as a@b.example said",
}


def made_by(name: str) -> dict[str, Any]:
    at, answer = AT - timedelta(days=1), {"modelPackageArn": PACKAGE}
    return call("CreateModelPackage", user(name), at, {}, answer, eventID="2")


def forgotten_at(at: datetime) -> dict[str, Any]:
    request = Request(persons=("somebody",), reason="asked for, article 17")
    told = forgetting.event_of(request, Person(arn=f"arn:aws:iam::{ACCOUNT}:user/officer"), at)
    detail = told.model_dump(mode="json", by_alias=True, exclude_none=True)
    head = {"id": "3", "source": "hallmark", "detail-type": PERSON_FORGOTTEN, "account": ACCOUNT}
    return {**head, "time": at.isoformat(), "detail": detail}


def asking(people: KnownPeople, store: MemoryStore | None = None) -> Any:
    if store is None:
        store = MemoryStore()
        for event in (call("UpdateModelPackage", sso("anna@example.com"), AT, APPROVAL, eventID="1"), made_by("ben")):
            record_event(event, surroundings(store, people=people, account=ACCOUNT))
    rows = GraphRows()
    rows.add(store.since(None))
    rules = HumanRules(revealed=lambda text: revealed_text(text, people))
    answerer = Answerer(rows, store, clock=lambda: AT + timedelta(days=1), people=rules)

    def ask(**question: Any) -> dict[str, Any]:
        return answer_asked(question, answerer.answer, people)

    return ask


def test_an_answer_names_people_by_their_names_in_arns_too(people: KnownPeople) -> None:
    acts = asking(people)(ask="who", node=PACKAGE)["acts"]

    assert [act["name"] for act in acts] == ["anna@example.com", "ben"]
    assert acts[0]["by"].endswith("/anna@example.com")
    assert acts[0]["why"] == APPROVAL["approvalDescription"]
    assert "person-" not in json.dumps(acts)


def test_who_keeps_what_is_answered_can_ask_for_tokens(people: KnownPeople) -> None:
    acts = asking(people)(ask="who", node=PACKAGE, people="tokens")["acts"]

    assert {act["name"] for act in acts} <= set(people.kept.values())
    assert "anna" not in json.dumps(acts)


def test_a_person_can_be_asked_for_by_name_by_arn_and_as_a_user(people: KnownPeople) -> None:
    ask = asking(people)
    whole = f"arn:aws:iam::{ACCOUNT}:user/ben"
    answers = [ask(ask="who", node=node) for node in (whole, "user:ben", "ben", "Ben")]

    assert [answer.get("node", {}).get("key") for answer in answers] == [whole] * 4


def test_of_a_forgotten_person_an_answer_says_so_and_the_others_stay(people: KnownPeople) -> None:
    ask = asking(people)
    people.forget("anna@example.com")
    anna, ben = ask(ask="who", node=PACKAGE)["acts"]

    assert anna["name"].startswith("forgotten person ")
    assert "anna" not in json.dumps(anna)
    assert ben["name"] == "ben"
    assert ask(ask="who", node=anna["by"])["acts"][0]["key"] == anna["key"]
    assert ask(ask="who", node="anna@example.com")["answer"] == "candidates"


def test_whose_word_an_approval_was_is_found_on_tokens_before_and_after(people: KnownPeople) -> None:
    ask = asking(people)
    before = ask(ask="approvals", everything=True)["approved"]
    people.forget("anna@example.com")
    after = ask(ask="approvals", everything=True)["approved"]

    assert [each["finding"] for each in before] == [each["finding"] for each in after]


def findings(people: KnownPeople, *steps: Any) -> list[tuple[str, bool]]:
    """Record events, forget who is named between them, and return whose word the approvals are found to be."""
    store = MemoryStore()
    package = {**STATE, "account": ACCOUNT}
    for step in (package, *steps):
        if isinstance(step, str):
            people.forget(step)
        elif isinstance(step, tuple):
            record_event(step[0], surroundings(store, account=ACCOUNT))
        else:
            record_event(step, surroundings(store, people=people, account=ACCOUNT))
    approved = asking(people, store)(ask="approvals", everything=True)["approved"]
    return [(each["finding"], each["accepted"]) for each in approved]


APPROVED_BY_ANNA = call("UpdateModelPackage", user("anna"), AT, APPROVAL, eventID="1")
BETWEEN = forgotten_at(AT - timedelta(hours=2))


def test_who_was_forgotten_between_making_and_approving_is_not_taken_for_two_people(people: KnownPeople) -> None:
    assert findings(people, made_by("anna"), "anna", BETWEEN, APPROVED_BY_ANNA) == [("author unknown", False)]


def test_that_somebody_else_was_forgotten_meanwhile_changes_nothing(people: KnownPeople) -> None:
    assert findings(people, made_by("ben"), BETWEEN, APPROVED_BY_ANNA) == [("person", True)]
    assert findings(people, made_by("anna"), BETWEEN, APPROVED_BY_ANNA) == [("author", False)]


def test_that_both_were_forgotten_long_afterwards_changes_nothing(people: KnownPeople) -> None:
    later = forgotten_at(AT + timedelta(hours=3))

    assert findings(people, made_by("ben"), APPROVED_BY_ANNA, "anna", "ben", later) == [("person", True)]


def test_an_author_in_a_fact_from_before_people_were_kept_apart_is_still_the_author(people: KnownPeople) -> None:
    assert findings(people, (made_by("anna"),), APPROVED_BY_ANNA) == [("author", False)]
    assert findings(people, (made_by("ben"),), APPROVED_BY_ANNA) == [("person", True)]
    assert findings(people, (made_by("anna"),), APPROVED_BY_ANNA, "anna") == [("author unknown", False)]


def test_who_acted_only_before_people_were_kept_apart_is_found_by_name(people: KnownPeople) -> None:
    store = MemoryStore()
    record_event(made_by("ben"), surroundings(store, account=ACCOUNT))
    people.tokens([named("ben")])

    assert asking(people, store)(ask="who", node=f"arn:aws:iam::{ACCOUNT}:user/ben")["acts"][0]["name"] == "ben"


def test_a_pattern_of_a_machine_also_matches_what_was_recorded_before_it_was_one(people: KnownPeople) -> None:
    token = people.tokens([named("robot")])[named("robot")]
    patterns = ("robot", "arn:aws:iam::*:user/robot", "ci-*", "unknown")

    assert with_known_tokens(patterns, people) == (
        *("robot", token, "arn:aws:iam::*:user/robot", f"arn:aws:iam::*:user/{token}", "ci-*", "unknown"),
    )


def test_nobody_becomes_known_because_somebody_asks_for_them(people: KnownPeople) -> None:
    asked = {"ask": "who", "node": "user:nobody", "limit": 3}

    assert with_tokens(asked, people) == asked
    assert people.kept == {}


@given(names=st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=5, unique=True))
def test_whatever_a_name_is_made_of_an_answer_stays_json(names: list[str]) -> None:
    people = KnownPeople()
    traits = [named(name) for name in names]
    tokens = list(people.tokens(traits).values())
    document = {"whole": tokens, "within": [f"arn:aws:iam::1:user/{token}" for token in tokens]}
    shown = json.loads(revealed(json.dumps(document), people))

    assert len(tokens_in(json.dumps(document))) == len(set(tokens))
    assert shown["whole"] == [people.names([token])[token] for token in tokens]
    assert shown["within"] == [f"arn:aws:iam::1:user/{people.names([token])[token]}" for token in tokens]


def test_on_a_screen_a_token_in_an_arn_is_somebody_forgotten_too() -> None:
    token = f"person-1a2b3c4d{'0' * 24}"

    assert spoken_person(f"arn:aws:iam::1:user/{token}") == "arn:aws:iam::1:user/forgotten person 1a2b3c4d"
    assert spoken_person("arn:aws:iam::1:user/anna") == "arn:aws:iam::1:user/anna"
