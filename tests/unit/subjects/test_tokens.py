from __future__ import annotations

import hashlib
import hmac
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.subjects.tokens import TOKEN_BYTES, false_positive_bound, holds_token, token_file, token_of

KEY = bytes(range(32))


class File:
    """A file of tokens that counts what is read of it."""

    def __init__(self, content: bytes) -> None:
        self.content, self.read_bytes, self.reads = content, 0, 0

    def __call__(self, start: int, end: int) -> bytes:
        self.read_bytes += end - start
        self.reads += 1
        return self.content[start:end]

    @property
    def count(self) -> int:
        return len(self.content) // TOKEN_BYTES


@given(st.sets(st.integers(0, 500)), st.integers(0, 500))
def test_a_person_is_found_exactly_where_they_were_recorded(people: set[int], wanted: int) -> None:
    file = File(token_file([f"person {number}" for number in people], KEY))

    assert file.count == len(people)
    assert holds_token(token_of(f"person {wanted}", KEY), file.count, file) is (wanted in people)


@given(st.lists(st.binary(min_size=8, max_size=8), unique=True), st.binary(min_size=8, max_size=8))
def test_a_token_is_found_in_any_sorted_file_also_one_that_no_code_made(tokens: list[bytes], wanted: bytes) -> None:
    file = File(b"".join(sorted(tokens)))

    assert holds_token(wanted, file.count, file) is (wanted in tokens)


def test_of_a_million_tokens_a_few_kilobytes_are_read_and_nobody_is_missed() -> None:
    people = [token_of(str(number), KEY) for number in range(200)]
    others = random.Random(7).randbytes(1_000_000 * TOKEN_BYTES)  # noqa: S311 - as uniform as what an HMAC gives
    apart = (others[start : start + TOKEN_BYTES] for start in range(0, len(others), TOKEN_BYTES))
    content = b"".join(sorted([*people, *apart]))

    for token in people:
        file = File(content)
        assert holds_token(token, file.count, file)
        assert (file.reads, file.read_bytes < 70_000) == (1, True)
    assert not any(
        holds_token(token_of(f"x{number}", KEY), File(content).count, File(content)) for number in range(200)
    )


def test_a_token_is_the_beginning_of_an_hmac() -> None:
    assert token_of("Ana", KEY) == hmac.new(KEY, b"ana", hashlib.sha256).digest()[:8]


def test_another_key_makes_other_tokens() -> None:
    assert token_of("ana", KEY) != token_of("ana", bytes(32))


@pytest.mark.parametrize("same", [" ana@example.com ", "ANA@example.com", "\uff41na@example.com"])
def test_case_blanks_and_forms_of_unicode_make_no_difference(same: str) -> None:
    assert token_of(same, KEY) == token_of("ana@example.com", KEY)


@pytest.mark.parametrize("bad", ["", "  ", "x" * 1_001])
def test_what_is_no_identifier_is_refused_and_not_repeated(bad: str) -> None:
    with pytest.raises(InvalidInputError, match="send an identifier") as found:
        token_of(bad, KEY)
    assert bad not in str(found.value) or not bad.strip()


def test_the_bound_holds_for_tokens_that_are_cut_shorter() -> None:
    # The same bound at 16 bits, where it can be counted: n / 2**16 of those who are not recorded are found.
    recorded = {token_of(f"a{number}", KEY)[:2] for number in range(1_000)}
    found = sum(token_of(f"b{number}", KEY)[:2] in recorded for number in range(20_000))
    bound = 20_000 * 1_000 / 2**16

    assert found <= bound + 4 * bound**0.5
    assert false_positive_bound(1_000_000) == 1_000_000 / 2**64
