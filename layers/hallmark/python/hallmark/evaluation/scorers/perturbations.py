"""Prompts with small flaws, to see how much worse a model gets on them.

The kinds are those of Amazon Bedrock's robustness evaluations and of fmeval's semantic robustness (butter fingers,
random upper case, white space added and removed), and more: mistakes of typing, lower and upper case, punctuation left
out, look-alike letters. Each copy is drawn from a seed and the case's identifier, so that the same case is changed in
the same way for every model and in every run.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from hallmark.evaluation.cases import Case

SHARE = 0.1
"""Share of the letters that are changed, as in fmeval's defaults."""
_MARK = "~"
_LONGEST_STEM = 220
_DIGEST_LENGTH = 16

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LOOKALIKES = {"a": "а", "c": "с", "e": "е", "i": "і", "j": "ј", "o": "о", "p": "р", "s": "ѕ", "x": "х", "y": "у"}  # noqa: RUF001


def _neighbours() -> dict[str, str]:
    """Return the keys around each letter of a QWERTY keyboard, whose rows stand half a key apart."""
    places = {letter: (row, column + row / 2) for row, keys in enumerate(_ROWS) for column, letter in enumerate(keys)}
    return {
        letter: "".join(
            other
            for other, there in places.items()
            if other != letter and abs(there[0] - here[0]) <= 1 and abs(there[1] - here[1]) <= 1
        )
        for letter, here in places.items()
    }


_KEYS = _neighbours()

Perturb = Callable[[str, random.Random, float], str]
"""Takes a text, a source of chance and the share of letters to change."""


def _per_letter(change: Callable[[str, random.Random], str | None]) -> Perturb:
    """Return a perturbation that changes some of the letters that can be changed, one at least where there is one."""

    def perturb(text: str, chance: random.Random, share: float) -> str:
        letters = list(text)
        able = [place for place, letter in enumerate(letters) if change(letter, random.Random(0)) is not None]  # noqa: S311
        count = min(len(able), max(1, round(share * len(able))))
        for place in chance.sample(able, count):
            letters[place] = change(letters[place], chance) or ""
        return "".join(letters)

    return perturb


def _neighbour(letter: str, chance: random.Random) -> str | None:
    keys = _KEYS.get(letter.lower())
    if keys is None:
        return None
    found = chance.choice(keys)
    return found.upper() if letter.isupper() else found


def _swap(text: str, chance: random.Random, share: float) -> str:
    """Make typing mistakes: letters that are swapped, left out, doubled or next to the right one."""
    letters = list(text)
    able = [place for place in range(len(letters) - 1) if letters[place].isalpha() and letters[place + 1].isalpha()]
    for place in chance.sample(able, min(len(able), max(1, round(share * len(able))))):
        match chance.randrange(4):
            case 0:
                letters[place], letters[place + 1] = letters[place + 1], letters[place]
            case 1:
                letters[place] = ""
            case 2:
                letters[place] *= 2
            case _:
                letters[place] = (_neighbour(letters[place][:1], chance) or letters[place]) if letters[place] else ""
    return "".join(letters)


def _white_space(text: str, chance: random.Random, share: float) -> str:
    """Add spaces between letters and remove some of those between words."""
    changed = []
    for letter in text:
        if letter == " " and chance.random() < share:
            continue
        changed.append(letter + (" " if not letter.isspace() and chance.random() < share / 2 else ""))
    return "".join(changed).rstrip() if not text[-1:].isspace() else "".join(changed)


def _no_punctuation(text: str, _chance: random.Random, _share: float) -> str:
    return "".join(letter for letter in text if letter.isalnum() or letter.isspace())


PERTURBATIONS: Mapping[str, Perturb] = {
    "butter_fingers": _per_letter(_neighbour),
    "typos": _swap,
    "random_upper_case": _per_letter(
        lambda letter, _: letter.upper() if letter.islower() and len(letter.upper()) == 1 else None
    ),
    "upper_case": lambda text, _chance, _share: text.upper(),
    "lower_case": lambda text, _chance, _share: text.lower(),
    "white_space": _white_space,
    "punctuation": _no_punctuation,
    "homoglyphs": _per_letter(lambda letter, _: _LOOKALIKES.get(letter)),
}
"""Kinds of flaws by name."""


def perturb_text(text: str, kind: str, seed: str, share: float = SHARE) -> str:
    """Return a text with flaws of one kind.

    Args:
        text: What is changed.
        kind: A name of ``PERTURBATIONS``.
        seed: The same seed makes the same flaws.
        share: Share of letters to change, above 0, at most 1; kinds that change the whole text do not need it.

    Raises:
        ValueError: There is no such kind, or the share is out of range.
    """
    if kind not in PERTURBATIONS:
        raise ValueError(f"there is no perturbation {kind!r}: choose from {', '.join(PERTURBATIONS)}")
    if not 0 < share <= 1:
        raise ValueError(f"share is {share:g}: it must be above 0 and at most 1")
    return PERTURBATIONS[kind](text, random.Random(f"{seed}/{kind}/{text}"), share)  # noqa: S311 - flaws, no secrets


def perturb_cases(
    cases: Iterable[Case], kinds: Sequence[str], *, seed: int = 0, copies: int = 1, share: float = SHARE
) -> Iterator[Case]:
    """Yield changed copies of each case; only the last turn is changed, and a copy that came out the same is left out.

    The identifier of a copy says what it is a copy of: ``case-7~typos~1``.

    Args:
        cases: What to change.
        kinds: Names of ``PERTURBATIONS``.
        seed: Of all choices.
        copies: Copies of each kind.
        share: Share of letters to change.

    Raises:
        ValueError: There is no such kind, or the share is out of range.
    """
    for case in cases:
        seen = {case.question}
        for kind in kinds:
            for number in range(1, copies + 1):
                text = perturb_text(case.question, kind, f"{seed}/{case.id}/{number}", share)
                if text in seen or not text.strip():
                    continue
                seen.add(text)
                yield _copy(case, text, copy_id(case.id, kind, number), kind)


def _copy(case: Case, text: str, identifier: str, kind: str) -> Case:
    update: dict[str, object] = {"id": identifier, "copy_of": case.id, "perturbation": kind}
    if case.prompt is not None:
        return case.model_copy(update={**update, "prompt": text})
    last = case.messages[-1].model_copy(update={"text": text})
    return case.model_copy(update={**update, "messages": (*case.messages[:-1], last)})


def copy_id(case: str, kind: str, number: int) -> str:
    """Return the identifier of a copy; of a long identifier the end gives way to a digest."""
    return f"{_stem_of(case)}{_MARK}{kind}{_MARK}{number}"


def _stem_of(case: str) -> str:
    if len(case) <= _LONGEST_STEM:
        return case
    digest = hashlib.sha256(case.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{case[: _LONGEST_STEM - _DIGEST_LENGTH - 1]}-{digest}"
