"""From records to profiles: what a part of a window is like, feature by feature."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from hallmark.drift.settings import TRAIT_KINDS, Feature, Monitor, read_selector
from hallmark.drift.sources.records import Reading, select
from hallmark.drift.statistics.profiles import Kind, Profile
from hallmark.drift.statistics.samples import Encoder, TextSample
from hallmark.drift.statistics.texts import text_features


class PartProfile(BaseModel):
    """What a part of a window, a whole one or a baseline is like. Parts merge in any order."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    records: int = 0
    first: datetime | None = None
    last: datetime | None = None
    broken: dict[str, int] = {}
    """What could not be read, by reason."""
    features: dict[str, dict[str, Any]] = {}
    """Documents of ``Profile``."""
    samples: dict[str, dict[str, Any]] = {}
    """Documents of ``TextSample``, of features that are vectors."""

    @classmethod
    def empty(cls) -> Self:
        """Return the profile of nothing."""
        return cls()

    def profiles(self) -> dict[str, Profile]:
        """Return the profile of each feature."""
        return {name: Profile.from_document(document) for name, document in self.features.items()}

    def text_samples(self) -> dict[str, TextSample]:
        """Return the sample of each feature that is a vector."""
        return {name: TextSample.from_document(document) for name, document in self.samples.items()}


def merge_parts(parts: Iterable[PartProfile]) -> PartProfile:
    """Return the profile of all parts together."""
    records, broken = 0, Counter[str]()
    times: list[datetime] = []
    merged: dict[str, Profile] = {}
    samples: dict[str, TextSample] = {}
    for part in parts:
        records += part.records
        broken.update(part.broken)
        times += [at for at in (part.first, part.last) if at is not None]
        for name, profile in part.profiles().items():
            merged[name] = merged[name].merge(profile) if name in merged else profile
        for name, sample in part.text_samples().items():
            samples[name] = samples[name].merge(sample) if name in samples else sample
    return PartProfile(
        records=records,
        first=min(times, default=None),
        last=max(times, default=None),
        broken=dict(sorted(broken.items())),
        features={name: profile.to_document() for name, profile in sorted(merged.items())},
        samples={name: sample.to_document() for name, sample in sorted(samples.items())},
    )


def profile_records(monitor: Monitor, reading: Reading, encoder: Callable[[], Encoder]) -> PartProfile:
    """Profile what a source said.

    Args:
        monitor: Says what is looked at.
        reading: What the source said.
        encoder: Makes vectors of texts; it is called only where a monitor asks for them.
    """
    ways = {name: read_selector(feature.select) for name, feature in monitor.features.items()}
    values = {name: [select(record, way) for record in reading.records] for name, way in ways.items()}
    times = [record["at"] for record in reading.records]
    return _profiled(monitor, values, reading, times, encoder)


def profile_dataset(monitor: Monitor, reading: Reading, encoder: Callable[[], Encoder]) -> PartProfile:
    """Profile a fixed baseline's dataset: each feature by its column, or its own name.

    A dataset without times has none in its profile.
    """
    columns = {name: feature.column or name for name, feature in monitor.features.items()}
    values = {name: [record.get(column) for record in reading.records] for name, column in columns.items()}
    return _profiled(monitor, values, reading, [], encoder)


def _profiled(
    monitor: Monitor,
    values: Mapping[str, list[Any]],
    reading: Reading,
    times: list[datetime],
    encoder: Callable[[], Encoder],
) -> PartProfile:
    broken = Counter(reading.broken)
    profiles: dict[str, Profile] = {}
    for name, feature in monitor.features.items():
        profiles |= _profiles_of(name, feature, values[name], broken)
    samples = {}
    if monitor.embeds:
        names = [f"{record.get('id', '')} {record.get('at', '')}" for record in reading.records]
        for name, feature in monitor.features.items():
            if feature.kind == "text" and "embedding" in feature.traits:
                samples[f"{name}.embedding"] = TextSample.of(_texts(values[name]), names, encoder())
    return PartProfile(
        records=len(reading.records),
        first=min(times, default=None),
        last=max(times, default=None),
        broken=dict(sorted(broken.items())),
        features={name: profile.to_document() for name, profile in sorted(profiles.items())},
        samples={name: sample.to_document() for name, sample in sorted(samples.items())},
    )


def _texts(values: list[Any]) -> list[str | None]:
    return [value if isinstance(value, str) else None for value in values]


def _profiles_of(name: str, feature: Feature, values: list[Any], broken: Counter[str]) -> dict[str, Profile]:
    if feature.kind == "numeric":
        numbers = [_number(value) for value in values]
        strange = sum(number is None and value is not None for number, value in zip(numbers, values, strict=True))
        if strange:
            broken[f"{name}: not a number"] += strange
        return {name: Profile.of(numbers, Kind.NUMERIC)}
    if feature.kind == "categorical":
        return {name: Profile.of([_category(value) for value in values], Kind.CATEGORICAL)}
    texts = _texts(values)
    strange = sum(text is None and value is not None for text, value in zip(texts, values, strict=True))
    if strange:
        broken[f"{name}: not a text"] += strange
    return {f"{name}.{trait}": profile for trait, profile in _traits(feature, texts).items()}


def _number(value: Any) -> float | None:
    """Return a number; CSV has texts, JSON may have an answer of one in a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str) and value.strip():
        try:
            return float(value)
        except ValueError:
            return None
    return None


def _category(value: Any) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    # 1, 1.0 and "1" are one class, whoever wrote them: JSON, CSV or a data frame.
    number = _number(value)
    return f"{number:g}" if number is not None and math.isfinite(number) else str(value)


def _traits(feature: Feature, texts: list[str | None]) -> dict[str, Profile]:
    """Return the profile of each trait of texts; what is missing has none of them."""
    found = [text_features(text) if text is not None else None for text in texts]
    profiles: dict[str, Profile] = {}
    for trait in feature.traits:
        if trait == "embedding":
            continue  # a sample of vectors, and no profile of values
        values = [each[trait] if each is not None else None for each in found]
        profiles[trait] = Profile.of(values, Kind(TRAIT_KINDS[trait]))
    return profiles
