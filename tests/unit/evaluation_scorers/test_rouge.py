"""ROUGE against rouge-score 0.1.2, ROUGE-1.5.5's published numbers, and Lin's own example."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from hallmark.evaluation.scorers import rouge
from hallmark.evaluation.scorers.rouge import RougeScorer
from hallmark.evaluation.scorers.tokens import ascii_words, unicode_words

TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
SCORE_OF_MULTI_REFERENCES = 3

# Two pairs of random letters that rouge-score's authors ran through the Perl program ROUGE-1.5.5
# (google-research, rouge/testdata/target.txt, prediction.txt and rouge_scorer_test.py).
TARGETS = (
    "ZfbCUIUuePaiLVUlCaUXxkpu XPeWing tUHfPMuZ',-Xd Y BrUgVJing M-HV.-DgdDaY.rFDJCRing Ht-LM EKBDXkME,yz'RBr q'wtion "
    "wIojNbN wL,b .a-'XdQggyFl jB-RPP'iyOIcUxer tKM L",
    "KsJdPByEtAor fE-Qg Dpdbring cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMtion psing sbKao Q m qiing LMmer "
    "HqqLFXe,XPY,J XsurkMer ,ed nB'wH'bWVHjWFEing tQ.saefZwJtKrTlixYpMMsJing UCAPwNHeYVjDing c T BUySKtion "
    "gMPfJpwGw p'NvxAoping eu pBwMBKV'I DNxqelhu,PHPxDEq,mtion SN",
)
PREDICTIONS = (
    "rFDJCRtion Ht-LM EKtDXkME,yz'RBr q'wer wrojNbN wL,b .a-'XdQggyFl jB-RPP'iyOIcUxi",
    "nn cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMer pstion sbKao Q m qier LMmed HqqLFXe,XPY,J XsurkMeo ,ed "
    "nB'wH'bWVHjWFEer tQ.saefZwJtKrTlixYpMMNJtion UCAPwNHeYVjD",
)

WORDS = st.sampled_from(["the", "cat", "cats", "running", "flies", "Größe", "猫", "a1", "nationally", "x", "-"])
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from([" ", " ", "\n", ". ", "\n\n"])), max_size=25).map(
    lambda parts: "".join(itertools.chain.from_iterable(parts))
)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=SCORE_OF_MULTI_REFERENCES), stemmer=st.booleans())
def test_every_number_is_that_of_rouge_score_to_the_last_digit(text: str, references: list[str], stemmer: bool) -> None:
    theirs = rouge_scorer.RougeScorer(TYPES, use_stemmer=stemmer).score_multi(references, text)

    ours = RougeScorer(stemmer=stemmer).compare(text, references)

    assert [tuple(each) for each in ours] == [tuple(theirs[kind]) for kind in TYPES]


@pytest.mark.parametrize(
    ("kind", "pair", "stemmer", "recall", "precision", "f1"),
    [
        ("rouge_1", 0, False, 0.40741, 0.68750, 0.51163),
        ("rouge_1", 1, False, 0.40476, 0.65385, 0.50000),
        ("rouge_1", 0, True, 0.40741, 0.68750, 0.51163),
        ("rouge_1", 1, True, 0.42857, 0.69231, 0.52941),
        ("rouge_2", 0, False, 0.30769, 0.53333, 0.39024),
        ("rouge_2", 1, False, 0.29268, 0.48000, 0.36364),
        ("rouge_2", 0, True, 0.30769, 0.53333, 0.39024),
        ("rouge_2", 1, True, 0.29268, 0.48000, 0.36364),
        ("rouge_l", 0, False, 0.40741, 0.68750, 0.51163),
        ("rouge_l", 1, False, 0.40476, 0.65385, 0.50000),
    ],
)
def test_it_says_what_the_perl_program_says(
    kind: rouge.Kind, pair: int, stemmer: bool, recall: float, precision: float, f1: float
) -> None:
    (found,) = RougeScorer((kind,), stemmer=stemmer).compare(PREDICTIONS[pair], [TARGETS[pair]])

    assert found == pytest.approx((precision, recall, f1), abs=5e-6)


def test_the_union_of_subsequences_is_that_of_lins_example() -> None:
    (found,) = RougeScorer(("rouge_lsum",)).compare("w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", ["w1 w2 w3 w4 w5"])

    assert found == pytest.approx((0.4, 0.8, 8 / 15))


def test_long_texts_with_many_lines_agree_with_rouge_score() -> None:
    draw = random.Random(5)  # noqa: S311 - made-up texts
    text, reference = (
        "\n".join(" ".join(f"w{draw.randrange(90)}" for _ in range(draw.randrange(30))) for _ in range(12))
        for _ in range(2)
    )

    found = RougeScorer().compare(text, [reference])

    theirs = rouge_scorer.RougeScorer(TYPES).score(reference, text)
    assert [tuple(each) for each in found] == [tuple(theirs[kind]) for kind in TYPES]


def test_identical_japanese_texts_are_identical_to_the_unicode_tokenizer_alone() -> None:
    text = "東京は日本の首都です。"

    assert RougeScorer().compare(text, [text])[0].f1 == 0.0
    assert {each.f1 for each in RougeScorer(tokenizer="unicode").compare(text, [text])} == {1.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Größer als ÉTÉ", ["grösser", "als", "été"]),
        ("e\u0301te\u0301", ["été"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("\uff21\uff22\uff23\uff11\uff12", ["abc12"]),
        ("猫が好き cat", ["猫", "が", "好", "き", "cat"]),
        ("snake_case, don't", ["snake", "case", "don", "t"]),
        ("😀 !?", []),
    ],
)
def test_words_of_every_script_are_words(text: str, words: list[str]) -> None:
    assert unicode_words(text) == words


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_on_ascii_both_tokenizers_are_one(text: str) -> None:
    assert unicode_words(text) == ascii_words(text)


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS)
def test_swapping_the_texts_swaps_precision_and_recall(left: str, right: str) -> None:
    scorer = RougeScorer(("rouge_1", "rouge_2", "rouge_l"), tokenizer="unicode")

    for there, back in zip(scorer.compare(left, [right]), scorer.compare(right, [left]), strict=True):
        assert (there.precision, there.recall) == (back.recall, back.precision)
        assert 0 <= min(there) <= max(there) <= 1


def test_punctuation_ends_sentences_where_that_is_asked_for() -> None:
    text, reference = "Dogs bark. Cats sleep.", "Cats sleep. Dogs bark."

    by_lines, by_marks = (
        RougeScorer(("rouge_lsum",), sentences=ends).compare(text, [reference])[0].f1
        for ends in ("lines", "punctuation")
    )

    assert (by_lines, by_marks) == (0.5, 1.0)


def test_texts_too_long_for_a_table_are_a_failure_with_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rouge, "MAX_CELLS", 10)

    with pytest.raises(ValueError, match="4 words against 5 are too many for ROUGE-L"):
        RougeScorer(("rouge_l",)).compare("a b c d", ["a b c d e"])
