"""Limits of memory where the system lets us set them, and proof of why an attempt failed.

Memory: an attempt that says how much it needs gets a control group with that limit, where this process may make one
(cgroup v2 with the memory controller delegated to us, as below a systemd user session, or v1 as root). Elsewhere it is
counted, not enforced. RLIMIT_AS and RLIMIT_DATA are not used instead: they count address space per process, so that
Java, Go, Julia and CUDA programs fail far below their need.

Cores: attempts are not pinned to cores. How many run at once is limited by their ``cpus``, and thread pools are told
theirs by OMP_NUM_THREADS and its like. An attempt that uses more than it said is slowed by the kernel's fair share, but
idle cores are not wasted on keeping it in bounds, and a core that another run or another user has made busy does not
hold up the one attempt that is tied to it.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import os
import signal

from longshore.remote.processes import describe_exit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from longshore.remote.attempt import Attempt

__all__ = ["USAGE_FILES", "Evidence", "MemoryGroups", "MemoryLimit", "working_set"]

USAGE_FILES = ("memory.current", "memory.usage_in_bytes")

_PREFIX = "longshore-"
_LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")  # of version 2 and of version 1
_EVENT_FILES = ("memory.events", "memory.oom_control")
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
_FULL_BYTES = 1 << 20


class MemoryLimit:
    """The control group of one attempt."""

    __slots__ = ("_folder", "_version")

    def __init__(self, folder: str, version: int, limit_bytes: int) -> None:
        self._folder = folder
        self._version = version
        os.mkdir(folder)
        try:
            _write(os.path.join(folder, _LIMIT_FILES[version == 1]), limit_bytes)
        except OSError:
            os.rmdir(folder)
            raise

    def wrap(self, path: str, argv: Sequence[str]) -> list[str]:
        """Give the arguments of a shell that puts itself under the limit, then becomes the program.

        Putting a process there that runs already would leave out what it has started meanwhile. Where the kernel does
        not allow it after all, the program goes without a limit.
        """
        join = '{ echo $$ > "$0"; } 2> /dev/null; exec "$@"'
        return ["sh", "-c", join, os.path.join(self._folder, "cgroup.procs"), path, *argv[1:]]

    def kills(self) -> int:
        """Say how many of its processes the kernel has killed for want of memory."""
        return _count(os.path.join(self._folder, _EVENT_FILES[self._version == 1]), "oom_kill")

    def used(self) -> int | None:
        """Say how many bytes it holds; None when that is not told."""
        used = _read(os.path.join(self._folder, USAGE_FILES[self._version == 1])).strip()
        return working_set(int(used), _read(os.path.join(self._folder, "memory.stat"))) if used else None

    def remove(self) -> None:
        """Remove the group; its processes are over."""
        try:
            os.rmdir(self._folder)
        except OSError:
            return  # a zombie that somebody else has to reap; the next supervisor removes it


class MemoryGroups:
    """Makes control groups, where that is possible. Looks where that is when the first one is asked for."""

    def __init__(self) -> None:
        self._count = 0
        self._base: str | None = None
        self._version = 0

    @property
    def base(self) -> str:
        """The folder below which they are; empty where we can make none."""
        if self._base is None:
            self._base, self._version = _find_base()
            if self._base:
                _remove_stale(self._base)
        return self._base

    def limit(self, limit_bytes: int) -> MemoryLimit | None:
        """Make a group with a limit; None for no limit, and where that cannot be done."""
        if not limit_bytes or not self.base:
            return None
        self._count += 1
        folder = "%s/%s%d-%d" % (self.base, _PREFIX, os.getpid(), self._count)
        try:
            return MemoryLimit(folder, self._version, limit_bytes)
        except OSError:
            self._base = ""  # not ours after all; do not try again for each attempt
            return None


def _find_base() -> tuple[str, int]:
    """Give the folder below which groups with a memory limit can be made, and the version of its hierarchy."""
    try:
        with open("/proc/self/cgroup") as file:
            own = [line.rstrip("\n").split(":", 2) for line in file]
        with open("/proc/self/mounts") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return "", 0
    for _, controllers, path in own:
        for _, place, kind, options, *_ in mounts:
            if kind == "cgroup" and "memory" in controllers.split(",") and "memory" in options.split(","):
                return _writable(place + path), 1
            if kind == "cgroup2" and not controllers:
                # A group that has processes cannot limit groups below it, so beside our own is the usual place.
                for folder in (place + path, os.path.dirname(place + path)):
                    if (
                        folder.startswith(place)
                        and "memory" in _read(os.path.join(folder, "cgroup.subtree_control")).split()
                    ):
                        return _writable(folder), 2
    return "", 0


def _writable(folder: str) -> str:
    return folder.rstrip("/") if os.access(folder, os.W_OK) else ""


def _remove_stale(base: str) -> None:
    """Remove the groups that supervisors who were killed have left."""
    for name in os.listdir(base):
        pid = name[len(_PREFIX) :].partition("-")[0]
        if name.startswith(_PREFIX) and pid.isdigit() and not os.path.exists("/proc/" + pid):
            try:
                os.rmdir(os.path.join(base, name))
            except OSError:
                continue


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, value: int) -> None:
    with open(path, "w") as file:
        file.write(str(value))


def _count(path: str, name: str) -> int:
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def working_set(used: int, stat: str) -> int:
    """Give how much of the memory of a control group is really held: without what the kernel could drop at once."""
    told = dict(line.partition(" ")[::2] for line in stat.splitlines())
    # Version 1 tells of the group alone, too.
    return max(0, used - int(told.get("total_inactive_file") or told.get("inactive_file") or 0))


class Evidence:
    """Tells why attempts failed, from what the system says."""

    def __init__(self) -> None:
        self._kills = 0
        self._at = 0.0
        self.look(0.0)

    def look(self, now: float) -> None:
        """Note how many processes the kernel has killed so far on this computer; cheap when it was noted less than a
        second ago.
        """
        if not self._at or now - self._at > 1.0:
            self._at = now
            self._kills = _count("/proc/vmstat", "oom_kill")

    def judge(self, attempt: Attempt) -> None:
        """Note on a failed attempt whose processes are over what kind of failure it was, with the proof and the end of
        its stderr.
        """
        tail = attempt.logs.tail() if attempt.logs is not None else ""
        code = attempt.code
        if attempt.timed_out:
            attempt.fail("timeout", "ended after its timeout of %g seconds" % attempt.order["timeout"])
        elif code and attempt.warned and not attempt.failure:
            attempt.fail("preempted", "its machine is about to be taken away; " + describe_exit(code))
        elif code and not attempt.failure:
            failure, proof = (
                self._out_of_memory(attempt) or _disk_full(attempt, tail) or ("user code", describe_exit(code))
            )
            attempt.fail(failure, proof)
        if tail and not attempt.cancelled:
            attempt.evidence += "\n" + tail

    def _out_of_memory(self, attempt: Attempt) -> tuple[str, str] | None:
        if attempt.limit is not None and attempt.limit.kills():
            return (
                "out of memory",
                "killed by the kernel: it used more than the %d bytes of memory that it may" % attempt.memory,
            )
        if attempt.code in _KILLED:
            before, now = self._kills, _count("/proc/vmstat", "oom_kill")
            if now > before:
                self._kills = now
                return (
                    "out of memory",
                    "killed by the kernel, which was out of memory (oom_kill in /proc/vmstat rose from %d to %d)"
                    % (before, now),
                )
        return None


def _disk_full(attempt: Attempt, tail: str) -> tuple[str, str] | None:
    if "No space left on device" in tail or "Disk quota exceeded" in tail:
        return "disk full", "%s; its stderr says that the disk is full" % describe_exit(attempt.code or 0)
    try:
        status = os.statvfs(attempt.workdir)
    except OSError:
        return None
    left = status.f_bavail * status.f_frsize
    if left < _FULL_BYTES and status.f_blocks:
        return "disk full", "%s; %d bytes are left on the disk of %s" % (
            describe_exit(attempt.code or 0),
            left,
            attempt.workdir,
        )
    if _no_more_may_be_written(attempt.workdir):
        return "disk full", "%s; no more may be written to %s: the quota is used up" % (
            describe_exit(attempt.code or 0),
            attempt.workdir,
        )
    return None


def _no_more_may_be_written(folder: str) -> bool:
    """Say whether a little more is refused where there is room: a quota is told to who writes, and to nobody else."""
    path = os.path.join(folder, ".longshore-room")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        return error.errno == errno.EDQUOT
    try:
        os.posix_fallocate(handle, 0, _FULL_BYTES)
    except OSError as error:
        return error.errno == errno.EDQUOT
    except AttributeError:
        return False  # macOS has no such call
    finally:
        os.close(handle)
        os.unlink(path)
    return False
