from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local.state import AlreadyRunningError, NotRunningError, RunningState, StateFolder

STATE = RunningState(
    pid=1,
    port=4566,
    endpoint="http://127.0.0.1:4566",
    account="111122223333",
    region="us-east-1",
    started_at="2026-01-02T03:04:05+00:00",
)
HOLD = """
import sys
from pathlib import Path
from local.state import RunningState, StateFolder
folder = StateFolder(Path(sys.argv[1]))
with folder.claim():
    folder.write(RunningState.model_validate_json(sys.argv[2]))
    print("ready", flush=True)
    sys.stdin.read()
"""


def holder(root: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root), STATE.model_dump_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_runs_in_another_process_is_read(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        found = StateFolder(tmp_path).read()
        process.kill()

    assert found == STATE


def test_a_second_cloud_of_the_same_checkout_is_refused_with_the_first_ones_address(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with (
            pytest.raises(AlreadyRunningError, match=r"http://127\.0\.0\.1:4566 \(process 1\)"),
            StateFolder(tmp_path).claim(),
        ):
            pass
        process.kill()


def test_a_process_that_was_killed_counts_as_stopped(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with holder(tmp_path) as process:
        assert not folder.wait_until_stopped(0.05)
        process.kill()

    assert folder.wait_until_stopped(5)
    with pytest.raises(NotRunningError, match="python -m local up"):
        folder.read()


def test_nothing_runs_where_nothing_was_started(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError):
        StateFolder(tmp_path).read()
