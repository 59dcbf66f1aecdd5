"""Processes of attempts: started, found again, and ended, with all that they have left behind.

Everything that an attempt starts carries its mark in the environment variable `MARKER`, and begins in a session of its
own. A process that left both the session and the marker behind (``env -i setsid ...``) is still found while an ancestor
of it lives.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from longshore.remote.limits import MemoryLimit

__all__ = [
    "MARKER",
    "Programs",
    "adopt_orphans",
    "boot_id",
    "boot_seconds",
    "children",
    "describe_exit",
    "find_members",
    "mark_of",
    "send_signal",
    "spawn",
    "started_at",
    "stat_fields",
]

MARKER = "LONGSHORE_ID"
SHELL = "/bin/sh"

_PR_SET_CHILD_SUBREAPER = 36
# Python ignores the first two for itself, nohup and a script's `&` the others for what they begin; a command, which is
# attached to neither, must find them as a terminal's shell would leave them.
_DEFAULT_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT]
_SEARCH_SECONDS = 1.0


class Programs:
    """Finds programs as a shell does. What was found on a search path is believed for a second."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[str, float]] = {}

    def find(self, name: str, search: str) -> str:
        """Give the file to execute for a program's name; a name with a slash is a path already.

        Raises:
            FileNotFoundError: when it is nowhere on the search path.
            PermissionError: when it is there but may not be executed.
        """
        if "/" in name:
            return name
        path, at = self._found.get((name, search), ("", 0.0))
        now = time.monotonic()
        if not path or now - at > _SEARCH_SECONDS:
            path = _search(name, search)
            self._found[(name, search)] = (path, now)
        return path

    def forget(self) -> None:
        """Look again for everything."""
        self._found.clear()


def _search(name: str, search: str) -> str:
    denied = ""
    for folder in search.split(":"):
        path = os.path.join(folder or ".", name)
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            denied = denied or path
    if denied:
        raise PermissionError(errno.EACCES, "Permission denied", denied)
    raise FileNotFoundError(errno.ENOENT, "not found", name)


def spawn(
    path: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    streams: Sequence[int],
    limit: MemoryLimit | None = None,
) -> int:
    """Start a program in a session of its own, in the current folder.

    Args:
        path: the program's file.
        argv: its name and arguments.
        env: all of its environment.
        streams: our descriptors that become its 0, 1, 2 and so on.
        limit: what it and all that it starts must stay within.

    Returns:
        The id of the process.

    Raises:
        OSError: when it cannot be executed, as the shell would find too.
    """
    if limit is not None:
        path, argv = SHELL, limit.wrap(path, argv)
    actions = [(os.POSIX_SPAWN_DUP2, handle, number) for number, handle in enumerate(streams)]
    return os.posix_spawn(
        path, list(argv), env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
    )


def adopt_orphans() -> bool:
    """Become the parent of whatever our children leave behind, so that it can be found; say whether this system can do
    that.
    """
    if not sys.platform.startswith("linux"):
        return False
    import ctypes  # noqa: PLC0415  needed here only

    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def children(handle: int) -> list[int]:
    """Give this process's children, from a handle of ``/proc/thread-self/children``."""
    text = os.pread(handle, 1 << 16, 0)
    if len(text) == 1 << 16:
        parts = [text]
        while parts[-1]:
            parts.append(os.pread(handle, 1 << 16, sum(map(len, parts))))
        text = b"".join(parts)
    return [int(word) for word in text.split()]


def boot_id() -> str:
    """Name the time since this computer was started; empty where the system does not name it."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def boot_seconds() -> float:
    """Give the seconds since this computer was started, on the clock that processes' start times are told in."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.time()


def started_at(pid: int) -> float | None:
    """Give when a process was started, in seconds since the computer was; None when there is none, or it is over but
    not yet reaped.
    """
    fields = stat_fields(pid)
    if fields is None or fields[0] in ("Z", "X"):
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def stat_fields(pid: int) -> list[str] | None:
    """Give the fields of ``/proc/<pid>/stat`` from the third (state) on; None when there is no such process."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def mark_of(pid: int) -> str:
    """Give the mark that a process was born with; empty when it has none, or is not ours to read."""
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            content = b"\0" + file.read()
    except OSError:
        return ""
    _, found, rest = content.partition(b"\0" + MARKER.encode() + b"=")
    return os.fsdecode(rest.partition(b"\0")[0]) if found else ""


def find_members(attempts: Mapping[str, int]) -> dict[str, set[int]]:
    """Find all living processes of some attempts.

    Args:
        attempts: for each attempt's mark the process that leads its session, or 0 when that is not known.

    Returns:
        For each attempt the ids of its processes: those in the leader's session or group, those with its marker, and
        what descends from them. Where there is no ``/proc``, only the leader's group is found, as its negative id,
        which stands for all of it in `send_signal`.
    """
    if not os.path.exists("/proc/self/stat"):
        return {attempt: _group(leader) for attempt, leader in attempts.items()}
    leaders = {leader: attempt for attempt, leader in attempts.items() if leader}
    found: dict[str, set[int]] = {attempt: set() for attempt in attempts}
    parents: dict[int, int] = {}
    owner: dict[int, str] = {}
    own = os.getpid()
    for name in os.listdir("/proc"):
        pid = int(name) if name.isdigit() else own
        fields = stat_fields(pid) if pid != own else None
        if fields is None or fields[0] in ("Z", "X"):
            continue
        parents[pid] = int(fields[1])
        attempt = leaders.get(int(fields[3])) or leaders.get(int(fields[2])) or leaders.get(pid) or mark_of(pid)
        if attempt in found:
            owner[pid] = attempt
    for pid in parents:
        attempt = _inherited(pid, parents, owner)
        if attempt:
            found[attempt].add(pid)
    return found


def _group(leader: int) -> set[int]:
    try:
        os.kill(-leader, 0)
    except (ProcessLookupError, PermissionError):
        return set()
    return {-leader} if leader else set()


def _inherited(pid: int, parents: dict[int, int], owner: dict[int, str]) -> str:
    """Give the attempt of the nearest ancestor that has one."""
    path: list[int] = []
    while pid in parents and pid not in owner and len(path) < len(parents):
        path.append(pid)
        pid = parents[pid]
    attempt = owner.get(pid, "")
    for below in path:
        owner[below] = attempt
    return attempt


def send_signal(pids: Iterable[int], number: int) -> None:
    """Send a signal to processes; silent about those that are gone."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def describe_exit(code: int) -> str:
    """Say how a command ended, as in ``exit code 3`` or ``signal 9 (Killed)``."""
    if code >= 0:
        return "exit code %d" % code
    return "signal %d (%s)" % (-code, signal.strsignal(-code) or "unknown")
