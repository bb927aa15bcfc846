from __future__ import annotations

import re
from collections.abc import Iterator

import botocore.session
import pytest

from local.sagemaker.patterns import compile_pattern


def patterns_of_the_model() -> Iterator[str]:
    model = botocore.session.get_session().get_service_model("sagemaker")
    for name in model.shape_names:
        pattern = model.shape_for(name).metadata.get("pattern")
        if pattern:
            yield pattern


def test_every_pattern_of_the_service_model_compiles() -> None:
    patterns = set(patterns_of_the_model())

    compiled = {pattern: compile_pattern(pattern) for pattern in patterns}

    assert len(compiled) > 100
    assert all(isinstance(each, re.Pattern) for each in compiled.values())


TAG = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"


@pytest.mark.parametrize("value", ["", "team/a-b_c.d:e=f+g@h", "größe 7", "数据", "٣", "\u00a0"])
def test_a_tag_may_have_letters_numbers_and_spaces_of_any_script(value: str) -> None:
    assert compile_pattern(TAG).fullmatch(value)


@pytest.mark.parametrize("value", ["a,b", "tab\t", "(x)", "a#b", "€"])
def test_a_tag_may_have_no_other_signs(value: str) -> None:
    assert not compile_pattern(TAG).fullmatch(value)


def test_a_class_of_marks_and_punctuation_has_no_control_characters() -> None:
    description = compile_pattern(r"[\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}]*")

    assert description.fullmatch("Größe: 3 € – naïve! \U0001f600")  # noqa: RUF001
    assert not description.fullmatch("a\x00b")


def test_java_s_surrogate_pairs_are_the_characters_beyond_the_basic_plane() -> None:
    catalog = compile_pattern(r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*")

    assert catalog.fullmatch("ok\t\U0001f600")
    assert not catalog.fullmatch("bell\x07")
