from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.sagemaker.mount_namespace import in_namespace, is_available
from local.sagemaker.runner import Container, ContainerCommand, Ending

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def command(folder: Path, script: str) -> ContainerCommand:
    return ContainerCommand(["/bin/sh", "-c", script], ENVIRONMENT, folder, folder / "log")


def test_a_process_ends_with_its_code_and_its_lines(tmp_path: Path) -> None:
    lines: list[str] = []

    outcome = Container(1).run(command(tmp_path, "echo out; echo err >&2; exit 5"), lines.append)

    assert (outcome.ending, outcome.exit_code) == (Ending.EXITED, 5)
    assert lines == ["out", "err"]
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_a_command_that_is_not_there_ends_as_in_a_shell(tmp_path: Path) -> None:
    lines: list[str] = []
    missing = ContainerCommand(["/no/such/program"], ENVIRONMENT, tmp_path, tmp_path / "log")

    outcome = Container(1).run(missing, lines.append)

    assert outcome.exit_code == 127
    assert lines == ["/no/such/program: No such file or directory"]


def test_text_that_is_no_utf_8_does_not_end_the_log(tmp_path: Path) -> None:
    lines: list[str] = []

    Container(1).run(command(tmp_path, "printf '\\377\\n'; echo after"), lines.append)

    assert lines == ["\N{REPLACEMENT CHARACTER}", "after"]


def test_a_stop_gives_the_process_time_to_end(tmp_path: Path) -> None:
    container = Container(5)
    script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        if line == "up":
            container.stop()

    outcome = container.run(command(tmp_path, script), hear)

    assert (outcome.ending, outcome.exit_code, lines) == (Ending.STOPPED, 0, ["up", "bye"])


def test_a_process_that_is_stopped_before_it_starts_ends_at_once(tmp_path: Path) -> None:
    container = Container(0.5)
    container.stop()

    outcome = container.run(command(tmp_path, "sleep 30"), lambda _line: None)

    assert outcome.ending is Ending.STOPPED


def has_ended(descriptor: int) -> bool:
    """Tell whether a process has ended, or does so now: its descriptor is readable then."""
    ended, _, _ = select.select([descriptor], [], [], 5)
    os.close(descriptor)
    return bool(ended)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
def test_what_a_process_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    descriptors: list[int] = []

    outcome = Container(1).run(
        command(tmp_path, "sleep 60 & echo $!; sleep 0.2; exit 0"),
        lambda line: descriptors.append(os.pidfd_open(int(line))),
    )

    assert outcome.exit_code == 0
    assert has_ended(descriptors[0])


SERVER = """
import sys
from pathlib import Path
from local.sagemaker.runner import Container, ContainerCommand
folder = Path(sys.argv[1])
command = ContainerCommand(sys.argv[2:], {"PATH": "/usr/bin:/bin"}, folder, folder / "log")
Container(1).run(command, lambda line: print(line, flush=True))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.parametrize("mounted", [False, True])
def test_a_process_ends_with_the_server_that_is_killed(tmp_path: Path, mounted: bool) -> None:
    (tmp_path / "opt" / "ml").mkdir(parents=True)
    if mounted and not is_available(tmp_path):
        pytest.skip("this machine grants no mount namespace")
    arguments = ["/bin/sh", "-c", "echo $$; exec sleep 60"]
    arguments = in_namespace(arguments, tmp_path) if mounted else arguments
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert server.stdout is not None
    process = int(server.stdout.readline())
    server.stdout.close()
    descriptor = os.pidfd_open(process)

    server.send_signal(signal.SIGKILL)
    server.wait()

    assert has_ended(descriptor)
