"""One signed statement about each thing, whatever is repeated, raced or broken off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.attestations.envelopes import open_envelope
from hallmark.attestations.keeping import (
    attest,
    envelope_path,
    find,
    read_attestation,
    revocation_of,
    revoke,
    subject_path,
)
from hallmark.attestations.statements import TEST_RESULT, VERIFICATION_SUMMARY, Statement, Subject, read_statement
from hallmark.aws.envelope_reading import EnvelopeSignatures
from hallmark.errors import NotFoundError, UnavailableError
from tests.fakes.foreign_dsse import accepts
from tests.fakes.log_files import LogFiles
from tests.fakes.statement_keys import StatementKey

NODE = "hallmark:verdict/1"


def says(text: str, kind: str = VERIFICATION_SUMMARY) -> Callable[[], Statement]:
    return lambda: Statement(
        subject=(Subject(name="m", digest={"sha256": "0" * 64}),), predicate_type=kind, predicate={"text": text}
    )


def never() -> Statement:
    raise AssertionError("what was said already is not made again")


def test_what_was_signed_once_is_found_again_and_never_signed_anew() -> None:
    files, signer = LogFiles(), StatementKey()

    first = attest(NODE, VERIFICATION_SUMMARY, says("first"), files, signer)
    again = attest(NODE, VERIFICATION_SUMMARY, never, files, StatementKey(8))

    assert again == first
    assert first.id == f"hallmark:attestation/{first.digest}"
    assert find(NODE, VERIFICATION_SUMMARY, files) == first
    assert read_attestation(first.id, files) == first
    assert accepts(files.files[envelope_path(first.digest)], signer.key)
    assert sorted(path.partition("/")[0] for path in files.files) == ["envelopes", "subjects"]


def test_each_kind_of_statement_about_a_thing_stands_for_itself() -> None:
    files, signer = LogFiles(), StatementKey()

    verdict = attest(NODE, VERIFICATION_SUMMARY, says("verdict"), files, signer)
    result = attest(NODE, TEST_RESULT, says("result", TEST_RESULT), files, signer)

    assert verdict.digest != result.digest
    assert find(NODE, TEST_RESULT, files) == result
    assert find("hallmark:verdict/2", TEST_RESULT, files) is None


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6), st.sets(st.integers(0, 3)))
def test_wherever_it_breaks_off_one_statement_is_signed_in_the_end(said: list[str], breaks: set[int]) -> None:
    files, signer, writes = LogFiles(), StatementKey(), iter(range(1_000))

    def fail(path: str) -> None:
        if next(writes) in breaks:
            raise UnavailableError(path)

    files.fail = fail
    for text in [*said, "d", "d", "d", "d"]:
        try:
            attest(NODE, VERIFICATION_SUMMARY, says(text), files, signer)
        except UnavailableError:
            continue

    kept = find(NODE, VERIFICATION_SUMMARY, files)
    assert kept is not None
    assert len(files.files) == 2
    assert kept.statement.predicate["text"] in {*said, "d"}
    assert open_envelope(kept.envelope, [signer.key], EnvelopeSignatures()) == kept.statement.content


def test_of_two_who_sign_at_once_the_first_is_kept_and_both_have_it() -> None:
    files, signer = LogFiles(), StatementKey()
    others = []

    def meanwhile(path: str) -> None:
        files.fail = lambda _path: None
        others.append(attest(NODE, VERIFICATION_SUMMARY, says("other"), files, signer))

    files.fail = meanwhile
    mine = attest(NODE, VERIFICATION_SUMMARY, says("mine"), files, signer)

    assert mine == others[0]
    assert mine.statement.predicate["text"] == "other"


class Down:
    key = StatementKey().key

    def sign(self, message: bytes) -> bytes:
        raise UnavailableError("signing an attestation: KMSInternalException")


def test_while_nothing_can_be_signed_nothing_counts_as_signed_and_a_repeat_goes_on() -> None:
    files = LogFiles()

    with pytest.raises(UnavailableError):
        attest(NODE, VERIFICATION_SUMMARY, says("first"), files, Down())
    assert find(NODE, VERIFICATION_SUMMARY, files) is None
    assert list(files.files) == [subject_path(NODE, VERIFICATION_SUMMARY)]
    kept = attest(NODE, VERIFICATION_SUMMARY, says("later"), files, StatementKey())

    assert kept.statement.predicate["text"] == "first"


def test_the_first_revocation_counts() -> None:
    files, signer = LogFiles(), StatementKey()
    kept = attest(NODE, VERIFICATION_SUMMARY, says("first"), files, signer)
    assert revocation_of(kept.digest, files) is None

    first = revoke(kept.digest, says("taken back"), files, signer)
    again = revoke(kept.digest, says("taken back again"), files, signer)

    assert first == again
    found = revocation_of(kept.digest, files)
    assert found is not None
    assert read_statement(found.payload).predicate["text"] == "taken back"


def test_an_attestation_that_is_not_there_is_said_to_be_missing() -> None:
    for name in ("hallmark:attestation/00", "../subjects/x", "nothing"):
        with pytest.raises(NotFoundError, match="attest list"):
            read_attestation(name, LogFiles())
