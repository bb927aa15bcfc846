"""Where a request names what it runs, reads and writes; and values that are put into it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from hallmark.errors import InvalidInputError
from hallmark.lineage.reproduction.requests import Section


def put_value(request: Section, path: str, value: str) -> Any:
    """Put a value at a dotted path of a request (``HyperParameters.seed``); return what stood there.

    Raises:
        InvalidInputError: The path leads nowhere.
    """
    steps = [step for step in re.split(r"\.|\[(\d+)\]", path) if step]
    holder: Any = request
    for step in steps[:-1]:
        if isinstance(holder, list) and step.isdigit() and int(step) < len(holder):
            holder = holder[int(step)]
        elif isinstance(holder, dict) and isinstance(holder.setdefault(step, {}), dict | list):
            holder = holder[step]
        else:
            raise InvalidInputError("--set", path, f"{step} is no section of the request")
    if not steps or not isinstance(holder, dict):
        raise InvalidInputError("--set", path, "write it as SECTION.NAME=VALUE")
    before = copy.deepcopy(holder.get(steps[-1]))
    if before is not None and not isinstance(before, str | int | float | bool):
        raise InvalidInputError("--set", path, "only a text or a number can be given")
    holder[steps[-1]] = int(value) if isinstance(before, int) and not isinstance(before, bool) else value
    return before


def holders(value: Any, name: str) -> Iterator[Section]:
    """Yield each section of a request that has a member of a name."""
    if isinstance(value, dict):
        if isinstance(value.get(name), dict):
            yield value
        for item in value.values():
            yield from holders(item, name)


def images_in(request: Section) -> Iterator[tuple[Section, str]]:
    """Yield where a request names container images: the section and its member."""
    for specification in (
        request.get("AlgorithmSpecification"),
        (request.get("TrainingJobDefinition") or {}).get("AlgorithmSpecification"),
    ):
        if specification and "TrainingImage" in specification:
            yield specification, "TrainingImage"
    if "ImageUri" in (request.get("AppSpecification") or {}):
        yield request["AppSpecification"], "ImageUri"


def places_in(request: Section) -> Iterator[tuple[Section, str, str | None]]:
    """Yield what a request reads from S3: the section, its member, and the type of the data."""
    definition = request.get("TrainingJobDefinition") or {}
    channels = [*(request.get("InputDataConfig") or ()), *(definition.get("InputDataConfig") or ())]
    sources = [channel.get("DataSource") or {} for channel in channels]
    sources.append((request.get("TransformInput") or {}).get("DataSource") or {})
    for source in sources:
        if "S3Uri" in (source.get("S3DataSource") or {}):
            yield source["S3DataSource"], "S3Uri", source["S3DataSource"].get("S3DataType")
    for item in request.get("ProcessingInputs") or ():
        if "S3Uri" in (item.get("S3Input") or {}):
            yield item["S3Input"], "S3Uri", item["S3Input"].get("S3DataType")


def targets_in(request: Section) -> Iterator[tuple[Section, str, str]]:
    """Yield what a request writes to S3: the section, its member, and a folder's name for it."""
    definition = request.get("TrainingJobDefinition") or {}
    for job in (request, definition):
        for section, member, role in _TARGETS:
            if member in (job.get(section) or {}):
                yield job[section], member, role
        rules = [*(job.get("DebugRuleConfigurations") or ()), *(job.get("ProfilerRuleConfigurations") or ())]
        yield from ((rule, "S3OutputPath", "rules") for rule in rules if "S3OutputPath" in rule)
    for item in (request.get("ProcessingOutputConfig") or {}).get("Outputs") or ():
        if "S3Uri" in (item.get("S3Output") or {}):
            yield item["S3Output"], "S3Uri", str(item["OutputName"])
    for item in request.get("ProcessingInputs") or ():
        for found in (item.get("DatasetDefinition") or {}).values():
            if isinstance(found, dict) and "OutputS3Uri" in found:
                yield found, "OutputS3Uri", f"query-{item['InputName']}"


_TARGETS = (
    ("OutputDataConfig", "S3OutputPath", "models"),
    ("CheckpointConfig", "S3Uri", "checkpoints"),
    ("DebugHookConfig", "S3OutputPath", "debug"),
    ("TensorBoardOutputConfig", "S3OutputPath", "tensorboard"),
    ("ProfilerConfig", "S3OutputPath", "profiles"),
    ("TransformOutput", "S3OutputPath", "output"),
    ("DataCaptureConfig", "DestinationS3Uri", "captured"),
)
