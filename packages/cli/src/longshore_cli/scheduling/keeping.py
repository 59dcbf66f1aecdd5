"""Starting what is scheduled when its time has come, for as long as this process lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from longshore.errors import UsageError
from longshore_cli.scheduling.entry import Entry, command_line
from longshore_cli.scheduling.kept import KeptTimers

__all__ = ["due", "keep", "seen_until"]

_LONGEST = timedelta(minutes=1)
"""The clock may be set while we wait, of which nobody tells us."""
_SMALL_STEP = timedelta(hours=3)
"""A clock that is set back by less, as at the end of summer time, has nothing done twice."""
_PIECE = 4096


def due(entries: Sequence[Entry], seen: datetime, now: datetime) -> list[Entry]:
    """Give those whose time has come since the moment up to which all was seen. Pure."""
    moments = [(entry, entry.when.after(seen)) for entry in entries]
    return [entry for entry, moment in moments if moment is not None and moment <= now]


def seen_until(seen: datetime, now: datetime) -> datetime:
    """Say up to which moment all is seen, by a clock that may have been set. Pure."""
    return max(seen, now) if now > seen - _SMALL_STEP else now


def keep(timers: KeptTimers, lock: Path, tell: Callable[[str], None]) -> None:
    """Start what is due until SIGINT or SIGTERM, which those that run then are told, too, and are waited for.

    Args:
        timers: where they are.
        lock: the file that says that somebody keeps them.
        tell: takes what happens, a line at a time.

    Raises:
        UsageError: when somebody else does.
    """
    with _alone(lock), timers.bell() as bell, _signals() as signals:
        running: dict[str, subprocess.Popen[bytes]] = {}
        entries = timers.entries()
        tell(f"{len(entries)} scheduled; until Ctrl-C")
        for entry in entries:
            if entry.when.at_boot:
                _start(entry, running, tell)
        seen = _now()
        while True:
            entries, now = timers.entries(), _now()
            for entry in due(entries, seen, now):
                _start(entry, running, tell)
            seen = seen_until(seen, now)
            heard, _, _ = select.select([bell, signals], [], [], _patience(entries, now))
            if bell in heard:
                os.read(bell, _PIECE)
            told = os.read(signals, _PIECE) if signals in heard else b""
            _see_ended(running, tell)
            if signal.SIGINT in told or signal.SIGTERM in told:
                break
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def _now() -> datetime:
    return datetime.now().astimezone()


def _patience(entries: Sequence[Entry], now: datetime) -> float:
    """Say how many seconds can be slept."""
    moments = [moment for entry in entries if (moment := entry.when.after(now)) is not None]
    return min([_LONGEST, *(moment - now for moment in moments)]).total_seconds()


def _start(entry: Entry, running: dict[str, subprocess.Popen[bytes]], tell: Callable[[str], None]) -> None:
    if entry.name in running:
        tell(f"{entry.name} is not started: it still runs from the last time")
        return
    environment = os.environ | dict(entry.environment)
    try:
        running[entry.name] = subprocess.Popen(
            command_line(entry),
            cwd=entry.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        tell(f"{entry.name} is started")
    except OSError as error:
        tell(f"{entry.name} cannot be started in {entry.folder}: {error.strerror}")


def _see_ended(running: dict[str, subprocess.Popen[bytes]], tell: Callable[[str], None]) -> None:
    for name, process in list(running.items()):
        code = process.poll()
        if code is not None:
            del running[name]
            tell(f"{name} has ended" + (f" with exit code {code}" if code else ""))


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError("another `longshore schedule keep` is at it already; one is enough") from None
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """Have the signals that count told by a descriptor: the number of each is a byte."""
    ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    woken = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(ours)
        os.close(theirs)
