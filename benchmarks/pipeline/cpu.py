"""CPU time of this process and of servers, so that other work of the machine counts for nobody."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path


def seconds_of(servers: Iterable[int] = ()) -> float:
    """Return the CPU seconds that this process and some servers have used so far.

    Args:
        servers: Ids of processes, all of whose threads count (proc(5), schedstat: nanoseconds on a CPU).
    """
    nanoseconds = sum(
        int(thread.read_text().split()[0])
        for server in servers
        for thread in Path(f"/proc/{server}/task").glob("*/schedstat")
    )
    return time.process_time() + nanoseconds / 1e9


def children_of(parent: int) -> list[int]:
    """Return the ids of the processes below a process, however deep."""
    below = [int(word) for file in Path(f"/proc/{parent}/task").glob("*/children") for word in file.read_text().split()]
    return [*below, *(each for child in below for each in children_of(child))]
