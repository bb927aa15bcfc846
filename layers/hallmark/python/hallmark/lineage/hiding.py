"""Facts without people: each person in a fact gives way to a token before anything of it is kept.

This is the one place through which all facts pass on their way to the table, and from there to the ledger. Where people
stand is told by ``hallmark.pseudonyms`` (ARNs, sessions, e-mail addresses in any text) and, for bare names, by the
attributes below. What machines read again stays as it is: see ``_EXACT``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from hallmark.lineage.model import Attributes, Edge, Fact, NodeKind, NodeRef, NodeState
from hallmark.lineage.ports import Pseudonyms
from hallmark.people import HUMAN_ACTORS, Actor
from hallmark.pseudonyms import (
    LONGEST_NAME,
    TOKEN,
    Replace,
    Trait,
    in_text,
    is_machine,
    is_user_id,
    named,
    people_in,
    plain_name,
)

_NAMES = frozenset(
    {
        *("by_name", "session", "source_identity", "acknowledged_by", "approved_by", "requested_by", "reported_by"),
        *("owner", "owners", "contact", "maintainer", "author", "authors", "user", "user_name", "username"),
        *("createdby", "created-by", "created_by", "mlflow.user", "userprofilename", "sourceidentity"),
        *("reviewer", "reviewers", "approver", "approvers"),
    }
)
"""Attributes, tags and members (in lower case) whose whole value is somebody's name."""
_TEXTS = frozenset({"reason", "text", "summary", "comment", "description", "error_message", "did"})
"""Attributes that people write, or that are made of names: a name that the same fact tells is replaced in them, too."""
_EXACT = frozenset(
    {
        *("hyperparameters", "environment", "arguments", "entrypoint", "containers", "code", "image", "inputs"),
        *("outputs", "manifest", "manifest_uri", "uri", "parent", "metrics", "user_agent"),
    }
)
"""What a run is started with again, and what is read again from its place: a token there would break it."""
_USER_ID_MEMBERS = frozenset({"principal", "PrincipalId", "principalId", "principal_id"})
_CALLED = re.compile(r"\s*(?P<name>[^<>@]*[^<>@\s])\s*<(?P<address>[^<>\s]+@[^<>\s]+)>\s*")
"""``Anna Example <anna@example.com>``: both are one person's."""
_KINDS_OF_ACTORS = frozenset(Actor)
_OF_SESSIONS = frozenset({"session", "principal"})
_AWS = ".amazonaws.com"
_SHORTEST = 3
"""Letters of a name that is looked for in texts: a shorter one is part of too much."""
_OF_CONTENTS = frozenset(
    {
        *("uri", "digest", "objects", "bytes", "complete", "identity", "parts_complete", "manifest", "manifest_uri"),
    }
)
"""Attributes of what lies in S3, of which a fact may have thousands: none of them is anybody's."""
# One of these stands, in lower case, in all JSON that may name somebody; the rest is not looked at any closer. Looked
# for one by one they take a fiftieth of the time that one expression for all of them takes.
_MARKS = (
    *(b"user", b"assumed-role/", b":identitystore:", b"aroa", b"aida", b"owner", b"contact", b"maintainer", b"author"),
    *(b'by"', b'by_name"', b'"actor"', b'"session"', b"source_identity", b"sourceidentity", b"reviewer", b"approver"),
)
_AT, _DIGEST = b"@", b"@sha256:"


def without_people(fact: Fact, people: Pseudonyms, machines: tuple[str, ...] = ()) -> Fact:
    """Return a fact with tokens where it names people; the fact itself where it names nobody.

    Args:
        fact: Any fact; one that has tokens already stays as it is.
        people: Keeps the people, and gives their tokens.
        machines: Patterns of ARNs and names that the policy says are machines.

    Raises:
        UnavailableError: The tokens cannot be had now; the same fact may be recorded later.
    """
    if not any(_may_name(state) for state in fact.states) and not any(_names_user(edge) for edge in fact.edges):
        return fact
    found: dict[Trait, str] = {}
    _Hiding(lambda trait: found.setdefault(trait, trait.text), machines).of(fact)
    if not found:
        return fact
    tokens = people.tokens(tuple(found))
    return _Hiding(tokens.__getitem__, machines, names={trait.text: tokens[trait] for trait in tokens}).of(fact)


def _may_name(state: NodeState) -> bool:
    if state.attributes.keys() <= _OF_CONTENTS and state.node.kind is not NodeKind.USER:
        return False
    text = state.canonical.lower()
    for mark in _MARKS:  # a generator takes twice as long
        if mark in text:
            return True
    return text.count(_AT) > text.count(_DIGEST)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _names_user(edge: Edge) -> bool:
    return edge.source.kind is NodeKind.USER or edge.target.kind is NodeKind.USER


class _Hiding:
    """Goes through a fact; ``names`` are looked for in texts, once they are known."""

    def __init__(self, replace: Replace, machines: tuple[str, ...], names: Mapping[str, str] | None = None) -> None:
        self._replace, self._machines = replace, machines
        self._known = names or {}
        self._texts = _TEXTS
        self._maker: object = None
        words = sorted((name for name in self._known if len(name) >= _SHORTEST), key=len, reverse=True)
        self._names = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])") if words else None

    def of(self, fact: Fact) -> Fact:
        return Fact(
            subject=self._node(fact.subject),
            origin=fact.origin,
            states=tuple(self._state(state) for state in fact.states),
            edges=tuple(self._edge(edge) if _names_user(edge) else edge for edge in fact.edges),
        )

    def _state(self, state: NodeState) -> NodeState:
        if not _may_name(state):
            return state
        # What AWS or another tool calls its things is what people ask for them by.
        is_own = state.node.kind is NodeKind.USER or state.node.id.startswith("hallmark:")
        self._texts = _TEXTS | {"name"} if is_own else _TEXTS
        # Not a copy: that would take over what was computed of the former content.
        return NodeState(
            node=self._node(state.node),
            at=state.at,
            status=state.status,
            attributes=self._attributes(state.attributes),
        )

    def _edge(self, edge: Edge) -> Edge:
        return Edge(
            exclusive=edge.exclusive,
            role=edge.role,
            source=self._node(edge.source),
            target=self._node(edge.target),
            type=edge.type,
            valid_from=edge.valid_from,
        )

    def _node(self, node: NodeRef) -> NodeRef:
        if node.kind is not NodeKind.USER:
            return node
        return NodeRef(born=node.born, id=self._user(node.id), kind=node.kind)

    def _user(self, identifier: str) -> str:
        """Return the id of a user with a token for the name in it; a service, a role and an account have none."""
        hidden = self._text(identifier)
        if identifier.startswith("arn:") or people_in(identifier) or identifier.isdigit() or identifier.endswith(_AWS):
            return hidden
        # Of another tool ``…/users/<name>``; of another provider of identities ``<provider>:<name>``.
        place, mark, name = identifier.rpartition("/" if "/users/" in identifier else ":")
        return place + mark + self._name(name)

    def _attributes(self, attributes: Attributes) -> dict[str, Any]:
        self._maker = attributes.get("created_by")
        actor = attributes.get("actor")
        if actor == Actor.MACHINE:
            # Its sessions are many, and named by nobody.
            others = {name: value for name, value in attributes.items() if name not in _OF_SESSIONS}
            kept = {name: value for name, value in attributes.items() if name in _OF_SESSIONS}
            return self._members(others) | kept
        is_human = isinstance(actor, str) and actor in HUMAN_ACTORS
        return self._members(attributes) | (self._caller(attributes) if is_human else {})

    def _caller(self, told: Attributes) -> dict[str, Any]:
        """Return what of a person who called stands neither in an ARN nor as a name of theirs alone."""
        found = {}
        by, address = told.get("by"), told.get("source_ip")
        owner = str(told.get("by_name") or told.get("session") or "")
        if isinstance(by, str):
            found["by"] = self._user(by)
        if isinstance(address, str) and _is_address(address) and owner and not self._is_machine(owner, str(by or "")):
            found["source_ip"] = self._put(Trait(plain_name(owner), address))
        return found

    def _members(self, section: Mapping[str, Any]) -> dict[str, Any]:
        return {self._text(name): self._member(name, value, section) for name, value in section.items()}

    def _member(self, name: str, value: Any, section: Mapping[str, Any]) -> Any:
        word = name.lower()
        if word in _EXACT:
            return value
        if name in _USER_ID_MEMBERS and isinstance(value, str):
            return self._user_id(value, section) if is_user_id(value) else self._user(value)
        # Of a call ``actor`` says what is known of the caller; of a CI pipeline, who started it.
        is_kind = isinstance(value, str) and value in _KINDS_OF_ACTORS
        if word in _NAMES or (word == "actor" and not is_kind):
            return self._named(value)
        return self._value(value, is_text=word in self._texts)

    def _value(self, value: Any, *, is_text: bool = False) -> Any:
        if isinstance(value, str):
            return self._words(self._text(value)) if is_text else self._text(value)
        if isinstance(value, Mapping):
            return self._members(value)
        return [self._value(item, is_text=is_text) for item in value] if isinstance(value, list | tuple) else value

    def _named(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._name(value)
        if isinstance(value, list | tuple):
            return [self._named(item) for item in value]
        return self._value(value)

    def _name(self, text: str) -> str:
        """Replace a value that is a name; one that has a name within, or is the address of a thing, likewise."""
        # Not of what is longer: the expression takes its square of time.
        called = _CALLED.fullmatch(text) if len(text) <= 2 * LONGEST_NAME else None
        if called is not None:
            address = named(called["address"])
            return f"{self._put(Trait(address.person, called['name']))} <{self._put(address)}>"
        is_name = text.strip() and len(text) <= LONGEST_NAME
        if not is_name or text.startswith("arn:") or "://" in text or TOKEN.search(text) or people_in(text):
            return self._text(text)
        return text if self._is_machine(text, text) else self._put(named(text))

    def _text(self, text: str) -> str:
        return in_text(text, self._replace, self._machines)

    def _words(self, text: str) -> str:
        if text in self._known:
            return self._known[text]
        return self._names.sub(lambda match: self._known[match[0]], text) if self._names else text

    def _user_id(self, value: str, section: Mapping[str, Any]) -> str:
        """Replace AWS's id of a user: it belongs to the name that stands beside it."""
        # Of who made a resource the ARN is an attribute of its own, and no longer in the section.
        beside = [section.get(word) for word in ("by_name", "Arn", "by")] + [self._maker]
        owner = next((name for name in beside if isinstance(name, str) and name), value)
        name = owner.rpartition("/")[2]
        return value if self._is_machine(name, owner) else self._put(Trait(plain_name(name), value))

    def _is_machine(self, name: str, identifier: str) -> bool:
        return is_machine(identifier, name, self._machines)

    def _put(self, trait: Trait) -> str:
        return trait.text if TOKEN.fullmatch(trait.text) else self._replace(trait)
