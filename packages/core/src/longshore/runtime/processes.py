"""Which process this is, and whether another still lives: told by number, start time and boot, since numbers are used
again.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from attrs import frozen

__all__ = ["ProcessMark", "boot_id", "is_alive", "start_of", "this_process", "watch"]

_LINUX: bool = sys.platform == "linux"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@frozen(kw_only=True)
class ProcessMark:
    """One process of one computer, told apart from every other that had or will have its number."""

    pid: int
    start: str
    """When it began, in the kernel's own words; only equality means anything."""
    boot: str
    host: str


def this_process() -> ProcessMark:
    """Mark the calling process."""
    pid = os.getpid()
    return ProcessMark(pid=pid, start=start_of(pid) or "", boot=boot_id(), host=os.uname().nodename)


def is_alive(mark: ProcessMark) -> bool:
    """Say whether this very process still runs on this computer; of another computer's processes the answer is no."""
    return mark.boot == boot_id() and start_of(mark.pid) == mark.start


def start_of(pid: int) -> str | None:
    """Say when a process began; None when there is none, or only its remains wait for its parent."""
    if _LINUX:
        try:
            # The name in the second field may hold anything, so count from its closing parenthesis: state is next,
            # start is field 22.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return None
        return None if fields[0] in {b"Z", b"X"} else fields[19].decode("ascii")
    answer = _said_by("ps", "-o", "stat=,lstart=", "-p", str(pid))
    state, _, start = answer.partition(" ")
    return None if not start or state.startswith("Z") else start.strip()


def boot_id() -> str:
    """Name this boot of this computer."""
    if _LINUX:
        try:
            return _BOOT_ID.read_text("ascii").strip()
        except OSError:
            return ""
    return _said_by("sysctl", "-n", "kern.bootsessionuuid")


def watch(pid: int) -> int | None:
    """Open a file descriptor that becomes readable when the process ends; None where the system has none or the process
    is gone.
    """
    if not _LINUX:
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _said_by(*command: str) -> str:
    import subprocess  # noqa: PLC0415 - 10 ms that only macOS has to pay

    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
