"""Text around each prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hallmark.evaluation.cases import Case
from hallmark.evaluation.suites import DatasetSource

_PLACE = re.compile(r"\{(\w+)\}")


def with_shots(cases: Sequence[Case], examples: Sequence[Case], shots: int) -> tuple[Case, ...]:
    """Put solved examples before each question, as few-shot evaluations do (Brown et al. 2020).

    Args:
        cases: Cases with prompts; a conversation stays as it is.
        examples: Solved cases, in the order in which they are taken.
        shots: How many each question gets; those of its own category, where there are as many.
    """
    solved = [(each.category, f"{each.question}\n{each.expected[0]}") for each in examples if each.expected]
    found: list[Case] = []
    for case in cases:
        own = [text for category, text in solved if category == case.category][:shots]
        shown = own if len(own) == shots else [text for _, text in solved[:shots]]
        text = "\n\n".join([*shown, case.question])
        found.append(case if case.prompt is None else case.model_copy(update={"prompt": text}))
    return tuple(found)


def render(case: Case, source: DatasetSource) -> Case:
    """Put the source's template around the case's prompt; a conversation stays as it is."""
    if source.template is None or case.prompt is None:
        return case
    texts = {"prompt": case.prompt, "context": "\n\n".join(case.context), "choices": "\n".join(case.choices)}
    prompt = _PLACE.sub(lambda place: texts.get(place[1], place[0]), source.template)
    return case.model_copy(update={"prompt": prompt})
