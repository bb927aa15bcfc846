"""Replacing what an emulator's module holds, only while it looks as it did when the replacement was written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

MINISTACK_VERSION = "1.5.33"


class EmulatorChangedError(RuntimeError):
    """MiniStack is no longer what a mend was written for; the message names the mend's module and what changed."""


def replace_function(module: ModuleType, name: str, parameters: tuple[str, ...], make: Callable[[Any], Any]) -> None:
    """Put ``make(original)`` in the place of a function of ``module``; a second time changes nothing.

    Args:
        module: A module of MiniStack.
        name: Name of the function in it.
        parameters: Names of its parameters, as the mend knows them.
        make: Takes the original and returns what replaces it.

    Raises:
        EmulatorChangedError: There is no such function, or its parameters are others.
    """
    _replace(module, f"{module.__name__}.{name}", name, parameters, make)


def replace_method(owner: type, name: str, parameters: tuple[str, ...], make: Callable[[Any], Any]) -> None:
    """Put ``make(original)`` in the place of a method of a class, as :func:`replace_function` does for functions."""
    _replace(owner, f"{owner.__module__}.{owner.__qualname__}.{name}", name, parameters, make)


def replace_text(text: str, old: str, new: str, what: str) -> str:
    """Return ``text`` with its one occurrence of ``old`` replaced.

    Raises:
        EmulatorChangedError: ``old`` does not occur exactly once.
    """
    if text.count(old) != 1:
        raise EmulatorChangedError(f"{what} has {text.count(old)} times what a mend replaces: {old[:80]!r}; {_REMEDY}")
    return text.replace(old, new)


_REMEDY = f"the mends of local/patches are written for MiniStack {MINISTACK_VERSION}: install that, or adapt the mend"


def _replace(
    owner: ModuleType | type, full_name: str, name: str, parameters: tuple[str, ...], make: Callable[[Any], Any]
) -> None:
    original = getattr(owner, name, None)
    if getattr(original, "replaces", None) is not None:
        return
    if not callable(original):
        raise EmulatorChangedError(f"{full_name} is gone; {_REMEDY}")
    found = tuple(inspect.signature(original).parameters)
    if found != parameters:
        raise EmulatorChangedError(f"{full_name} takes {found} instead of {parameters}; {_REMEDY}")
    replacement = make(original)
    replacement.replaces = original
    setattr(owner, name, replacement)
