"""What the stand-in is told: how many jobs run at once, where they work, how the events vary."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# What a process needs to start at all; everything else in a container's environment comes from the job.
_INHERITED = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "AWS_CA_BUNDLE")


def _inherited_environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # "python" and "python3" of an entrypoint are the interpreter that runs this server.
    search_path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return inherited | {"PATH": search_path, "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class EventQuirks:
    """How the events vary within what AWS documents.

    Attributes:
        seed: Seed of every choice below, so that a run can be repeated.
        vary_shapes: Fraction of events that take another documented shape (times as number, tags as list, nulls).
        duplicate: Fraction of changes that are told twice ("SageMaker AI may send multiple events to EventBridge for
            each state change", developer guide, automating-sagemaker-with-eventbridge).
        reorder: Fraction of events that are sent after the one that follows them.
    """

    seed: int = 0
    vary_shapes: float = 0.25
    duplicate: float = 0.1
    reorder: float = 0.05


NO_QUIRKS = EventQuirks(vary_shapes=0, duplicate=0, reorder=0)


@dataclass(frozen=True)
class SageMakerSettings:
    """Settings of the stand-in.

    Attributes:
        scratch: Folder that holds one folder for each job, with its logs.
        parallel_jobs: Container processes that run at the same time.
        stop_grace_seconds: Time between SIGTERM and SIGKILL (120 s: API reference, StopTrainingJob).
        state_seconds: Time that a state without work in it stays visible.
        capture_seconds: How long captured data is gathered before it is written.
        mount_folder: Show containers their folder at ``/opt/ml`` where the machine allows it; otherwise, or with
            ``False``, ``/opt/ml`` is replaced in entrypoint, arguments and variables.
        container_environment: What every container process starts with.
        quirks: How the events vary.
    """

    scratch: Path = field(default_factory=lambda: Path(tempfile.gettempdir()) / f"hallmark-sagemaker-{os.getpid()}")
    parallel_jobs: int = 2
    stop_grace_seconds: float = 120.0
    state_seconds: float = 0.02
    capture_seconds: float = 0.5
    mount_folder: bool = True
    container_environment: Mapping[str, str] = field(default_factory=_inherited_environment)
    quirks: EventQuirks = field(default_factory=EventQuirks)
