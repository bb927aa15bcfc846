"""BLEU, chrF and TER against sacrebleu and the numbers of its own tests (mjpost/sacrebleu, test/)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from hallmark.evaluation.cases import Case
from hallmark.evaluation.results import Answer
from hallmark.evaluation.scorers.chrf import ChrfScorer
from hallmark.evaluation.scorers.contract import CorpusScorer
from hallmark.evaluation.scorers.translation import MAX_TER_CHARACTERS, BleuScorer, TerScorer

REFERENCES = (
    ("The dog bit the man.", "It was not unexpected.", "The man bit him first."),
    ("The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."),
)
HYPOTHESES = ("The dog bit the man.", "It wasn't surprising.", "The man had just bitten him.")
WORDS = st.sampled_from(["the", "dog", "bit", "Mann", "größer", "(a)", "b,", "猫は", "x.", "."])
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
Answering = Callable[[str], Answer]


def corpus_score(
    scorer: CorpusScorer, answer: Answering, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> float:
    """Score a corpus as a run does: case by case, summed, combined."""
    rows = [
        scorer.score(Case(id=str(number), prompt="Translate", expected=expected), answer(text))[0].statistics
        for number, (text, expected) in enumerate(zip(hypotheses, zip(*references, strict=True), strict=True))
    ]
    return scorer.combine(scorer.metrics[0].name, [sum(column) for column in zip(*rows, strict=True)])


@pytest.mark.parametrize(
    ("hypotheses", "tokenize", "expected"),
    [
        (HYPOTHESES, "13a", 48.530827),
        (("", "", ""), "13a", 0.0),
        (HYPOTHESES, "none", 49.1919566),
        (HYPOTHESES, "intl", 43.91623493),
    ],
)
def test_bleu_is_what_sacrebleus_tests_expect(
    answer: Answering, hypotheses: Sequence[str], tokenize: str, expected: float
) -> None:
    assert corpus_score(BleuScorer(tokenize), answer, hypotheses, REFERENCES) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("hypotheses", "references", "expected"),
    [
        (["a"], ["a"], 100.0),
        ([""], ["reference"], 0.0),
        (["a b c"], ["abc"], 100.0),
        (["a", "b"], ["a", "c"], 50.0),
        (["aa"], ["ab"], 25.0),
    ],
)
def test_chrf_is_what_sacrebleus_tests_expect(
    answer: Answering, hypotheses: list[str], references: list[str], expected: float
) -> None:
    assert corpus_score(ChrfScorer(beta=3), answer, hypotheses, [references]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("hypothesis", "reference", "expected"),
    [
        ("aaaa bbbb cccc dddd", "aaaa bbbb cccc dddd", 0.0),
        ("dddd eeee ffff", "aaaa bbbb cccc", 100.0),
        ("", "a", 100.0),
        ("d e f g h a b c", "a b c d e f g h", 12.5),
        ("", "", 0.0),
        ("a", "", 100.0),
    ],
)
def test_ter_is_what_sacrebleus_tests_expect(
    answer: Answering, hypothesis: str, reference: str, expected: float
) -> None:
    assert corpus_score(TerScorer(), answer, [hypothesis], [[reference]]) == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6))
def test_a_corpus_summed_case_by_case_has_sacrebleus_scores_exactly(
    answer: Answering, rows: list[tuple[str, str, str]]
) -> None:
    hypotheses, *references = [list(column) for column in zip(*rows, strict=True)]
    for ours, theirs in (
        (BleuScorer(), BLEU()),
        (BleuScorer(smooth="floor", lowercase=True), BLEU(smooth_method="floor", lowercase=True)),
        (ChrfScorer(), CHRF()),
        (ChrfScorer(word_order=2), CHRF(word_order=2)),
        (ChrfScorer(whitespace=True, lowercase=True, beta=3), CHRF(whitespace=True, lowercase=True, beta=3)),
        (ChrfScorer(eps_smoothing=True), CHRF(eps_smoothing=True)),
        (ChrfScorer(word_order=1, eps_smoothing=True), CHRF(word_order=1, eps_smoothing=True)),
        (ChrfScorer(char_order=3), CHRF(char_order=3)),
        (TerScorer(), TER()),
    ):
        expected = theirs.corpus_score(hypotheses, references).score
        assert corpus_score(ours, answer, hypotheses, references) == expected


# Few different letters make long runs in common; the last code points of what is counted as it is, and what is beyond.
REPEATING = st.lists(
    st.sampled_from(
        ["a", "b", "ab", " ", "\n", "\u3000", "\u03fc", "\u03fd", "\u03fe", "\u03ff", "\u0400", "猫", "😀", "\ud83d"]
    ),
    max_size=120,
).map("".join)
ANY_TEXT = st.text(alphabet=st.characters(), max_size=60)


@settings(max_examples=300, deadline=None)
@given(
    text=ANY_TEXT | REPEATING,
    references=st.lists(ANY_TEXT | REPEATING, min_size=1, max_size=3),
    parameters=st.fixed_dictionaries(
        {
            "char_order": st.integers(1, 6),
            "word_order": st.integers(0, 2),
            "beta": st.integers(1, 3),
            "lowercase": st.booleans(),
            "whitespace": st.booleans(),
            "eps_smoothing": st.booleans(),
        }
    ),
)
def test_chrf_of_any_unicode_is_sacrebleus_exactly(
    answer: Answering, text: str, references: list[str], parameters: dict[str, Any]
) -> None:
    case = Case(id="1", prompt="Translate", expected=tuple(references))

    (score,) = ChrfScorer(**parameters).score(case, answer(text))

    assert score.value == CHRF(**parameters).sentence_score(text, references).score


def test_statistics_of_texts_of_every_length_are_sacrebleus() -> None:
    line = "Der Zug hält heute ausnahmsweise nicht in Fürstenfeldbruck, „wie gestern“, in Grafrath. " * 2
    theirs = CHRF(word_order=2)
    for length in range(len(line)):
        answer, reference = line[3 : 3 + length], line[:length].replace("nicht", "leider nicht")
        expected = theirs._extract_corpus_statistics([answer], [[reference]])[0]

        assert list(ChrfScorer(word_order=2).statistics(answer, (reference,))) == expected


def test_a_reference_of_three_thousand_different_letters_is_counted_exactly(answer: Answering) -> None:
    reference = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    text = reference[500:2500] + "extra"

    (score,) = ChrfScorer().score(Case(id="1", prompt="Translate", expected=(reference,)), answer(text))

    assert score.value == CHRF().sentence_score(text, [reference]).score


def test_the_value_of_a_bleu_score_is_its_sentences_with_effective_order(answer: Answering) -> None:
    case = Case(id="1", prompt="Translate", expected=("The dog bit the man.",))

    (score,) = BleuScorer().score(case, answer("The dog bit"))

    expected = BLEU(effective_order=True).sentence_score("The dog bit", ["The dog bit the man."]).score
    assert score.value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (BleuScorer(references="first"), BLEU()),
        (ChrfScorer(references="first"), CHRF()),
        (TerScorer(references="first"), TER()),
    ],
    ids=["bleu", "chrf", "ter"],
)
def test_signatures_say_all_that_sacrebleus_say(ours: CorpusScorer, theirs: BLEU | CHRF | TER) -> None:
    theirs.corpus_score(["a"], [["a"]])
    told = dict(part.split(":") for part in str(theirs.get_signature()).split("|"))
    version = told.pop("version")

    signature = dict(part.split(":") for part in ours.signature.split("|")[1:])

    assert signature.pop("sacrebleu") == version
    assert signature.items() >= told.items()


def test_with_several_references_the_signature_says_that_their_number_varies() -> None:
    assert "|nrefs:var|" in BleuScorer().signature


@pytest.mark.parametrize("scorer", [BleuScorer(), ChrfScorer(), TerScorer()], ids=["bleu", "chrf", "ter"])
def test_a_case_without_a_reference_does_not_apply(scorer: CorpusScorer, answer: Answering) -> None:
    (score,) = scorer.score(Case(id="1", prompt="Translate"), answer("text"))

    assert (score.value, score.failure, score.statistics) == (None, None, ())


def test_ter_of_a_book_is_a_failure_that_says_so(answer: Answering) -> None:
    book = "word " * MAX_TER_CHARACTERS

    (score,) = TerScorer().score(Case(id="1", prompt="Translate", expected=("a",)), answer(book))

    assert score.failure == "a text has 100,000 characters: at most 20,000 are scored"
