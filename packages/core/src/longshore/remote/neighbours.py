"""Supervisors of other runs on the same computer: together they take no more of it than there is.

Each has a row in one file, ``<folder>/table``, which is changed under a lock. Who is alone takes all of the computer in
one go, and then does not look at the file until somebody else writes to it. Who finds no room waits, the one who has
waited longest first; a bell tells him of what is written, and the kernel of who has died.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import fcntl
import json
import os

from longshore.remote.bell import Bell
from longshore.remote.processes import boot_id, boot_seconds, started_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from longshore.remote.watch import Watch

    Row = dict[str, Any]

__all__ = ["Neighbours", "Use"]

_TABLE = "table"
_FIELDS = {"key", "pid", "start", "boot", "cpus", "memory", "gpus", "total", "all", "since"}
# Sums of fractional cpus must not make a full machine look overfull.
_TOLERANCE = 1e-9
_TICK_SECONDS = 0.02


class Use:
    """How much of a computer is used, and which of its GPUs."""

    __slots__ = ("cpus", "gpus", "memory")

    def __init__(self, cpus: float, memory: int, gpus: list[str]) -> None:
        self.cpus = cpus
        self.memory = memory
        self.gpus = gpus


class Neighbours:
    """Where they cannot find each other (a folder that cannot be written), each has all of the computer."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._bell = Bell(watch, self._rung)
        self._folder = ""
        self._total = (0.0, 0)
        self._alone = False
        """Whether all of the computer is ours, as far as the table says."""
        self._stale = False
        """Whether our row may not be as it should."""
        self._since = 0.0
        """Since when we wait; 0 when we do not."""
        self._watched: set[int] = set()
        self._pid = os.getpid()
        self._key = "%d-%s" % (self._pid, os.urandom(4).hex())
        self._start = started_at(self._pid)
        self._boot = boot_id()

    def join(self, folder: str, cpus: float, memory: int) -> None:
        """Share with those who use the same folder. When they do not agree on what there is in all, the most counts."""
        self._total = (cpus, memory)
        self._alone = False
        self._stale = True
        if folder == self._folder:
            return
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError:
            folder = ""
        self._folder = folder
        if folder:
            self._bell.hang(folder)

    def leave(self) -> None:
        """Give everything back."""
        if self._folder:
            self._bell.take_down()
            self._change(lambda _rows: None)
            self._folder = ""

    def grant(self, used: Use, cpus: float, memory: int, gpus: int, free: list[str]) -> list[str] | None:
        """Let so much more be used than ``used``, and choose so many of the ``free`` GPUs; None while it cannot be."""
        if not self._folder or self._alone:
            return free[:gpus]
        chosen: list[list[str]] = []

        def decide(rows: list[Row]) -> Row:
            self._alone = not rows
            left = [name for name in free if not any(name in row["gpus"] for row in rows)]
            if gpus > len(left) or not self._has_room(rows, used.cpus + cpus, used.memory + memory):
                self._since = self._since or boot_seconds()
                return self._row(used)
            self._since = 0.0
            chosen.append(left[:gpus])
            return self._row(Use(used.cpus + cpus, used.memory + memory, used.gpus + left[:gpus]))

        self._change(decide)
        if not self._folder:
            return free[:gpus]
        return chosen[0] if chosen else None

    def settle(self, used: Use, *, waiting: bool) -> None:
        """See to it that others know what we use, when that may have changed; ``waiting``: we wait for more."""
        if not self._folder or not (self._stale or (self._since and not waiting)):
            return
        self._stale = False
        if not waiting:
            self._since = 0.0
        busy = bool(used.cpus or used.memory or used.gpus)

        def decide(rows: list[Row]) -> Row | None:
            self._alone = busy and not rows
            return self._row(used) if busy or self._since else None

        self._change(decide)

    def changed(self) -> None:
        """Take note that we use less than before."""
        self._stale = self._stale or not self._alone

    def _rung(self) -> bool:
        self._alone = False
        self._stale = True
        return True

    def _has_room(self, rows: list[Row], cpus: float, memory: int) -> bool:
        """Say whether we may use so much in all: there is room, and nobody has waited for longer."""
        if any(row["all"] or (row["since"] and not 0 < self._since <= row["since"]) for row in rows):
            return False
        most_cpus = max([self._total[0], *(row["total"][0] for row in rows)])
        most_memory = max([self._total[1], *(row["total"][1] for row in rows)])
        cpus += sum(row["cpus"] for row in rows)
        memory += sum(row["memory"] for row in rows)
        return bool(cpus <= most_cpus + _TOLERANCE and memory <= most_memory)

    def _row(self, used: Use) -> Row:
        return {
            "key": self._key,
            "pid": self._pid,
            "start": self._start,
            "boot": self._boot,
            "cpus": used.cpus,
            "memory": used.memory,
            "gpus": used.gpus,
            "total": self._total,
            "all": self._alone,
            "since": self._since,
        }

    def _change(self, decide: Callable[[list[Row]], Row | None]) -> None:
        """Let ``decide`` see the rows of all others that live, and give our own, or none."""
        try:
            table = os.open(os.path.join(self._folder, _TABLE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(table, fcntl.LOCK_EX)
                old = os.pread(table, os.fstat(table).st_size, 0)
                rows = [row for row in _read(old) if row["key"] != self._key and self._lives(row)]
                mine = decide(rows)
                self._listen(rows)
                new = json.dumps(rows if mine is None else [*rows, mine]).encode("ascii")
                if new != old:
                    os.pwrite(table, new, 0)
                    os.ftruncate(table, len(new))
            finally:
                os.close(table)
        except OSError:
            self._folder = ""  # each for itself

    def _lives(self, row: Row) -> bool:
        start = started_at(row["pid"])
        return row["boot"] == self._boot and start is not None and abs(start - row["start"]) < _TICK_SECONDS

    def _listen(self, rows: list[Row]) -> None:
        """Hear of the end of those for whom we wait; it writes nothing."""
        for pid in {row["pid"] for row in rows} - self._watched if self._since else ():
            self._watched.add(pid)
            self._watch.when_over(pid, lambda pid=pid: self._watched.discard(pid))  # type: ignore[misc]


def _read(table: bytes) -> list[Row]:
    try:
        return [row for row in json.loads(table or b"[]") if set(row) >= _FIELDS]
    except (ValueError, TypeError):
        return []  # damaged; each enters its row again
