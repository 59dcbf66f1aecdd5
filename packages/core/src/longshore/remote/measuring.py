"""What this machine and the attempts on it use, measured while somebody looks and told with beats.

Nothing is measured when nobody wants to know. Where the system has no ``/proc``, only the disk is known.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import time

from longshore.remote.computer import memory_bytes, physical_bytes, quotas, settings
from longshore.remote.limits import USAGE_FILES, working_set
from longshore.remote.processes import stat_fields
from longshore.remote.protocol import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Any, Dict, List, Optional

    from longshore.remote.attempt import Attempt
    from longshore.remote.watch import Timer, Watch

__all__ = ["Measuring"]

_FIRST_SECONDS = 0.25
"""Rates need two looks; whoever begins to look is not kept waiting for the second one."""


class Measuring:
    """Measures again and again, for as long as it is wanted."""

    def __init__(
        self, watch: Watch, tell: Callable[[bytes], None], attempts: Callable[[], Collection[Attempt]]
    ) -> None:
        """Prepare; ``tell`` takes a line for the controller, and ``attempts`` gives those that are not over."""
        self._watch = watch
        self._tell = tell
        self._attempts = attempts
        self._every = 0.0
        self._timer: Optional[Timer] = None
        self._last = _Look(())

    def start(self, every: float) -> None:
        """Tell what is used every so many seconds from now on; never when that is 0."""
        self.stop()
        if every > 0:
            self._every = every
            self._last = _Look(self._attempts())
            self._timer = self._watch.after(min(_FIRST_SECONDS, every), self._measure)

    def stop(self) -> None:
        """Measure nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _measure(self) -> None:
        self._timer = self._watch.after(self._every, self._measure)
        last, self._last = self._last, _Look(self._attempts())
        self._tell(encode(self._last.told(last)))


class _Look:
    """What is known at one moment. Rates come from two of them."""

    def __init__(self, attempts: Collection[Attempt]) -> None:
        self.at = time.monotonic()
        self.busy = _busy_seconds()
        self.sums = _sums(attempts)

    def told(self, before: _Look) -> Dict[str, Any]:
        """Give the message, with what has been used since the look before."""
        seconds = max(self.at - before.at, 0.001)
        rows: List[List[Any]] = []
        for identity, each in self.sums.items():
            earlier = before.sums.get(identity)
            rate = None if earlier is None else round(max(0.0, each.cpu_seconds - earlier.cpu_seconds) / seconds, 3)
            rows.append([identity, rate, each.memory, each.written])
        told: Dict[str, Any] = {"event": "beat", "disk": _disk(), "memory": _memory(), "attempts": rows}
        if self.busy is not None and before.busy is not None:
            told["cpus"] = round(max(0.0, self.busy - before.busy) / seconds, 3)
        return told


class _Sum:
    """What the processes of an attempt have used, and hold now."""

    __slots__ = ("cpu_seconds", "memory", "written")

    def __init__(self) -> None:
        self.cpu_seconds = 0.0
        self.memory = 0
        self.written: Optional[int] = None

    def add(self, pid: int, fields: List[str]) -> None:
        """Let a process count, with those of its children that are over."""
        self.cpu_seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        self.memory += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        written = _number_of("/proc/%d/io" % pid, "write_bytes:")
        if written is not None:
            self.written = (self.written or 0) + written


def _sums(attempts: Collection[Attempt]) -> Dict[str, _Sum]:
    """Sum up what the processes in the session or group of each attempt's first process use."""
    owners = {attempt.leader: attempt for attempt in attempts if attempt.leader}
    if not owners or not os.path.exists("/proc/self/stat"):
        return {}
    found = {attempt.id: _Sum() for attempt in owners.values()}
    for name in os.listdir("/proc"):
        fields = stat_fields(int(name)) if name.isdigit() else None
        owner = fields and (owners.get(int(fields[3])) or owners.get(int(fields[2])))
        if fields and owner:
            found[owner.id].add(int(name), fields)
    for attempt in owners.values():
        held = attempt.limit.used() if attempt.limit is not None else None
        if held is not None:
            found[attempt.id].memory = held
    return found


def _busy_seconds() -> Optional[float]:
    """Give how long cores of this machine have been busy: of our control group, where that has a quota."""
    if any(True for _ in quotas()):
        for text in settings("cpuacct", "cpuacct.usage"):
            return int(text) / 1e9
        for text in settings("cpu", "cpu.stat"):
            return (_number_in(text.splitlines(), "usage_usec") or 0) / 1e6
    try:
        with open("/proc/stat") as file:
            counts = [int(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    # User, nice, system, idle, waiting for disks, interrupts, softer interrupts, stolen.
    return (sum(counts) - counts[3] - counts[4]) / os.sysconf("SC_CLK_TCK")


def _memory() -> Optional[List[int]]:
    """Give the bytes that are used, and those that there are; of our control group, where that has a limit."""
    total = memory_bytes()
    if total < physical_bytes():
        for name in USAGE_FILES:
            for used in settings("memory", name):
                return [working_set(int(used), next(settings("memory", "memory.stat"), "")), total]
    available = _number_of("/proc/meminfo", "MemAvailable:")
    return None if available is None else [total - 1024 * available, total]


def _disk() -> Optional[List[int]]:
    try:
        status = os.statvfs(".")
    except OSError:
        return None
    total = status.f_blocks * status.f_frsize
    return [total - status.f_bfree * status.f_frsize, total]


def _number_of(path: str, name: str) -> Optional[int]:
    try:
        with open(path) as file:
            return _number_in(file, name)
    except (OSError, ValueError):
        return None


def _number_in(lines: Iterable[str], name: str) -> Optional[int]:
    """Give the number behind a name at the beginning of a line."""
    for line in lines:
        if line.startswith(name):
            return int(line.split()[1])
    return None
