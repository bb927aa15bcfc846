"""Reading ``hallmark.yaml``: an error names the file, the line, the field, the value and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pydantic import ValidationError

from hallmark.alerts.checking import check_alerts
from hallmark.errors import HallmarkError, InvalidInputError
from hallmark.evaluation.jobs.evaluation_metrics import human_metric
from hallmark.evaluation.judging import judge_metric, read_rubric
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.scorers.registry import embed_source, measured_by, validate_scorers
from hallmark.evaluation.suites import EvaluationPolicy
from hallmark.policy.gates import check_gates
from hallmark.policy.models import Policy
from hallmark.policy.monitors import check_monitors


class PolicyError(HallmarkError):
    """The policy file cannot be used as it is."""


def read_policy(path: Path) -> Policy:
    """Read and check a policy file.

    Raises:
        PolicyError: The file is missing, is not YAML, or says something that no policy may say; one line per fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PolicyError(f"{path}: there is no such file; copy hallmark.yaml from the repository") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(f"{path}:{line}: not valid YAML: {error.problem}; check the indentation there") from None
    try:
        policy = _with_sources(Policy.model_validate({} if content is None else content), path.parent)
        validate_scorers(policy.evaluation)
        check_alerts(policy.alerts)
        measured = _measured(policy.evaluation, path.parent / "policy" / "rubrics")
        check_gates(policy, measured)
        check_monitors(policy, measured)
        _check_reviews(policy)
    except InvalidInputError as error:
        raise PolicyError(f"{path}:{_line(root, _steps(error.field))}: {error}") from None
    except ValidationError as error:
        faults = [
            f"{path}:{_line(root, fault['loc'])}: {'.'.join(map(str, fault['loc'])) or 'the file'} is "
            f"{_shown(fault['input'])}: {_remedy(fault['type'], fault['msg'])}"
            for fault in error.errors()
        ]
        raise PolicyError("\n".join(faults)) from None
    return policy


def _with_sources(policy: Policy, folder: Path) -> Policy:
    """Return the policy with the team's own scorers in it, so that it needs their files no more.

    Raises:
        InvalidInputError: A file cannot be read.
    """
    suites = {}
    for name, suite in policy.evaluation.suites.items():
        scorers = []
        for place, choice in enumerate(suite.scorers):
            try:
                scorers.append(embed_source(choice, folder))
            except ValueError as error:
                field = f"evaluation.suites.{name}.scorers[{place}]"
                raise InvalidInputError(field, choice.parameters.get("file"), str(error)) from None
        suites[name] = suite.model_copy(update={"scorers": tuple(scorers)})
    return policy.model_copy(update={"evaluation": policy.evaluation.model_copy(update={"suites": suites})})


def _measured(policy: EvaluationPolicy, rubrics: Path) -> dict[str, list[Metric]]:
    """Return what each suite measures; each rubric can be read, and the metric which decides is measured.

    Raises:
        InvalidInputError: A rubric is missing or wrong, or nothing measures what is to decide.
    """
    found = {}
    for name, suite in policy.suites.items():
        place = f"evaluation.suites.{name}"
        measured = [metric for choice in suite.scorers for metric in measured_by(choice, suite, policy)]
        named = [("managed.rubrics", rubric) for rubric in suite.managed.rubrics]
        if suite.judge is not None:
            named.append(("judge.rubric", suite.judge.rubric))
        for field, rubric in named:
            try:
                measured.append(judge_metric(rubric, read_rubric(rubric, rubrics)))
            except InvalidInputError as error:
                raise InvalidInputError(f"{place}.{field}", rubric, error.remedy) from None
        if suite.managed.workers is not None:
            measured += [human_metric(asked) for asked in suite.managed.workers.metrics]
        primary, names = suite.comparison.primary, [metric.name for metric in measured]
        if primary is not None and primary not in names:
            remedy = f"name a metric that the suite measures: {', '.join(names)}"
            raise InvalidInputError(f"{place}.comparison.primary", primary, remedy)
        found[name] = measured
    return found


_CASE_LABELS = ("group", "category", "difficulty")


def _check_reviews(policy: Policy) -> None:
    """Check that reviews of a suite's answers name a suite, one of its models, and strata that its cases have.

    Raises:
        InvalidInputError: One does not.
    """
    for name, program in policy.reviews.programs.items():
        place, source = f"reviews.programs.{name}", program.source
        if source.kind != "evaluation":
            continue
        suite = policy.evaluation.suites.get(source.suite)
        if suite is None:
            there = ", ".join(sorted(policy.evaluation.suites)) or "none"
            remedy = f"name a suite of evaluation.suites ({there})"
            raise InvalidInputError(f"{place}.source.suite", source.suite, remedy)
        if source.variant not in suite.model_variants:
            remedy = f"name one of the suite's model_variants: {', '.join(suite.model_variants)}"
            raise InvalidInputError(f"{place}.source.variant", source.variant, remedy)
        if program.sample.by is not None and program.sample.by not in _CASE_LABELS:
            remedy = f"cases of an evaluation have {', '.join(_CASE_LABELS)}: take one of them"
            raise InvalidInputError(f"{place}.sample.by", program.sample.by, remedy)


def _steps(field: str) -> tuple[int | str, ...]:
    return tuple(int(step) if step.isdigit() else step for step in re.split(r"[.\[\]]+", field.rstrip("]")))


_SHOWN_CHARACTERS = 120


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _remedy(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "no such field; remove it or correct its name (docs/policy.md lists them)"
    return message.removeprefix("Value error, ")


def _line(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Return the line (from 1) of the deepest node on the way to a location."""
    line = 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                # A union's tag stands in the location and not in the file.
                continue
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line
