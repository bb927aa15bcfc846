"""What is named like a credential is not kept: only enough of its digest to tell whether it has changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

_DIGEST_LENGTH = 8
"""32 bits tell two values apart, and leave too many candidates to find the value by trying."""

_WORDS = (
    *("password", "passwd", "passphrase", "secret", "credential", "apikey", "privatekey", "accesskey"),
    *("signingkey", "accountkey", "storagekey", "connectionstring", "bearer"),
)
_NO_SECRETS = ("accesskeyid",)
_TOKEN = re.compile(r"(?:^|[^a-z0-9])(?:(?P<of>[a-z0-9]+)[^a-z0-9]+)?token$")
_TOKENS_OF_TEXT = frozenset({"bos", "cls", "end", "eos", "image", "mask", "pad", "sep", "special", "start", "unk"})
"""Tokenizers have tokens too (``eos_token``); their values are no secrets."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


def is_secret(name: str, value: object) -> bool:
    """Tell whether a value is named like a credential. An ARN names a secret, it is none."""
    if not _names_a_secret(name) or not isinstance(value, str | int | float) or isinstance(value, bool):
        return False
    return not str(value).startswith("arn:")


@lru_cache(maxsize=2048)
def _names_a_secret(name: str) -> bool:
    # A team's jobs use the same few names again and again.
    words = _HUMP.sub("_", name).lower()
    joined = re.sub(r"[^a-z0-9]", "", words)
    if joined.endswith(_NO_SECRETS):
        return False
    token = _TOKEN.search(words)
    return any(word in joined for word in _WORDS) or (token is not None and token["of"] not in _TOKENS_OF_TEXT)


def concealed(value: object) -> str:
    """Return ``sha256:`` and the beginning of a value's digest: a comparison tells a change, not the value."""
    return f"sha256:{hashlib.sha256(str(value).encode()).hexdigest()[:_DIGEST_LENGTH]}…"


def without_secrets(values: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return hyperparameters or variables with the values of credentials concealed."""
    if not values:
        return None
    return {
        name: concealed(value) if is_secret(name, value) else without_login(value) for name, value in values.items()
    }


def without_secrets_within(value: Any) -> Any:
    """Return a JSON value with every credential within it concealed."""
    if isinstance(value, str):
        return without_login(value)
    if isinstance(value, dict):
        return {
            name: concealed(item) if is_secret(name, item) else without_secrets_within(item)
            for name, item in value.items()
        }
    return [without_secrets_within(item) for item in value] if isinstance(value, list) else value


def without_secret_arguments(arguments: Iterable[object]) -> list[object]:
    """Return a command line with credentials concealed: ``--api-key VALUE``, ``--api-key=VALUE``, ``API_KEY=VALUE``."""
    kept: list[object] = []
    follows = False
    for argument in arguments:
        shown = argument
        if isinstance(argument, str):
            name, separator, value = argument.partition("=")
            option = argument.startswith("-")
            if follows and not option:
                shown = concealed(argument)
            elif separator and is_secret(name.lstrip("-"), value):
                shown = f"{name}={concealed(value)}"
            else:
                shown = without_login(argument)
            follows = option and not separator and is_secret(name.lstrip("-"), "")
        kept.append(shown)
    return kept


def without_login(text: str) -> str:
    """Return an address without the name and password that it may carry (``https://name:token@host/…``)."""
    return _LOGIN.sub("", text) if "://" in text else text
