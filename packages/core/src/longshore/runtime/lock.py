"""One controller for each run: a lock that the kernel gives back when its holder dies, and the fence that orders the
holders.

The lock is an flock on ``<run folder>/controller``. What stands in that file (who, since when, and the fence) only
informs, except for the fence: it is raised and synced each time the lock changes hands, so that machines can refuse
whoever comes too late.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import frozen

from longshore.errors import JournalError, RunError, RunLocked
from longshore.runtime.processes import ProcessMark, is_alive, this_process

__all__ = ["Holder", "RunLock", "acquire", "holder", "is_held"]

_FILE = "controller"
_NO_LOCKS_HERE = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})
_LENGTH = 512
_TRIES = 6
_PAUSE_SECONDS = 0.01
"""`is_held` takes a shared lock for some microseconds; whoever meets it looks again."""


@frozen(kw_only=True)
class Holder:
    """Who has a run, or had it last."""

    process: ProcessMark
    since: datetime
    fence: int
    """Every holder has a higher one than all before it."""

    def __str__(self) -> str:
        host = self.process.host or "an unnamed computer"
        return f"process {self.process.pid} on {host} since {self.since:%Y-%m-%d %H:%M:%S} UTC"


class RunLock:
    """The right to control one run, until it is released or this process dies. Made by `acquire`."""

    def __init__(self, descriptor: int, fence: int) -> None:
        self._descriptor = descriptor
        self.fence = fence
        """Higher than that of any earlier holder."""

    def release(self) -> None:
        """Give the run back; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def acquire(run_folder: Path, *, above: int = 0) -> RunLock:
    """Become the controller of a run, at once or not at all; a holder that died on this computer is no obstacle.

    ``above`` is the highest fence that the journal knows; the new one exceeds it even if the lock's file was lost.

    Raises:
        RunLocked: somebody else has it; the message says who and since when.
        RunError: the file system has no locks.
        JournalError: the fence cannot be written.
    """
    path = run_folder / _FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        _lock(descriptor, path)
        before = _read(descriptor)
        fence = max(above, before.fence if before else 0) + 1
        _write(descriptor, Holder(process=this_process(), since=datetime.now(UTC), fence=fence), path)
    except BaseException:
        os.close(descriptor)
        raise
    return RunLock(descriptor, fence)


def is_held(run_folder: Path) -> bool:
    """Say whether some controller has the run now."""
    try:
        descriptor = os.open(run_folder / _FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # Without locks all that is left is what the file says of a process on this computer.
        known = _read(descriptor)
        return known is not None and is_alive(known.process)
    finally:
        os.close(descriptor)
    return False


def holder(run_folder: Path) -> Holder | None:
    """Say who has the run, or had it last; None when nobody is known."""
    try:
        descriptor = os.open(run_folder / _FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(_PAUSE_SECONDS)
        except OSError as error:
            if error.errno in _NO_LOCKS_HERE:
                raise RunError(
                    f"the file system of {path.parent} has no file locks ({error.strerror}), so two controllers could "
                    "not be kept apart; move the project to a local disk, or mount the share with locks"
                ) from error
            raise
        else:
            return
    known = _read(descriptor)
    who = str(known) if known else "somebody unknown"
    raise RunLocked(
        f"run {path.parent.name} is controlled by {who}; "
        "watch it with `longshore status`, or end it with `longshore cancel`"
    )


def _read(descriptor: int) -> Holder | None:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(
            process=ProcessMark(pid=int(found["pid"]), start=found["start"], boot=found["boot"], host=found["host"]),
            since=datetime.fromisoformat(found["since"]),
            fence=int(found["fence"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(descriptor: int, holder: Holder, path: Path) -> None:
    process = holder.process
    content = {
        "fence": holder.fence,
        "pid": process.pid,
        "start": process.start,
        "boot": process.boot,
        "host": process.host,
        "since": holder.since.isoformat(),
    }
    # In place, since the lock is on this very file; of one length and within one sector, so that a crash leaves the old
    # or the new text.
    data = json.dumps(content).encode("ascii").ljust(_LENGTH - 1) + b"\n"
    try:
        os.pwrite(descriptor, data, 0)
        os.fsync(descriptor)
    except OSError as error:
        raise JournalError(
            f"{path} cannot be written: {error.strerror}; free some space, then `longshore resume`"
        ) from error
