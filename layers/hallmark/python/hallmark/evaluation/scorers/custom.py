"""A team's own scorer: one Python file with one function, ``score``.

    LOW, HIGH = 0, 1            # optional: values outside are failures
    DIRECTION = "higher"        # optional: or "lower"
    METRICS = ("tone", "tact")  # optional: then ``score`` returns a dict with these names

    def score(case: dict, answer: str) -> float: ...

The file is code of the team that owns the policy: it is run as it stands, with the rights of the function that scores.
"""

from __future__ import annotations

import ast
import hashlib
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from pydantic import Field

from hallmark.evaluation.cases import Case
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.settings import ScorerSettings, failed, scored, signature_of

_FUNCTION = "score"
_PARAMETERS = 2
_DIRECTIONS = {"higher": Direction.HIGHER, "lower": Direction.LOWER}
_DIGEST_LENGTH = 16


class _Attempt(AbstractContextManager["_Attempt"]):
    """Keeps what a team's code raised, whatever it is: it becomes the case's failure, and the run goes on."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
            return True
        return False


@dataclass(frozen=True, slots=True)
class CustomScorer:
    """Scores with a function of a file; its version is the digest of the file."""

    name: str
    source: str
    metrics: tuple[Metric, ...] = field(init=False)
    _function: Callable[[dict[str, Any], str], Any] = field(init=False, repr=False)
    _returns_dict: bool = field(init=False)

    def __post_init__(self) -> None:
        namespace = _run(_compiled(self.source, self.name), self.name)
        names = namespace.get("METRICS")
        object.__setattr__(self, "_function", namespace[_FUNCTION])
        object.__setattr__(self, "_returns_dict", names is not None)
        object.__setattr__(self, "metrics", _metrics_of(self.name, namespace, names))

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    @property
    def signature(self) -> str:
        """Name and digest of the file."""
        return signature_of("custom", 1, file=self.name, sha256=self.digest[:_DIGEST_LENGTH])

    def score(self, case: Case, answer: Answer, /) -> tuple[Score, ...]:
        """Score an answer; what the function raises is the failure of this case."""
        with _Attempt() as attempt:
            returned = self._function(case.model_dump(mode="json"), answer.text)
        if attempt.error is not None:
            return failed(self.metrics, self._told(attempt.error))
        if not self._returns_dict:
            return (_score_of(self.metrics[0], returned),)
        if not isinstance(returned, dict) or returned.keys() != {metric.name for metric in self.metrics}:
            there = ", ".join(metric.name for metric in self.metrics)
            return failed(self.metrics, f"score returned {_short(returned)}: return a dict with the names {there}")
        return tuple(_score_of(metric, returned[metric.name]) for metric in self.metrics)

    def _told(self, error: BaseException) -> str:
        trace, line = error.__traceback__, None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.name:
                line = trace.tb_lineno
            trace = trace.tb_next
        place = f" (line {line} of {self.name})" if line else f" ({self.name})"
        return f"{type(error).__name__}: {_short_text(str(error))}{place}"


def _score_of(metric: Metric, returned: object) -> Score:
    if isinstance(returned, bool):
        return scored(metric, float(returned))
    if returned is None:
        return Score(metric=metric.name)
    if not isinstance(returned, int | float):
        return Score(metric=metric.name, failure=f"score returned {_short(returned)}: return a number, or None")
    try:
        return scored(metric, float(returned))
    except OverflowError:
        return Score(metric=metric.name, failure="the score is a whole number too large for a float")


def _compiled(source: str, name: str) -> CodeType:
    try:
        tree = ast.parse(source, filename=name)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{name} is no Python file: {error}") from error
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    public = [node for node in functions if not node.name.startswith("_")]
    if [node.name for node in public] != [_FUNCTION] or not isinstance(public[0], ast.FunctionDef):
        there = ", ".join(node.name for node in public) or "none"
        raise ValueError(
            f"{name} has these public functions: {there}. Write exactly one, `def score(case: dict, answer: str)`; "
            "begin the names of others with _"
        )
    arguments = public[0].args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    if (
        len(arguments.posonlyargs) + len(arguments.args) < _PARAMETERS
        or needed > _PARAMETERS
        or any(default is None for default in arguments.kw_defaults)
    ):
        raise ValueError(f"score in {name} (line {public[0].lineno}) must take two arguments: case and answer")
    return compile(tree, name, "exec")


def _run(code: CodeType, name: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": Path(name).stem}
    with _Attempt() as attempt:
        exec(code, namespace)  # noqa: S102 - the team's own code, from its own policy
    if attempt.error is not None:
        raise ValueError(f"{name} cannot be loaded: {type(attempt.error).__name__}: {attempt.error}")
    return namespace


def _metrics_of(name: str, namespace: dict[str, Any], names: object) -> tuple[Metric, ...]:
    low, high = (_bound(name, namespace, bound) for bound in ("LOW", "HIGH"))
    if low is not None and high is not None and low >= high:
        raise ValueError(f"{name} has LOW {low:g} and HIGH {high:g}: LOW must be less")
    told = namespace.get("DIRECTION", "higher")
    direction = _DIRECTIONS.get(told) if isinstance(told, str) else None
    if direction is None:
        raise ValueError(f"DIRECTION in {name} is {_short(told)}: write 'higher' or 'lower'")
    kind = MetricKind.BOUNDED if low is not None and high is not None else MetricKind.UNBOUNDED
    return tuple(
        Metric(name=each, title=each.replace("_", " ").capitalize(), direction=direction, kind=kind, low=low, high=high)
        for each in _names_of(name, names)
    )


def _names_of(name: str, names: object) -> tuple[str, ...]:
    if names is None:
        return (_metric_name(name),)
    found = tuple(names) if isinstance(names, list | tuple) else ()
    if not found or not all(isinstance(each, str) and each for each in found) or len(set(found)) < len(found):
        raise ValueError(f"METRICS in {name} is {_short(names)}: write a tuple of different names")
    return found


def _metric_name(name: str) -> str:
    return Path(name).stem.replace("-", "_")


def _bound(name: str, namespace: dict[str, Any], bound: str) -> float | None:
    value = namespace.get(bound)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{bound} in {name} is {_short(value)}: write a number")
    return float(value)


def _short(value: object) -> str:
    with _Attempt() as attempt:
        return _short_text(repr(value))
    return f"an object whose repr raises {type(attempt.error).__name__}"


def _short_text(text: str) -> str:
    longest = 200
    return text if len(text) <= longest else text[:longest] + "…"


class CustomSettings(ScorerSettings):
    """A team's own function."""

    file: str = Field(min_length=1)
    """Python file in the team's folder of scorers; its name is the metric's, where ``METRICS`` names none."""
    source: str | None = None
    """What the file says; the registry reads it where there is none."""

    def scorer(self, labels: tuple[str, ...]) -> Scorer:  # noqa: ARG002 - the contract's
        """Make the scorer.

        Raises:
            ValueError: The file cannot be read or is not a scorer.
        """
        source = read_source(Path(self.file)) if self.source is None else self.source
        return CustomScorer(self.file, source)


def read_source(path: Path) -> str:
    """Return what a file says.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
