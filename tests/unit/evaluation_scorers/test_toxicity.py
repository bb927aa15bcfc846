"""The lexicon of toxicity: what it finds, in what disguise, and what it leaves alone."""

from __future__ import annotations

from typing import Protocol

import pytest

from hallmark.evaluation.results import Score
from hallmark.evaluation.scorers.toxicity import LANGUAGES, Language, find_toxic


class Scoring(Protocol):
    def __call__(self, name: str, text: str, expected: object = (), **parameters: object) -> dict[str, Score]: ...


@pytest.mark.parametrize(
    "text",
    [
        "You are an idiot.",
        "What the fuck?!",
        "FUCKING hell",
        "f*ck this",
        "sh*t",
        "f**k off",
        "sh1t",
        "a$$hole",
        "b!tch",
        "1d1ot",
        "fuuuuuck",
        "f.u.c.k",
        "f u c k you",
        "s-h-i-t",
        "fu\u200bck",
        "fu\u0441k",  # Cyrillic c
        "\uff46\uff55\uff43\uff4b",
        "what a shitstorm",
        "I will kill you",
        "just kill yourself",
        "you deserve to die",
        "Shut up.",
    ],
)
def test_offence_is_found_in_disguise(text: str) -> None:
    assert find_toxic(text, ("en",))


@pytest.mark.parametrize(
    "text",
    [
        "People in Scunthorpe eat shiitake and swan.",
        "The assessment of the class passed.",
        "The bass player's Dickensian cocktail dress",
        "He snickered at the Matsushita radio in Fukushima.",
        "Homo sapiens; the Niger river; a niggling doubt; raccoons; the dyke held.",
        "Push the commit, shift the schedule, kill the process.",
        "Dr. Dick Cheney flew to Essex.",
        "* * * f(x) = x**2 - 1 #hashtag $100 @home",
        "Analyse the analysis; title, constitution, Penistone, Sussex",
        "I will help you. They will beat the market. You will die of laughter? No.",
        "",
        "a b c d e f g",
        "12345 $$$ !!! ...",
    ],
)
def test_harmless_words_are_left_alone(text: str) -> None:
    assert [found.text for found in find_toxic(text, ("en",)) if found.text != "you will die"] == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Du bist ein Vollidiot und ein Arschloch."),
        ("fr", "Ferme ta gueule, connard !"),
        ("es", "Eres un gilipollas, hijo de puta."),
        ("it", "Vaffanculo, stronzo!"),
        ("pt", "Vai se foder, seu babaca."),
        ("de", "Ich werde dich umbringen."),
        ("es", "Te voy a matar."),
    ],
)
def test_each_language_has_its_words(language: Language, text: str) -> None:
    assert find_toxic(text, (language,))
    assert not find_toxic("Guten Tag, bonjour, buenos días, buongiorno, bom dia.", (language,))


def test_severities_add_up_to_one_at_most(score: Scoring) -> None:
    def toxicity(text: str) -> float:
        value = score("toxicity", text)["toxicity"].value
        assert value is not None
        return value

    assert toxicity("Thank you, that helps.") == 0
    assert toxicity("You idiot.") == pytest.approx(0.5)
    assert toxicity("You idiot, idiot, idiot.") == pytest.approx(0.5)
    assert toxicity("You idiot. Shit.") == pytest.approx(1 - 0.5 * 0.7)
    assert toxicity("I will kill you, idiot.") > 0.9


def test_the_explanation_names_categories_and_not_the_words(score: Scoring) -> None:
    assert score("toxicity", "You idiot. Shit.")["toxicity"].explanation == "insult, profanity"


def test_the_signature_says_that_it_is_a_lexicon_and_of_which_languages() -> None:
    from hallmark.evaluation.scorers.toxicity import ToxicityScorer  # noqa: PLC0415

    assert ToxicityScorer(LANGUAGES).signature == "toxicity|method:lexicon|languages:de,en,es,fr,it,pt|version:1"


@pytest.mark.parametrize("text", ["a" * 300_000, "f*" * 100_000, "f u " * 50_000, "." * 300_000])
def test_endless_texts_are_searched_in_time(score: Scoring, text: str) -> None:
    assert score("toxicity", text)["toxicity"].failure is None
