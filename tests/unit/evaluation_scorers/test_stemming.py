"""The stemmer against NLTK's, which rouge-score uses."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer

from hallmark.evaluation.scorers.stemming import stem

NLTK = PorterStemmer()
ENDINGS = tuple(
    """
    sses ies ss s eed ed ing at bl iz y ational tional enci anci izer bli alli entli eli ousli ization ation ator alism
    iveness fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance ence er ic able
    ible ant ement ment ent ion ou ism ate iti ous ive ize e ll ied yy
    """.split()  # noqa: SIM905 - a list of eighty words is easier to read so
)


def test_forty_thousand_made_up_words_have_the_stems_of_nltk() -> None:
    draw = random.Random(7)  # noqa: S311 - made-up words
    words = {
        "".join(draw.choice("aeiouybcdlstz") for _ in range(draw.randint(0, 5)))
        + "".join(draw.choice(ENDINGS) for _ in range(draw.randint(1, 3)))
        for _ in range(40_000)
    }

    assert {word: stem(word) for word in words} == {word: NLTK.stem(word) for word in words}


@pytest.mark.parametrize("word", ["skies", "dying", "innings", "howe", "news", "flies", "dies", "enjoy", "by", "as"])
def test_what_nltk_adds_to_porter_is_there(word: str) -> None:
    assert stem(word) == NLTK.stem(word)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=14))
def test_any_letters_and_digits_have_the_stem_of_nltk(word: str) -> None:
    assert stem(word) == NLTK.stem(word)
