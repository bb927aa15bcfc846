"""Reading sections so that what no rule has read is left over, and a value of another type harms nothing.

``take_…`` removes what it returns. After a resource has been translated, what remains in its sections is what no rule
understood: it is kept as it came (``left_over``). The sections belong to the resource alone (see ``read_resource``).
"""

from __future__ import annotations

import sys
from typing import Any

from hallmark.events.resources import Section

MAXIMUM_TEXT = 1500
"""An image has 255 characters at most, an S3 key 1,024 (SageMaker and S3 API reference); a node's id 2,000."""


def within(section: object, *path: str) -> Section:
    """Return the section at a path; an empty one where there is none."""
    found = section
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def each(section: object, *path: str) -> list[Section]:
    """Return the sections of the list at a path; items of another type are passed over."""
    found = within(section, *path[:-1]).get(path[-1]) if path else section
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def take(section: object, *path: str) -> Any:
    """Return the value at a path, of any type; None for none."""
    return within(section, *path[:-1]).pop(path[-1], None)


def take_text(section: object, *path: str) -> str | None:
    """Return the text at a path; None for none, for a blank one, and for one too long to be a name or an address."""
    holder = within(section, *path[:-1])
    value = holder.get(path[-1])
    if not isinstance(value, str) or not value.strip() or len(value) > MAXIMUM_TEXT:
        return None
    del holder[path[-1]]
    return value.strip()


def take_number(section: object, *path: str) -> float | None:
    """Return the number at a path; None for none, and for one that JSON cannot write."""
    holder = within(section, *path[:-1])
    value = holder.get(path[-1])
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        return None
    del holder[path[-1]]
    return value


def take_all(section: Section | None) -> Section | None:
    """Return a whole section."""
    if not section:
        return None
    found = dict(section)
    section.clear()
    return found


def left_over(value: Any) -> Any:
    """Return what has not been taken; None where nothing has remained. Items of lists keep their places."""
    if isinstance(value, dict):
        kept = {name: rest for name, item in value.items() if (rest := left_over(item)) is not None}
        return kept or None
    if isinstance(value, list):
        rests = [left_over(item) for item in value]
        return None if all(rest is None for rest in rests) else rests
    return value
