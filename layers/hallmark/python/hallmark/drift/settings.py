"""Section ``drift`` of ``hallmark.yaml``: what is watched in production, against what, and what follows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from hallmark.durations import Duration

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
"""Lower-case letters, digits and hyphens: it becomes part of names in AWS."""
FeatureName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
Location = Annotated[str, StringConstraints(pattern=r"^s3://[^/]+(/.*)?$")]
"""``{account}`` and ``{region}`` are replaced."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


# --- sources ----------------------------------------------------------------------------------------------------------


class DataCapture(_Section):
    """What an endpoint was asked and answered: SageMaker's data capture, JSON lines by hour."""

    kind: Literal["data_capture"] = "data_capture"
    location: Location
    """``DestinationS3Uri`` of the endpoint's ``DataCaptureConfig``."""
    variant: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}$")
    """One production variant; all of them where it is None."""


class InvocationLogs(_Section):
    """What a model of Bedrock was asked and answered: model invocation logging to S3."""

    kind: Literal["invocation_logs"] = "invocation_logs"
    location: Location
    """Bucket and prefix of the logging configuration, without ``AWSLogs/``."""


class MetricQuery(_Section):
    """A series of CloudWatch; with ``per`` its ratio to another one, point by point."""

    metric: str = Field(min_length=1, max_length=255)
    statistic: str = Field(
        default="Average", pattern=r"^(Average|Sum|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d{1,2})?)$"
    )
    per: str | None = Field(default=None, min_length=1, max_length=255)
    """Metric whose sum divides this one's: an error rate is ``InvocationServerErrors`` per ``Invocations``."""


class CloudWatchMetrics(_Section):
    """Metrics of the subject: latency, errors, tokens."""

    kind: Literal["metrics"] = "metrics"
    namespace: str = Field(default="AWS/Bedrock", min_length=1, max_length=255)
    dimensions: dict[str, str] = {}
    """Besides the one that names the subject: ``ModelId``, or ``EndpointName`` and ``VariantName``."""
    period: Duration = timedelta(minutes=1)
    """Length of a point; a window has one value for each."""
    queries: dict[FeatureName, MetricQuery] = Field(min_length=1)
    """What features select: ``$.<name>``."""


class EvaluationHistory(_Section):
    """What the runs of a suite found of a model variant."""

    kind: Literal["evaluations"] = "evaluations"
    variant: Name
    """A model of the suite."""


class HumanScores(_Section):
    """Scores of people and of production's feedback, from the events on the hallmark bus."""

    kind: Literal["scores"] = "scores"


Source = Annotated[
    DataCapture | InvocationLogs | CloudWatchMetrics | EvaluationHistory | HumanScores, Field(discriminator="kind")
]

# --- features ---------------------------------------------------------------------------------------------------------

_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]|\[['\"]([^'\"\]]+)['\"]\]")


def read_selector(selector: str) -> tuple[str | int, ...]:
    """Return the steps of a selector: ``$.input[3]`` is ``("input", 3)``.

    Raises:
        ValueError: It is none.
    """
    steps: list[str | int] = []
    place = 1
    while selector.startswith("$") and place < len(selector):
        match = _STEP.match(selector, place)
        if match is None:
            break
        steps.append(int(match[2]) if match[2] is not None else match[1] or match[3])
        place = match.end()
    if not selector.startswith("$") or place < len(selector) or not steps:
        raise ValueError("write the way to a value from the record: $.input[3], $.output.label, $.answer")
    return tuple(steps)


def _check_selector(value: str) -> str:
    read_selector(value)
    return value


TextTrait = Literal["length", "tokens", "language", "is_refusal", "toxicity", "embedding"]


class Feature(_Section):
    """A value of each record."""

    kind: Literal["numeric", "categorical", "text"] = "numeric"
    select: Annotated[str, AfterValidator(_check_selector)]
    """Where it stands in a record: ``$.input[0]`` is the first column of CSV (docs/drift.md, records of a source)."""
    column: str | None = None
    """Column or field of a fixed baseline's dataset; the feature's own name where it is None."""
    traits: tuple[TextTrait, ...] = ("length", "tokens", "language", "is_refusal")
    """What is derived of a text: a feature each, ``<name>.<trait>``. ``embedding``: what it says, as a vector; a sample
    of the texts is kept so, and judged by ``mmd`` and ``domain_classifier``."""


# --- baselines --------------------------------------------------------------------------------------------------------


class FixedBaseline(_Section):
    """A dataset: CSV with a header, or JSON lines."""

    kind: Literal["fixed"] = "fixed"
    location: Location
    """An object, or a prefix that ends with ``/``."""


class DeploymentBaseline(_Section):
    """The first windows after each deployment: captured anew when the endpoint has another configuration."""

    kind: Literal["deployment"] = "deployment"
    windows: int = Field(default=1, ge=1, le=1000)


class RollingBaseline(_Section):
    """The windows before the one that is looked at."""

    kind: Literal["rolling"] = "rolling"
    windows: int = Field(default=7, ge=1, le=1000)


Baseline = Annotated[FixedBaseline | DeploymentBaseline | RollingBaseline, Field(discriminator="kind")]

# --- checks -----------------------------------------------------------------------------------------------------------

Statistic = Literal[
    "jensen_shannon",
    "psi",
    "chi_square",
    "kolmogorov_smirnov",
    "wasserstein",
    "p95_ratio",
    "mean_increase",
    "mean_decrease",
    "rate_increase",
    "rate_decrease",
    "score_floor",
    "missing_share",
    "cusum",
    "page_hinkley",
    "adwin",
    "mmd",
    "domain_classifier",
]
"""``hallmark/drift/statistics/checks.py`` says what each measures, and has the same names: a test compares them."""

FeatureKind = Literal["numeric", "categorical", "embedding"]
ON_EMBEDDINGS: frozenset[str] = frozenset({"mmd", "domain_classifier"})
"""Statistics that judge vectors, and nothing else."""

ANY_KIND: frozenset[str] = frozenset({"jensen_shannon", "psi", "chi_square", "missing_share"})
"""Statistics that judge categories as well as numbers."""
HAS_READING: frozenset[str] = frozenset(
    {"mean_increase", "mean_decrease", "rate_increase", "rate_decrease", "missing_share"}
)
"""Statistics of which a change is read in points, or as a part of the baseline's value."""
TRAIT_KINDS: dict[TextTrait, FeatureKind] = {
    "length": "numeric",
    "tokens": "numeric",
    "language": "categorical",
    "is_refusal": "numeric",
    "toxicity": "numeric",
    "embedding": "embedding",
}


class CheckSetting(_Section):
    """A statistic on some features; ``jensen_shannon``, or ``{jensen_shannon: {threshold: 0.2}}``."""

    statistic: Statistic
    threshold: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Smallest change that matters; the field's default where it is None. An alarm needs this and evidence for it."""
    reading: Literal["points", "relative"] = "points"
    """Of an increase: 0.05 is five points of a share, or five percent of the baseline's value."""
    demand: Literal["estimate", "bound"] = "estimate"
    """What lies beyond the threshold in an alarm: the estimate, or the whole of its interval."""
    features: tuple[str, ...] = ()
    """Features that it judges; all that it can where there are none."""

    @model_validator(mode="after")
    def _reads_what_has_a_reading(self) -> Self:
        if self.reading == "relative" and self.statistic not in HAS_READING:
            raise ValueError(f"{self.statistic} has one meaning only: leave reading out")
        return self

    def can_judge(self, kind: str) -> bool:
        """Tell whether it can judge a feature of this kind."""
        if kind == "embedding" or self.statistic in ON_EMBEDDINGS:
            return kind == "embedding" and self.statistic in ON_EMBEDDINGS
        return kind == "numeric" or self.statistic in ANY_KIND


def _to_check(value: object) -> object:
    if isinstance(value, str):
        return {"statistic": value}
    if isinstance(value, dict) and len(value) == 1 and "statistic" not in value:
        ((name, parameters),) = value.items()
        return {"statistic": name, **(parameters or {})}
    return value


# --- actions ----------------------------------------------------------------------------------------------------------


class AlertAction(_Section):
    """Tell people, by the routes of ``alerts``."""

    kind: Literal["alert"] = "alert"


class ReviewAction(_Section):
    """Let people rate a sample of the window."""

    kind: Literal["review"] = "review"


class RetrainAction(_Section):
    """Start a SageMaker pipeline with the drifted window."""

    kind: Literal["retrain"] = "retrain"
    pipeline: str = Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}$")
    parameter: str = Field(default="DriftedWindow", pattern=r"^[A-Za-z0-9\-_]{1,256}$")
    """Pipeline parameter that gets the URI of a manifest of the window's files (SageMaker's ``ManifestFile``)."""
    parameters: dict[str, str] = {}
    """Further parameters of the pipeline."""
    cool_down: Duration = timedelta(days=1)
    at_most_per_week: int = Field(default=2, ge=1, le=50)


class EvaluateAction(_Section):
    """Run a suite."""

    kind: Literal["evaluate"] = "evaluate"
    suite: str


class GateAction(_Section):
    """Ask for a verdict on what is watched."""

    kind: Literal["gate"] = "gate"
    gate: str


Action = Annotated[
    AlertAction | ReviewAction | RetrainAction | EvaluateAction | GateAction, Field(discriminator="kind")
]


def _to_action(value: object) -> object:
    if isinstance(value, str):
        return {"kind": value}
    if isinstance(value, dict) and len(value) == 1 and "kind" not in value:
        ((kind, parameters),) = value.items()
        return {"kind": kind, **(parameters or {})}
    return value


# --- monitors ---------------------------------------------------------------------------------------------------------

_YEAR = timedelta(days=365)
_LEAST_EVERY = timedelta(minutes=1)
_MOST_SLICES = 1000


class Monitor(_Section):
    """What is watched, how often, against what, and what follows."""

    description: str = ""
    endpoint: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
    model: str | None = Field(default=None, min_length=1, max_length=2048)
    """Identifier or ARN of a model of Bedrock, as callers name it."""
    suite: str | None = None
    source: Source
    features: dict[FeatureName, Feature] = Field(min_length=1, max_length=500)
    every: Duration = timedelta(hours=1)
    """How often it looks. What comes in between two looks is read once, and kept as a profile."""
    scheduled: bool = True
    """Whether it looks by itself; else only when somebody asks."""
    window: Duration | None = None
    """What one look covers: as many of these intervals as fit; one where it is None."""
    delay: Duration = timedelta(minutes=10)
    """How long a window stays open for what is delivered late."""
    least_values: int = Field(default=20, ge=1)
    """Records without which a window counts as empty."""
    baseline: Baseline = Field(default_factory=DeploymentBaseline)
    checks: tuple[Annotated[CheckSetting, BeforeValidator(_to_check)], ...] = Field(
        default_factory=lambda: (CheckSetting(statistic="jensen_shannon"),)
    )
    false_alarms: float = Field(default=0.01, gt=0, lt=1)
    """Chance of any alarm in ``looks`` looks at a subject that does not drift."""
    looks: int | None = Field(default=None, ge=1, le=10_000_000)
    """Looks over which that chance is spread; a year of them where it is None, 1 for each look by itself."""
    clear_after: int = Field(default=2, ge=1, le=100)
    """Looks without drift after which it counts as over."""
    actions: tuple[Annotated[Action, BeforeValidator(_to_action)], ...] = Field(
        default_factory=lambda: (AlertAction(),)
    )
    owners: tuple[str, ...] = ()

    @property
    def slices(self) -> int:
        """Return how many intervals a window has."""
        return max(1, round((self.window or self.every) / self.every))

    @property
    def horizon(self) -> int:
        """Return over how many looks the chance of a false alarm is spread."""
        return self.looks or max(1, round(_YEAR / self.every))

    @property
    def embeds(self) -> bool:
        """Tell whether texts become vectors, which takes an encoder."""
        return "embedding" in self.profiled().values()

    def profiled(self) -> dict[str, FeatureKind]:
        """Return the features that a window has, and their kinds: a text has one for each trait."""
        kinds: dict[str, FeatureKind] = {}
        for name, feature in self.features.items():
            if feature.kind == "text":
                kinds |= {f"{name}.{trait}": TRAIT_KINDS[trait] for trait in feature.traits}
            else:
                kinds[name] = feature.kind
        return kinds

    def judged_by(self, check: CheckSetting) -> list[str]:
        """Return the features that a check judges: those named (a text's name stands for its traits), or all it can."""
        return [
            name
            for name, kind in self.profiled().items()
            if check.can_judge(kind)
            and (not check.features or name in check.features or name.partition(".")[0] in check.features)
        ]

    @property
    def subject_name(self) -> str:
        """Return what people call the subject."""
        return self.endpoint or self.model or self.suite or ""

    def retraining(self) -> RetrainAction | None:
        """Return the pipeline that drift starts."""
        return next((action for action in self.actions if isinstance(action, RetrainAction)), None)

    @model_validator(mode="after")
    def _watches_one_subject(self) -> Self:
        if sum(subject is not None for subject in (self.endpoint, self.model, self.suite)) != 1:
            raise ValueError("name what is watched: one of endpoint, model and suite")
        needed = {"data_capture": "endpoint", "invocation_logs": "model", "evaluations": "suite"}.get(self.source.kind)
        if needed is not None and getattr(self, needed) is None:
            raise ValueError(f"the source {self.source.kind} needs the subject {needed}")
        if isinstance(self.baseline, DeploymentBaseline) and self.endpoint is None:
            raise ValueError("only an endpoint is deployed: take a fixed or a rolling baseline")
        return self

    @model_validator(mode="after")
    def _has_possible_windows(self) -> Self:
        window = self.window or self.every
        if self.every < _LEAST_EVERY or self.every % _LEAST_EVERY:
            raise ValueError("every must be whole minutes: EventBridge Scheduler looks no more often")
        if window % self.every or not 1 <= window // self.every <= _MOST_SLICES:
            raise ValueError(f"window must be 1 to {_MOST_SLICES} times every ({self.every})")
        return self

    @model_validator(mode="after")
    def _judges_what_there_is(self) -> Self:
        known = {*self.features, *self.profiled()}
        for check in self.checks:
            unknown = [name for name in check.features if name not in known]
            if unknown:
                raise ValueError(
                    f"{check.statistic} names the feature {unknown[0]}: there are {', '.join(sorted(known))}"
                )
            if not self.judged_by(check):
                raise ValueError(f"{check.statistic} judges none of its features: {_why_none(check)}")
        judged = [(check.statistic, name, check.reading) for check in self.checks for name in self.judged_by(check)]
        if len(judged) != len(set(judged)):
            raise ValueError("a statistic judges a feature twice: name the features of one of them")
        if isinstance(self.source, CloudWatchMetrics):
            for name, feature in self.features.items():
                asked = read_selector(feature.select)[0]
                if asked not in self.source.queries:
                    queries = ", ".join(self.source.queries)
                    raise ValueError(f"feature {name} selects {asked}: the source has the queries {queries}")
        return self


def _why_none(check: CheckSetting) -> str:
    if check.statistic in ON_EMBEDDINGS:
        return "add the trait embedding to a text"
    return "they are categories, or vectors, which mmd and domain_classifier judge"


class DriftPolicy(_Section):
    """What the team says of drift."""

    data_buckets: tuple[str, ...] = ("sagemaker-{region}-{account}",)
    """Buckets that hold captured data, invocation logs and baselines; they may be read."""
    data_keys: tuple[str, ...] = ()
    """KMS keys of those buckets, where they have one."""
    monitors: dict[Name, Monitor] = {}

    @model_validator(mode="after")
    def _reads_only_what_it_may(self) -> Self:
        for name, monitor in self.monitors.items():
            for part in (monitor.source, monitor.baseline):
                location = getattr(part, "location", None)
                if location is not None and _bucket_of(location) not in self.data_buckets:
                    raise ValueError(
                        f"monitor {name} reads {location}: add its bucket to drift.data_buckets "
                        f"({', '.join(self.data_buckets)})"
                    )
        return self


def _bucket_of(location: str) -> str:
    return location.removeprefix("s3://").partition("/")[0]


def monitor_settings(monitor: Monitor) -> dict[str, Any]:
    """Return what of a monitor changes its profiles: what is read, and how."""
    return monitor.model_dump(mode="json", include={"endpoint", "model", "suite", "source", "features", "every"})
