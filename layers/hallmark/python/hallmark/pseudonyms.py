"""Where people stand in what is recorded, and the tokens that stand there instead.

A token, ``person-<32 hex digits>``, takes the place of the name alone: ``…:user/anna`` becomes ``…:user/person-…``, so
that all that reads ARNs, and all that compares people, works on tokens as it works on names. One token stands for one
name, wherever it comes from: a user of IAM, a person of IAM Identity Center and an owner of the same name are one
person (``hallmark.people.Person.is_same_as``).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import NamedTuple

TOKEN = re.compile(r"\bperson-[0-9a-f]{32}\b")
FORGOTTEN = "forgotten person"
"""What is shown of a token whose person was forgotten, before the first digits of the token."""
_VALUES = re.compile(r'"(person-[0-9a-f]{32})"')
_SHORT_DIGITS = 8

LONGEST_NAME = 256
"""Letters: users and sessions have 64 at most (IAM user guide, quotas), e-mail addresses 254 (RFC 5321)."""
_NAME = r"[\w+=,.@-]*[\w+=@-]"
"""Names of users and sessions (IAM user guide, quotas); a full stop or comma at the end belongs to the sentence."""
_ARNS = re.compile(
    r"(?P<before>\barn:aws[\w-]*:(?:"
    r"iam::\d*:user/(?:[\w+=,.@-]+/)*"
    r"|sts::\d*:(?:assumed-role/[\w+=,.@-]+|federated-user)/"
    r"|sagemaker:[\w-]*:\d*:user-profile/[\w-]+/"
    r"|identitystore:[\w-]*:\d*:(?:identitystore/[\w-]+/)?(?:user/)?"
    rf"))(?P<name>{_NAME})"
)
_SESSIONS = re.compile(rf"(?P<before>\bAROA[A-Z0-9]{{4,}}:)(?P<name>{_NAME})")
"""``userId`` of a role's session (IAM user guide, identifiers)."""
_USER_IDS = re.compile(r"AIDA[A-Z0-9]{4,}")
# After a slash or before a colon or slash stands a login at a server: git@host:path, ssh://git@host/path.
_ADDRESSES = re.compile(r"(?<![\w.+/@%-])(?P<name>[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,})(?![\w@:/-])")
_MACHINE_SESSIONS = re.compile(r"SageMaker|AutoScaling|i-[0-9a-f]{8,17}")
"""Sessions that AWS itself names: of execution roles, and of EC2 by the instance (IAM user guide, sessions)."""
_SERVICE_ROLES = "/AWSServiceRoleFor"


class Trait(NamedTuple):
    """Something that tells of one person."""

    person: str
    """The name by which the person is known, as it is compared (``plain_name``)."""
    text: str
    """The name itself, as it was written; or what else is theirs: an address of the network, AWS's id."""


Replace = Callable[[Trait], str]
"""Returns what stands instead of a trait."""


def plain_name(name: str) -> str:
    """Return a name as it is compared: Unicode form NFKC, no blanks around it, no difference of case."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def named(name: str) -> Trait:
    """Return the trait that is a person's name itself."""
    return Trait(plain_name(name), name.strip())


def people_in(text: str) -> tuple[Trait, ...]:
    """Return the people whom a text names by ARNs, ids of sessions and e-mail addresses."""
    found: dict[Trait, None] = {}

    def keep(trait: Trait) -> str:
        found[trait] = None
        return trait.text

    in_text(text, keep)
    return tuple(found)


def in_text(text: str, replace: Replace, machines: tuple[str, ...] = ()) -> str:
    """Return a text in which the people are replaced that ARNs, ids of sessions and e-mail addresses name.

    Args:
        text: Any text.
        replace: Returns what stands instead of a person.
        machines: Patterns of ARNs and names that are nobody's, though AWS takes them for users.
    """
    if ":" in text:
        text = _ARNS.sub(partial(_put, replace, machines), text)
        text = _SESSIONS.sub(partial(_put, replace, machines), text)
    return _ADDRESSES.sub(partial(_put, replace, machines), text) if "@" in text else text


def _put(replace: Replace, machines: tuple[str, ...], match: re.Match[str]) -> str:
    before, name = match.groupdict().get("before") or "", match["name"]
    if (
        len(name) > LONGEST_NAME
        or TOKEN.fullmatch(name)
        or (before and (_MACHINE_SESSIONS.fullmatch(name) or _SERVICE_ROLES in before))
        or is_machine(match[0], name, machines)
    ):
        return match[0]
    return before + replace(named(name))


def is_machine(identifier: str, name: str, machines: tuple[str, ...]) -> bool:
    """Tell whether the policy says that a user is no person."""
    return any(fnmatchcase(identifier, pattern) or fnmatchcase(name, pattern) for pattern in machines)


def is_user_id(text: str) -> bool:
    """Tell whether a text is the unique id of a user of IAM."""
    return _USER_IDS.fullmatch(text) is not None


def tokens_in(text: str) -> frozenset[str]:
    """Return the tokens that stand in a text."""
    return frozenset(TOKEN.findall(text)) if "person-" in text else frozenset()


def spoken_person(text: str) -> str:
    """Return a text for people: tokens that nobody could replace by a name stand for who was forgotten."""
    return TOKEN.sub(lambda match: f"{FORGOTTEN} {match[0].removeprefix('person-')[:_SHORT_DIGITS]}", text)


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Return JSON with names where tokens stood.

    Of a forgotten person (a token without a name) a value that is the token alone says so, with its first digits, which
    tell one forgotten person from another; within ARNs the token stays, so that they can still be asked for.

    Args:
        text: JSON.
        names: By token.
    """

    def whole(match: re.Match[str]) -> str:
        return match[0] if match[1] in names else spoken_person(match[0])

    written = {token: json.dumps(name, ensure_ascii=False)[1:-1] for token, name in names.items()}
    return TOKEN.sub(lambda match: written.get(match[0], match[0]), _VALUES.sub(whole, text))
