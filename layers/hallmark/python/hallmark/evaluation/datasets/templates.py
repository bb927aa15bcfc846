"""Text around each prompt."""

from __future__ import annotations

import re

from hallmark.errors import InvalidInputError
from hallmark.evaluation.cases import Case
from hallmark.evaluation.suites import DatasetSource

_PLACE = re.compile(r"\{(\w+)\}")
_KNOWN = ("prompt", "context", "choices")


def check_template(template: str) -> None:
    """Refuse a template that names something that no case has.

    Raises:
        InvalidInputError: It does.
    """
    unknown = [name for name in _PLACE.findall(template) if name not in _KNOWN]
    if unknown:
        raise InvalidInputError(
            "template", template, f"{{{unknown[0]}}} is unknown: use {{prompt}}, {{context}}, {{choices}}"
        )


def render(case: Case, source: DatasetSource) -> Case:
    """Put the source's template around the case's prompt; a conversation stays as it is."""
    if source.template is None or case.prompt is None:
        return case
    texts = {"prompt": case.prompt, "context": "\n\n".join(case.context), "choices": "\n".join(case.choices)}
    prompt = _PLACE.sub(lambda place: texts.get(place[1], place[0]), source.template)
    return case.model_copy(update={"prompt": prompt})
