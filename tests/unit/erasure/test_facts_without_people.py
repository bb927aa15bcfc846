from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.events.gates import APPROVAL_DECIDED, GATE_OVERRIDDEN
from hallmark.lineage import hiding
from hallmark.lineage.hiding import without_people
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeKind, NodeRef, NodeState, Origin, canonical_fact
from hallmark.lineage.recording import record_event
from hallmark.people import HUMAN_ACTORS, Person
from hallmark.pseudonyms import TOKEN, plain_name
from tests.component.query_lineage.test_who_did_what import STATE
from tests.fakes.api_calls import ACCOUNT, IDENTITIES, arn, call, sso, user
from tests.fakes.memory_store import MemoryStore, surroundings
from tests.unit.erasure.conftest import KnownPeople
from tests.unit.gate_actions.test_what_lineage_is_told import KIM, TOLD

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
PACKAGE = arn("model-package", "wine/3")
APPROVAL = {"modelPackageArn": PACKAGE, "modelApprovalStatus": "Approved"}


def recorded(event: dict[str, Any], people: KnownPeople, **options: Any) -> Fact:
    return record_event(event, surroundings(MemoryStore(), people=people, **options)).fact


def fact_of(kind: NodeKind, identifier: str, **attributes: Any) -> Fact:
    node = NodeRef(kind=kind, id=identifier)
    return Fact(subject=node, origin=Origin.EVENT, states=(NodeState(node=node, at=AT, attributes=attributes),))


def told(fact: Fact) -> dict[str, Any]:
    return dict(fact.states[0].attributes)


def written(fact: Fact) -> str:
    return canonical_fact(fact).body.decode()


@pytest.mark.parametrize("identity", IDENTITIES)
def test_no_name_that_cloudtrail_tells_of_a_person_is_in_the_fact(identity: str, people: KnownPeople) -> None:
    who = IDENTITIES[identity]["userIdentity"]
    fact = recorded(call("UpdateModelPackage", IDENTITIES[identity], AT, APPROVAL, eventID="1"), people)
    names = {
        who.get("userName"),
        who.get("arn", "").rpartition("/")[2],
        who.get("principalId", "").rpartition(":")[2],
        who.get("onBehalfOf", {}).get("userId"),
    } - {None, "", who.get("accountId"), who.get("arn")}

    if told(fact)["actor"] in HUMAN_ACTORS - {"root"}:
        assert names
        assert [name for name in names if name in written(fact)] == []
        assert TOKEN.fullmatch(told(fact)["source_ip"])
    else:
        assert people.asked == []


def test_a_person_is_one_token_by_whichever_way_aws_names_them(people: KnownPeople) -> None:
    acts = [
        recorded(call("UpdateModelPackage", user("Anna"), AT, APPROVAL), people),
        recorded(call("UpdateModelPackage", sso("anna"), AT, APPROVAL), people),
        recorded(call("UpdateModelPackage", user("ben"), AT, APPROVAL), people),
    ]
    callers = [Person(arn=told(act)["by"], principal=told(act).get("principal", "")) for act in acts]

    assert callers[0].is_same_as(callers[1])
    assert not callers[0].is_same_as(callers[2])
    assert {told(act)["by_name"] for act in acts[:2]} == {callers[0].name}
    assert TOKEN.fullmatch(callers[0].name)


def test_the_node_of_a_user_is_keyed_by_the_token_and_the_role_stays_readable(people: KnownPeople) -> None:
    fact = recorded(call("UpdateModelPackage", sso("anna@example.com"), AT, APPROVAL), people)
    (caller,) = {edge.source.id for edge in fact.edges if edge.source.kind is NodeKind.USER}

    token = people.kept[next(trait for trait in people.kept if trait.text == "anna@example.com")]
    assert caller == told(fact)["by"]
    assert caller.endswith(f"assumed-role/AWSReservedSSO_DataScience_0123456789abcdef/{token}")
    assert told(fact)["principal"] == f"AROAEXAMPLE:{token}"


def test_all_that_sagemaker_tells_of_who_made_a_package_is_that_persons(people: KnownPeople) -> None:
    name = "anna@example.com"
    who = {"IamIdentity": {"Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}", "PrincipalId": "AIDAJ45Q7YFFAREXAMPLE"}}
    detail = {
        **STATE["detail"],
        "CreatedBy": who,
        "LastModifiedBy": who,
        "ApprovalDescription": f"{name} has tried it",
    }
    text = written(recorded({**STATE, "detail": detail}, people))

    assert name not in text
    assert "AIDAJ45Q7YFFAREXAMPLE" not in text
    assert {trait.person for trait in people.kept} == {name}


def test_machines_keep_their_names_and_are_kept_nowhere(people: KnownPeople) -> None:
    fact = recorded(call("AddTags", user("ci-deploy"), AT, {"resourceArn": PACKAGE}), people, machines=("ci-*",))

    assert told(fact)["by_name"] == "ci-deploy"
    assert people.asked == []


def test_addresses_in_texts_and_tags_and_names_of_owners_are_hidden(people: KnownPeople) -> None:
    fact = without_people(
        fact_of(
            NodeKind.ENDPOINT,
            "arn:aws:sagemaker:eu-west-1:111122223333:endpoint/live",
            name="live",
            tags={"owner": "Anna Example <anna@example.com>", "team": "wine", "contact": "ben"},
            reason="asked by anna@example.com, and ben agreed.",
            failure_reason="User: arn:aws:sts::111122223333:assumed-role/Science/carla is not authorized.",
        ),
        people,
    )
    text = written(fact)

    assert not any(name in text for name in ("anna@", "Anna Example", "ben", "carla"))
    assert told(fact)["tags"]["team"] == "wine"
    assert told(fact)["failure_reason"].endswith(f"/{_of(people, 'carla')} is not authorized.")
    people.forget("anna@example.com")
    assert {trait.text for trait in people.kept} == {"ben", "carla"}


def _of(people: KnownPeople, name: str) -> str:
    return next(token for trait, token in people.kept.items() if trait.text == name)


@pytest.mark.parametrize(
    "attributes",
    [
        {"code": {"repository": "git@github.com:example/wine.git"}, "note": "ssh://git@example.com/wine.git"},
        {"image": {"uri": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/serve@sha256:ab"}},
        {"hyperparameters": {"owner": "anna@example.com"}, "environment": {"USER": "anna@example.com"}},
        {"inputs": [{"uri": "s3://people/anna@example.com/rows.csv"}]},
        {"role_arn": "arn:aws:iam::111122223333:role/anna", "created_by": "arn:aws:iam::111122223333:role/Science"},
        {"created_by": "arn:aws:sts::111122223333:assumed-role/Execution/SageMaker"},
        {"requirement": "wine@1.4.2", "by": "gate promote", "actor": "machine", "session": "hallmark-set-stage"},
    ],
)
def test_what_machines_read_again_and_what_is_nobodys_stays(attributes: dict[str, Any], people: KnownPeople) -> None:
    fact = fact_of(NodeKind.TRAINING_JOB, "arn:aws:sagemaker:eu-west-1:111122223333:training-job/t", **attributes)

    assert without_people(fact, people) is fact
    assert people.asked == []


def test_a_name_that_a_note_carries_goes_with_the_person_and_that_of_a_resource_stays(people: KnownPeople) -> None:
    by = "arn:aws:iam::111122223333:user/wine"
    note = without_people(fact_of(NodeKind.REVIEW, "hallmark:review/note-1", name="note of wine", by=by), people)
    model = without_people(fact_of(NodeKind.MODEL, "arn:aws:sagemaker:x:1:model/wine", name="wine", by=by), people)

    assert told(note)["name"] == f"note of {_of(people, 'wine')}"
    assert told(model)["name"] == "wine"


@pytest.mark.parametrize("detail_type", [APPROVAL_DECIDED, GATE_OVERRIDDEN])
def test_what_hallmark_itself_tells_of_a_persons_word_names_nobody(detail_type: str, people: KnownPeople) -> None:
    entry = TOLD[detail_type].to_entry("bus", detail_type)
    event = {
        "id": "1",
        "source": entry["Source"],
        "detail-type": detail_type,
        "account": ACCOUNT,
        "time": "2026-11-23T12:00:00Z",
        "detail": json.loads(entry["Detail"]),
    }
    fact = recorded(event, people)

    assert KIM.name not in written(fact)
    assert Person(arn=told(fact)["by"]).name == _of(people, KIM.name)


def test_members_that_are_called_by_a_persons_address_are_hidden(people: KnownPeople) -> None:
    fact = without_people(fact_of(NodeKind.REVIEW, "hallmark:review/r", means={"anna@example.com": 0.5}), people)

    assert told(fact)["means"] == {_of(people, "anna@example.com"): 0.5}


def test_who_started_a_pipeline_is_hidden_and_what_is_known_of_a_caller_is_not(people: KnownPeople) -> None:
    run = without_people(fact_of(NodeKind.RUN, "github:example/wine/runs/1", actor="octocat", author="octocat"), people)
    act = without_people(fact_of(NodeKind.ACTION, "hallmark:action/cloudtrail-1", actor="root"), people)

    assert told(run) == dict.fromkeys(("actor", "author"), _of(people, "octocat"))
    assert told(act) == {"actor": "root"}


def test_what_is_longer_than_any_name_is_a_text(people: KnownPeople) -> None:
    text = "written by many, " * 20 + "and by anna@example.com"
    fact = without_people(fact_of(NodeKind.RUN, "tool:run", author=text, reason=f"…:user/{'a' * 300}"), people)

    assert told(fact)["author"] == text.replace("anna@example.com", _of(people, "anna@example.com"))


def test_another_tools_user_is_hidden_by_name_alone(people: KnownPeople) -> None:
    node = NodeRef(kind=NodeKind.USER, id="mlflow:tracking.example.com/users/anna")
    run = NodeRef(kind=NodeKind.RUN, id="mlflow:tracking.example.com/runs/1")
    edge = Edge(source=node, target=run, type=EdgeType.ASSOCIATED_WITH, valid_from=AT)
    fact = without_people(
        Fact(subject=run, origin=Origin.EVENT, states=(NodeState(node=run, at=AT),), edges=(edge,)), people
    )

    assert fact.edges[0].source.id == f"mlflow:tracking.example.com/users/{_of(people, 'anna')}"


NAMES = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789.+=_-", min_size=1, max_size=40).filter(
    lambda name: name[-1] not in ".," and not TOKEN.fullmatch(name) and plain_name(name)
)


@given(names=st.lists(NAMES, min_size=1, max_size=4), seed=st.integers())
def test_any_order_and_repetition_gives_the_same_facts_and_hiding_twice_changes_nothing(
    names: list[str], seed: int
) -> None:
    people = KnownPeople()
    events = [
        call("UpdateModelPackage", identity(name), AT, APPROVAL, eventID=f"{place}-{kind}")
        for place, name in enumerate(names)
        for kind, identity in enumerate((user, sso))
    ]
    first = {written(recorded(event, people)) for event in events}
    shuffled = events * 2
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - an order, no secret
    again = {written(recorded(event, people)) for event in shuffled}

    assert again == first
    for body in first:
        fact = Fact.model_validate_json(body)
        assert without_people(fact, people) is fact or written(without_people(fact, people)) == body


@given(name=NAMES)
def test_no_long_name_is_left_anywhere_in_the_fact_of_an_act(name: str) -> None:
    unlikely = f"{name}-q7x9z"
    people = KnownPeople()
    request = {**APPROVAL, "approvalDescription": f"as {unlikely} said"}
    act = call("UpdateModelPackage", sso(unlikely), AT, request, eventID="1")

    assert unlikely.casefold() not in written(recorded(act, people)).casefold()


def test_after_somebody_was_forgotten_a_new_act_of_theirs_has_a_new_token(people: KnownPeople) -> None:
    before = recorded(call("UpdateModelPackage", user("anna"), AT, APPROVAL), people)
    people.forget("anna")
    after = recorded(call("UpdateModelPackage", user("anna"), AT, APPROVAL), people)

    assert told(before)["by_name"] != told(after)["by_name"]
    assert json.loads(written(before))["subject"] == json.loads(written(after))["subject"]
    assert ACCOUNT in told(after)["by"]


@pytest.mark.parametrize("word", sorted(hiding._NAMES))
def test_every_attribute_that_is_a_name_is_found_by_its_mark(word: str, people: KnownPeople) -> None:
    for spelling in (word, word.title()):
        fact = without_people(
            fact_of(NodeKind.ENDPOINT, "arn:aws:sagemaker:x:1:endpoint/e", **{spelling: "anna"}), people
        )

        assert told(fact)[spelling] == _of(people, "anna")


WORDS = st.sampled_from(
    [*sorted(hiding._NAMES), "actor", "principal", "PrincipalId", "source_ip", "reason", "by", "x", "Arn"]
)
LEAVES = st.sampled_from(
    [
        None,
        3,
        0.5,
        "",
        " ",
        "anna-q7x9z",
        "person",
        "anna-q7x9z@example.com",
        "arn:aws:iam::1:user/anna-q7x9z",
        "192.0.2.1",
        "Anna <anna-q7x9z@example.com>",
        "Anna <anna@localhost>",
        "AIDAJ45Q7YFFAREXAMPLE",
        "AROAIDPPEZS35WEXAMPLE:anna-q7x9z",
        "session",
    ]
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4))


@given(attributes=st.dictionaries(WORDS, VALUES, max_size=6))
def test_whatever_a_tool_sends_is_hidden_once_and_addresses_are_never_left(attributes: dict[str, Any]) -> None:
    people = KnownPeople()
    fact = without_people(fact_of(NodeKind.RUN, "tool:run", **attributes), people)
    again = without_people(fact, people)

    assert written(again) == written(fact)
    assert "@example.com" not in written(fact)
    assert "user/anna" not in written(fact)
