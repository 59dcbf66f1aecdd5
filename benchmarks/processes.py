"""The processes below this one, read from /proc: who they are, what they cost, and their end. Linux only."""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Process:
    """One look at one process."""

    pid: int
    program: str
    cpu_seconds: float
    """User and system time of the process and of its children that have ended."""
    memory_bytes: int
    """What it keeps in memory now."""


def adopt_orphans() -> None:
    """Make this process the parent of whatever its descendants leave behind, so that it can be found and ended."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become the parent of orphaned processes")


def descendants() -> list[Process]:
    """Give every living process below this one."""
    found: list[Process] = []
    unvisited = _children(os.getpid())
    while unvisited:
        pid = unvisited.pop()
        unvisited += _children(pid)
        with suppress(OSError):  # it ended between two looks
            found.append(look(pid))
    return found


def look(pid: int) -> Process:
    """Read one process; raises OSError when there is none."""
    text = Path(f"/proc/{pid}/stat").read_text()
    program = text[text.index("(") + 1 : text.rindex(")")]  # the name itself may hold brackets
    fields = text[text.rindex(")") + 2 :].split()  # from field 3 of proc(5) on
    ticks = sum(int(field) for field in fields[11:15])
    return Process(
        pid=pid,
        program=program,
        cpu_seconds=ticks / _TICKS_PER_SECOND,
        memory_bytes=int(fields[21]) * _PAGE_BYTES,
    )


def peak_bytes(pid: int) -> int:
    """Give the most that a process has kept in memory so far."""
    [line] = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def end_descendants() -> int:
    """Kill and reap everything below this process; give how many there were."""
    ended = 0
    while living := [process.pid for process in descendants()]:
        for pid in living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in living:
            with suppress(ChildProcessError):  # a grandchild: it becomes our child when its parent has ended
                os.waitpid(pid, 0)
                ended += 1
    return ended


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found
