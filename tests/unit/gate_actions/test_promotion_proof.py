"""Nothing is moved without a signed verdict about the model, the data, the policy and the evaluations of now."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from hallmark.attestations.envelopes import read_envelope, seal
from hallmark.attestations.keeping import envelope_path, find, revoke, subject_path
from hallmark.attestations.revoking import revocation_statement
from hallmark.attestations.statements import VERIFICATION_SUMMARY
from hallmark.attestations.verdicts import verdict_statement
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.gates.origins import LineageEvidence
from tests.fakes.foreign_dsse import accepts
from tests.fakes.proved_orders import ATTESTOR, KIM, LATER, REPORT, Change, World, policy, trained_on
from tests.fakes.statement_keys import FakeKms, StatementKey
from tests.fakes.told_verdicts import PACKAGE


@pytest.fixture
def world() -> World:
    return World()


def test_a_signed_verdict_about_what_is_there_now_moves_a_model(world: World) -> None:
    told = world.verdict()
    kept = world.signed(told)

    assert world.proof.refusal(world.order(told), world.package, world.now) is None
    assert accepts(kept.envelope.to_json(), world.key.key)


def set_package(world: World) -> None:
    assert world.package is not None
    world.package = world.package.model_copy(update={"fingerprint": "0" * 64})


def set_policy(world: World) -> None:
    world.policy = policy(confidence=0.9)


def drop_gate_setting(world: World) -> None:
    world.policy = policy(max_evidence_age=None)


def change_data(world: World) -> None:
    world.origin = trained_on("a" * 64, "c" * 64)


def add_data(world: World) -> None:
    world.origin = trained_on("a" * 64, "b" * 64, "c" * 64)


def forget_data(world: World) -> None:
    world.origin = None


def change_report(world: World) -> None:
    world.reports.files[REPORT] = b"a better report"


def remove_report(world: World) -> None:
    del world.reports.files[REPORT]


def wait(world: World) -> None:
    world.now = LATER


@pytest.mark.parametrize(
    ("change", "fault", "words"),
    [
        (set_package, "model", "other containers"),
        (set_policy, "policy", "policy of the gate was changed"),
        (drop_gate_setting, "policy", "policy of the gate was changed"),
        (change_data, "data", "s3://data/1#sha256:cccc"),
        (add_data, "data", "which the gate has not seen"),
        (forget_data, "data", "knows nothing of"),
        (change_report, "evaluation", "was changed since"),
        (remove_report, "evaluation", "is gone"),
        (wait, "expired", "too old since 2026-11-24T11:00:00.000Z"),
    ],
)
def test_what_was_changed_since_the_verdict_is_named_and_nothing_is_moved(
    world: World, change: Change, fault: str, words: str
) -> None:
    told = world.verdict()
    world.signed(told)
    order = world.order(told)
    change(world)

    found = world.proof.refusal(order, world.package, world.now)

    assert found is not None
    assert found.fault == fault
    assert words in found.reason


def test_a_verdict_that_nobody_signed_moves_nothing(world: World) -> None:
    found = world.proof.refusal(world.order(world.verdict()), world.package, world.now)

    assert found is not None
    assert found.fault == "unsigned"


def test_what_was_to_be_signed_and_was_not_moves_nothing(world: World) -> None:
    told = world.verdict()
    world.kms.shut()
    with pytest.raises(UnavailableError):
        world.signed(told)
    world.kms.down = None

    found = world.proof.refusal(world.order(told), world.package, world.now)

    assert found is not None
    assert found.fault == "unsigned"


def forge(world: World, envelope: bytes) -> None:
    kept = find(world.verdict().verdict, VERIFICATION_SUMMARY, world.files)
    assert kept is not None
    world.files.files[envelope_path(kept.digest)] = envelope


def signed_by_another_key(world: World) -> None:
    forge(world, seal(verdict_statement(world.verdict(), ATTESTOR).content, StatementKey(9)).to_json())


def failed_turned_into_passed(world: World) -> None:
    """Exchange the payload below a good signature of another one."""
    other = World()
    signed = read_envelope(other.signed(other.verdict("failed")).envelope.to_json())
    content = verdict_statement(world.verdict(), ATTESTOR).content
    forge(world, signed._replace(payload=content).to_json())


def without_a_signature(world: World) -> None:
    content = verdict_statement(world.verdict(), ATTESTOR).content
    document = {"payload": b64encode(content).decode(), "payloadType": "application/vnd.in-toto+json", "signatures": []}
    forge(world, json.dumps(document).encode())


def no_envelope(world: World) -> None:
    forge(world, b'{"passed": true}')


def of_another_type(world: World) -> None:
    content = verdict_statement(world.verdict(), ATTESTOR).content
    forge(world, seal(content, world.key, "text/plain").to_json())


@pytest.mark.parametrize(
    "forged", [signed_by_another_key, failed_turned_into_passed, without_a_signature, no_envelope, of_another_type]
)
def test_a_forged_verdict_moves_nothing(world: World, forged: Change) -> None:
    told = world.verdict()
    world.signed(told)
    forged(world)

    found = world.proof.refusal(world.order(told), world.package, world.now)

    assert found is not None
    assert found.fault == "forged"


def test_a_good_verdict_about_another_model_moves_nothing(world: World) -> None:
    told, other = world.verdict(), World()
    elsewhere = other.verdict(model=PACKAGE.replace("/3", "/4"))
    kept = world.signed(elsewhere)
    # Somebody puts it where the verdict of this model would be.
    world.files.files[subject_path(told.verdict, VERIFICATION_SUMMARY)] = kept.statement.content

    found = world.proof.refusal(world.order(told), world.package, world.now)

    assert found is not None
    assert found.fault == "other"


def test_a_signed_failure_passes_nothing_though_the_order_says_so(world: World) -> None:
    world.signed(world.verdict("failed"))

    found = world.proof.refusal(world.order(world.verdict("passed")), world.package, world.now)

    assert found is not None
    assert (found.fault, found.reason) == ("other", "the signed verdict says failed, and not passed")


def test_a_verdict_that_was_taken_back_moves_nothing(world: World) -> None:
    told = world.verdict()
    kept = world.signed(told)
    taken = revocation_statement(kept, KIM, "the test set had leaked", LATER, ATTESTOR)
    revoke(kept.digest, lambda: taken, world.files, world.key)

    found = world.proof.refusal(world.order(told), world.package, world.now)

    assert found is not None
    assert found.fault == "revoked"
    assert kept.id in found.reason


@pytest.mark.parametrize("outage", [FakeKms.shut, FakeKms.unplug])
def test_while_kms_does_not_answer_nothing_is_known_either_way(world: World, outage: object) -> None:
    told = world.verdict()
    world.signed(told)
    getattr(world.kms, outage.__name__)()  # type: ignore[attr-defined] # a function

    with pytest.raises(UnavailableError):
        world.proof.refusal(world.order(told), world.package, world.now)


def test_a_key_that_is_shut_is_waited_for_and_named(world: World) -> None:
    told = world.verdict()
    world.kms.shut("DisabledException")

    with pytest.raises(UnavailableError, match="enable it again"):
        world.signed(told)


def test_a_rejection_needs_a_signed_failure_about_the_same_model_and_no_more(world: World) -> None:
    told = world.verdict("failed")
    world.signed(told)
    order = world.order(told)
    change_report(world)
    set_policy(world)
    assert world.proof.refusal(order, world.package, LATER) is None

    set_package(world)
    found = world.proof.refusal(order, world.package, LATER)
    assert found is not None
    assert found.fault == "model"


def test_a_verdict_that_passed_rejects_nothing_unless_a_person_does(world: World) -> None:
    told = world.verdict()
    world.signed(told)
    rejection = world.order(told).to_rejection()

    found = world.proof.refusal(rejection, world.package, world.now)

    assert found is not None
    assert found.fault == "other"
    assert world.proof.refusal(rejection, world.package, world.now, by_person=True) is None


def test_a_signed_override_moves_a_model_against_its_verdict_and_outlives_policy_and_evidence(world: World) -> None:
    told = world.overridden(world.verdict("failed"))
    kept = world.signed_override(told)
    order = world.order(told)
    for change in (change_report, set_policy, change_data):
        change(world)

    assert world.proof.refusal(order, world.package, LATER) is None
    assert kept.statement.predicate["by"] == KIM.arn
    assert accepts(kept.envelope.to_json(), world.key.key)


def test_an_override_that_nobody_signed_or_about_other_bytes_moves_nothing(world: World) -> None:
    told = world.overridden(world.verdict("failed"))
    order = world.order(told)
    unsigned = world.proof.refusal(order, world.package, world.now)
    world.signed_override(told)
    set_package(world)
    changed = world.proof.refusal(order, world.package, world.now)

    assert unsigned is not None
    assert changed is not None
    assert (unsigned.fault, changed.fault) == ("unsigned", "model")


def test_a_verdict_without_data_stays_good_while_lineage_knows_none(world: World) -> None:
    world.origin = None
    told = world.verdict()
    world.signed(told)
    world.origin = LineageEvidence(node=PACKAGE)

    assert world.proof.refusal(world.order(told), world.package, world.now) is None


def test_a_verdict_from_before_there_were_digests_is_not_signed(world: World) -> None:
    old = world.verdict().model_copy(update={"judged": None})

    with pytest.raises(InvalidInputError, match="ask the gate again"):
        world.signed(old)


def test_a_verdict_that_decides_nothing_is_not_signed(world: World) -> None:
    with pytest.raises(InvalidInputError, match="neither"):
        world.signed(world.verdict("inconclusive"))
