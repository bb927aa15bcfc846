"""Who listens on a TCP port, so that the message about a taken port can name it."""

from __future__ import annotations

from pathlib import Path

_LISTEN = "0A"  # TCP_LISTEN, Linux include/net/tcp_states.h


class PortInUseError(OSError):
    """The port is taken by another process."""

    def __init__(self, port: int) -> None:
        owner = find_listener(port)
        by = f" by {owner}" if owner else ""
        super().__init__(
            f"port {port} is in use{by}: stop that process, or choose another port with --port "
            "(--port 0 takes a free one); `python -m local down` stops a local cloud that runs in the background"
        )


def find_listener(port: int) -> str | None:
    """Describe the process that listens on ``port`` of the loopback interface, e.g. ``process 4242 (python -m local)``.

    Returns:
        ``None`` where the operating system does not tell: not Linux, or another user's process.
    """
    inodes = _listening_sockets(port)
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        if _holds_socket(process, inodes):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            return f"process {process.name} ({command[:80]})"
    return None


def _listening_sockets(port: int) -> set[str]:
    """Return the inodes of the sockets that listen on the port (proc_pid_net(5), ``/proc/net/tcp``)."""
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.is_file():
            continue
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes


def _holds_socket(process: Path, inodes: set[str]) -> bool:
    try:
        return any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir())
    except OSError:  # another user's process, or one that has just ended
        return False
