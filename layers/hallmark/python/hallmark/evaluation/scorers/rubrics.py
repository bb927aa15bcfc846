"""What a judge is asked: rubrics in YAML, versioned by their content."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Direction, Metric

_FOLDER = Path(__file__).with_name("rubrics")
BUILT_IN = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))
"""Names of the rubrics that come with Hallmark."""
_DIGEST_LENGTH = 16
_Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Scale(BaseModel):
    """Whole numbers that a judge may give, with what they mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int = 1
    high: int = 5
    levels: dict[int, _Text] = {}
    """What a number means; those between two that are described lie between them."""

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}: low must be less")
        outside = [level for level in self.levels if not self.low <= level <= self.high]
        if outside:
            raise ValueError(f"levels describe {outside[0]}, which is not from {self.low} to {self.high}")
        return self


class Rubric(BaseModel):
    """What a judge is asked of an answer, or of two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]
    title: _Text
    question: _Text
    criteria: _Text
    scale: Scale = Scale()
    direction: Literal["higher", "lower"] = "higher"
    """Which end of the scale is good."""
    pairwise: bool = False
    """Whether two answers are compared; the scale is not used then."""
    needs_context: bool = False
    """Whether a case without context does not apply."""
    needs_expected: bool = False
    """Whether a case without an expected answer does not apply."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the rubric says: its version."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def version(self) -> str:
        """Name and the beginning of the digest."""
        return f"{self.name}@{self.digest[:_DIGEST_LENGTH]}"

    @property
    def metric(self) -> Metric:
        """What it measures, from 0 to 1; of two answers, 1 where the judged one wins and 0.5 for a tie."""
        direction = Direction.HIGHER if self.direction == "higher" else Direction.LOWER
        return Metric(name=f"judge_{self.name.replace('-', '_')}", title=f"{self.title} (judge)", direction=direction)


def parse_rubric(text: str, *, source: str) -> Rubric:
    """Return the rubric that a YAML file says.

    Args:
        text: Content of the file.
        source: Its name, for errors.

    Raises:
        InvalidInputError: It is no YAML, or no rubric.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInputError(source, text, f"it is no YAML: {error}") from error
    try:
        return Rubric.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, (source, *first["loc"])))
        raise InvalidInputError(where, first["input"], first["msg"].removeprefix("Value error, ")) from error


def load_rubric(name: str, folder: Path | None = None) -> Rubric:
    """Return a rubric by name: a file ``NAME.yaml`` of the team's folder, else one that comes with Hallmark.

    Raises:
        InvalidInputError: There is none of that name, or it is wrong.
    """
    own = folder / f"{name}.yaml" if folder is not None else None
    if own is not None and own.is_file():
        return parse_rubric(own.read_text(encoding="utf-8"), source=str(own))
    if name not in BUILT_IN:
        there = sorted({*BUILT_IN, *(path.stem for path in (folder.glob("*.yaml") if folder else ()))})
        raise InvalidInputError("judge.rubric", name, f"name one of {', '.join(there)}, or write rubrics/{name}.yaml")
    return parse_rubric((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), source=f"rubrics/{name}.yaml")
