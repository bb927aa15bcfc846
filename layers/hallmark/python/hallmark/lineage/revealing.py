"""Questions and answers that name people: the one place where names and tokens meet for whoever asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hallmark.lineage.ports import PersonNames
from hallmark.lineage.questions import Answer, Candidates, Question, answer_json, read_question
from hallmark.pseudonyms import TOKEN, Trait, in_text, named, tokens_in, with_names

_USER = re.compile(r"user:(?P<name>[^:/]+)")
_ASKED_MEMBERS = ("node", "source", "target", "left", "right", "contains", "group")


def answer_asked(raw: object, answer: Callable[[Question], Answer], people: PersonNames) -> dict[str, Any]:
    """Answer a question in which people are named, with an answer in which they are.

    A name alone may be that of a resource too: it is asked for as a person where nothing else has that name.

    Args:
        raw: The question; with ``"people": "tokens"`` its answer keeps the tokens, for who keeps what is answered.
        answer: Answers a question in which tokens stand for people.
        people: Knows who they are.

    Raises:
        InvalidInputError: It is no question, or its answer is too long.
        UnavailableError: Who the people are cannot be told now.
    """
    if not isinstance(raw, Mapping):
        return answer_json(answer(read_question(raw)))
    asked = with_tokens({name: value for name, value in raw.items() if name != "people"}, people)
    found = answer(read_question(asked))
    if isinstance(found, Candidates) and found.reason == "unknown" and asked.get("node") != raw.get("node"):
        # Facts from before people were kept apart have names in them.
        found = answer(read_question({**asked, "node": raw.get("node")}))
    if isinstance(found, Candidates) and found.reason == "unknown" and isinstance(node := asked.get("node"), str):
        token = people.known_token(named(node)) if ":" not in node and "/" not in node and node.strip() else None
        if token is not None:
            found = answer(read_question({**asked, "node": f"user:{token}"}))
    if raw.get("people", "names") == "tokens":
        return answer_json(found)
    return answer_json(found, lambda text: revealed(text, people))


def with_tokens(raw: Mapping[str, Any], people: PersonNames) -> Mapping[str, Any]:
    """Return a question with tokens where it names people whom we know; those whom we do not know stay named."""

    def known(trait: Trait) -> str:
        return people.known_token(trait) or trait.text

    def asked(text: str) -> str:
        user = _USER.fullmatch(text)
        return f"user:{_once(user['name'], known)}" if user else in_text(text, known)

    texts = {name: asked(raw[name]) for name in _ASKED_MEMBERS if isinstance(raw.get(name), str)}
    return {**raw, **texts}


def revealed(text: str, people: PersonNames) -> str:
    """Return an answer's JSON with names where tokens stood."""
    tokens = tokens_in(text)
    return with_names(text, people.names(tokens)) if tokens else text


def revealed_text(text: str, people: PersonNames) -> str:
    """Return a text with names where tokens stood; a forgotten person's token stays."""
    tokens = tokens_in(text)
    names = people.names(tokens) if tokens else {}
    return TOKEN.sub(lambda match: names.get(match[0], match[0]), text)


def with_known_tokens(patterns: Iterable[str], people: PersonNames) -> tuple[str, ...]:
    """Return patterns of users, and beside each that names one user also the pattern of that user's token."""
    found: dict[str, None] = {}
    for pattern in patterns:
        found[pattern] = None
        place, slash, name = pattern.rpartition("/")
        token = people.known_token(named(name)) if name and "*" not in name and not TOKEN.search(name) else None
        if token is not None:
            found[f"{place}{slash}{token}"] = None
    return tuple(found)


def _once(name: str, replace: Callable[[Trait], str]) -> str:
    return name if TOKEN.fullmatch(name) else replace(named(name))
