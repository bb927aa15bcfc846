"""Semantic versions by rule: how a model or its data differ from the version before, as a number that says it.

Models: major, where the interface changed (content types, input configuration, signature, features); minor, where the
training data did; patch, where the model was trained anew on the same. Data as Croissant 1.1 defines it for
``version``: patch, the same data written or packed otherwise; minor, more data, and what was there can still be had as
it was; major, data was changed or removed. What is not known is never taken for equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Change = Literal["first", "major", "minor", "patch"]

_NAMED = 3
"""So many names stand in a reason; the rest is counted."""


class Step(NamedTuple):
    """What a version changed against the one before; ``certain`` is False where it had to guess: see ``reason``."""

    change: Change
    reason: str
    certain: bool = True


class ModelMakeup(NamedTuple):
    """What the rule for models looks at.

    Attributes:
        interface: What callers see, by name; empty where nothing of it is known.
        data: The content of what it was trained on, by role; None where a role's content, or all of it, is not known.
        others: What else it was made of (code, image), which makes no version but is told.
    """

    interface: Mapping[str, Any]
    data: frozenset[tuple[str, str]] | None
    others: Mapping[str, frozenset[str]]


class Contents(NamedTuple):
    """What the rule for data looks at.

    Attributes:
        objects: Of each object key, identity and size; None where the listing is not known, or is cut.
        number: How many objects; None where that is not known.
        size: How many bytes; None likewise.
    """

    objects: Sequence[tuple[str, str, int]] | None
    number: int | None = None
    size: int | None = None


FIRST = Step("first", "the first version that is known")


def model_step(before: ModelMakeup, after: ModelMakeup) -> Step:
    """Return how a model differs from the version before."""
    names = before.interface.keys() | after.interface.keys()
    both = before.interface.keys() & after.interface.keys()
    changed = sorted(name for name in both if before.interface[name] != after.interface[name])
    if changed:
        return Step("major", f"the interface changed: {_listed(changed)}")
    unknown = sorted(names - both)
    note = ""
    if not names:
        note = "; nothing is known of its interface"
    elif unknown:
        note = f"; its {_listed(unknown)} {'is' if len(unknown) == 1 else 'are'} known of one of the two only"
    if before.data is None or after.data is None:
        return Step("minor", f"it is not known whether the training data is the same{note}", certain=False)
    if before.data != after.data:
        roles = sorted({role for role, _ in before.data ^ after.data})
        return Step("minor", f"other training data: {_listed(roles)}{note}", certain=not note)
    others = sorted(
        name
        for name in before.others.keys() | after.others.keys()
        if before.others.get(name, frozenset()) != after.others.get(name, frozenset())
    )
    how = f" with other {' and '.join(others)}" if others else ""
    return Step("patch", f"trained anew on the same data{how}{note}", certain=not note)


def data_step(before: Contents, after: Contents) -> Step:
    """Return how data differs from the version before; both are known to differ."""
    if before.objects is None or after.objects is None:
        return _by_totals(before, after)
    old, new = _contents(before.objects), _contents(after.objects)
    gone, came = old - new, new - old
    if not gone and not came:
        return Step("patch", f"the same {_counted(sum(new.values()), 'object')} under other names")
    if gone:
        return Step("major", _lost(before.objects, after.objects, gone.total()))
    moved = _missing_keys(before.objects, after.objects)
    note = f"; {moved} under other names" if moved else ""
    return Step("minor", f"{_counted(came.total(), 'object')} more, all that was there is as it was{note}")


def _by_totals(before: Contents, after: Contents) -> Step:
    """Judge by what is known: less than before is a loss for certain; the rest cannot be told and counts as one."""
    for name, earlier, later in (("objects", before.number, after.number), ("bytes", before.size, after.size)):
        if earlier is not None and later is not None and later < earlier:
            return Step("major", f"fewer {name}: {earlier:,} before, {later:,} now")
    return Step("major", "which objects it has is not known: nothing shows that the old data is there", certain=False)


def _contents(objects: Iterable[tuple[str, str, int]]) -> Counter[tuple[str, int]]:
    return Counter((identity, size) for _, identity, size in objects)


def _lost(before: Sequence[tuple[str, str, int]], after: Sequence[tuple[str, str, int]], gone: int) -> str:
    keys = {key for key, _, _ in after}
    now = {(key, identity, size) for key, identity, size in after}
    changed = sorted(row[0] for row in before if row not in now and row[0] in keys)
    removed = gone - len(changed)
    told = [f"{_counted(len(changed), 'object')} changed ({_listed(changed)})"] if changed else []
    if removed > 0:
        told.append(f"{_counted(removed, 'object')} removed")
    return ", ".join(told)


def _missing_keys(before: Sequence[tuple[str, str, int]], after: Sequence[tuple[str, str, int]]) -> int:
    keys = {key for key, _, _ in after}
    return sum(1 for key, _, _ in before if key not in keys)


def numbers(steps: Iterable[Step]) -> list[str]:
    """Return the version of each of some steps, in their order: ``1.0.0``, then what each one raises."""
    found = []
    major, minor, patch = 1, 0, 0
    for step in steps:
        if step.change == "major":
            major, minor, patch = major + 1, 0, 0
        elif step.change == "minor":
            minor, patch = minor + 1, 0
        elif step.change == "patch":
            patch += 1
        found.append(f"{major}.{minor}.{patch}")
    return found


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name or "the object" for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
