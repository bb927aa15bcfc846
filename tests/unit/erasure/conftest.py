"""People kept in dictionaries; tests/contract/aws_adapters/test_person_table.py holds DynamoDB to the same rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import pytest

from hallmark.pseudonyms import Trait


class KnownPeople:
    """Pseudonyms and PersonNames over dictionaries."""

    def __init__(self) -> None:
        self.kept: dict[Trait, str] = {}
        self.asked: list[Trait] = []
        self._made = 0

    def tokens(self, traits: Sequence[Trait]) -> Mapping[Trait, str]:
        self.asked += traits
        return {trait: self._token(trait) for trait in traits}

    def _token(self, trait: Trait) -> str:
        if self.known_token(trait) is None:
            self._made += 1
            self.kept[trait] = f"person-{hashlib.sha256(str(self._made).encode()).hexdigest()[:32]}"
        return str(self.known_token(trait))

    def known_token(self, trait: Trait) -> str | None:
        same = (trait.person, trait.text.casefold())
        return next((token for kept, token in self.kept.items() if (kept.person, kept.text.casefold()) == same), None)

    def names(self, tokens: Iterable[str]) -> Mapping[str, str]:
        texts = {token: trait.text for trait, token in self.kept.items()}
        return {token: texts[token] for token in tokens if token in texts}

    def forget(self, person: str) -> None:
        self.kept = {trait: token for trait, token in self.kept.items() if trait.person != person}


@pytest.fixture
def people() -> KnownPeople:
    return KnownPeople()
