"""What attempts leave behind when their first process has ended: found, and ended too.

A supervisor on Linux is the parent of all orphans below it. So whatever an attempt has left is, or descends from, a
child that the supervisor did not start, and looking at the list of its children tells in microseconds that there is
nothing to look for. Only when there is something are all processes of the computer looked at.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import signal

from longshore.remote.processes import adopt_orphans, children, find_members, mark_of, send_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from longshore.remote.attempt import Attempt
    from longshore.remote.watch import Watch

__all__ = ["Endings", "Orphans"]

# Where no signal tells of the end of a process that is not our child, and for one that the kernel does not let go.
_FIRST_LOOK = 0.05
_LAST_LOOK = 2.0


class Orphans:
    """Knows which of our children we did not start, and whose they are."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._handle = -1
        self._owners: dict[int, str] = {}
        path = "/proc/self/task/%d/children" % os.getpid()
        if adopt_orphans() and os.path.exists(path):
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def gone(self, pid: int) -> bool:
        """Note that a child has ended; say whether it was an orphan."""
        return self._owners.pop(pid, None) is not None

    def leavers(
        self, ended: Collection[Attempt], ours: Collection[int], active: Mapping[str, Attempt]
    ) -> list[Attempt]:
        """Give those attempts that may have left processes behind.

        Args:
            ended: attempts whose first process has just ended.
            ours: the children that we started, and that live.
            active: all attempts that have begun, by their ids, the ended ones included.
        """
        if self._handle < 0:
            return list(ended)
        living = children(self._handle)
        if len(living) != len(ours) + len(self._owners):
            for pid in living:
                if pid not in ours and pid not in self._owners:
                    self._owners[pid] = self._owner(pid, active)
        if not self._owners:
            return []
        owners = set(self._owners.values())
        return [attempt for attempt in ended if attempt.id in owners]

    def _owner(self, pid: int, active: Mapping[str, Attempt]) -> str:
        """Say whose an orphan is: by its mark, its session or where it is. When it hides all of these it is that of the
        only attempt, and else nobody's: the parent that it has lost may be another attempt's, which lives on. So podman
        starts what attends to a container, without a mark and in a session of its own.
        """
        marked, _, place = mark_of(pid).rpartition("@")
        if marked in active and place == self._place:
            return marked
        try:
            session = os.getsid(pid)
        except ProcessLookupError:
            return ""
        folder = _folder_of(pid)
        for attempt in active.values():
            if attempt.leader == session or (attempt.workdir and _is_in(folder, attempt.workdir)):
                return attempt.id
        return next(iter(active)) if len(active) == 1 else ""

    @property
    def nameless(self) -> bool:
        """Whether there are orphans of nobody knows whom."""
        return "" in self._owners.values()

    def end_nameless(self) -> None:
        """End the orphans of nobody knows whom, once no attempt is active."""
        nameless = [pid for pid, owner in self._owners.items() if not owner]
        send_signal(nameless, signal.SIGKILL)

    def of(self, attempt: str) -> set[int]:
        """Give the orphans of an attempt."""
        return {pid for pid, owner in self._owners.items() if owner == attempt}


def _folder_of(pid: int) -> str:
    try:
        return os.readlink("/proc/%d/cwd" % pid)
    except OSError:
        return ""


def _is_in(folder: str, workdir: str) -> bool:
    return (folder + "/").startswith(os.path.realpath(workdir) + "/")


class Ending:
    """The end of all processes of one attempt: asked, and after its grace forced."""

    __slots__ = ("attempt", "force", "pause", "then")

    def __init__(self, attempt: Attempt, then: Callable[[Attempt], None] | None) -> None:
        self.attempt = attempt
        self.then = then
        self.force = False
        self.pause = _FIRST_LOOK


class Endings:
    """Ends attempts' processes, and tells when none is left."""

    def __init__(self, watch: Watch, orphans: Orphans) -> None:
        self._watch = watch
        self._orphans = orphans
        self._endings: dict[str, Ending] = {}

    def ask(self, attempts: Iterable[Attempt]) -> None:
        """Ask all processes of attempts to end, with SIGTERM; after the grace of each they are killed."""
        new = [Ending(attempt, None) for attempt in attempts if attempt.id not in self._endings]
        members = self._members(new)
        for ending in new:
            attempt = ending.attempt
            self._endings[attempt.id] = ending
            send_signal(members[attempt.id], signal.SIGTERM)
            send_signal(members[attempt.id], signal.SIGCONT)
            self._watch.after(attempt.grace, lambda ending=ending: self._kill(ending))  # type: ignore[misc]

    def warn(self, attempts: Collection[Attempt]) -> None:
        """Send SIGTERM to all processes of attempts, which may go on for as long as they need."""
        for pids in find_members({attempt.mark: attempt.leader for attempt in attempts}).values() if attempts else ():
            send_signal(pids, signal.SIGTERM)

    def asked(self, attempt: Attempt) -> bool:
        """Say whether an attempt's processes have been asked to end."""
        return attempt.id in self._endings

    def when_none_left(self, attempts: Collection[Attempt], then: Callable[[Attempt], None]) -> None:
        """Call ``then`` for each attempt, whose first process has ended, as soon as it has no process left; ask those
        that it has left to end.
        """
        self.ask(attempts)
        for attempt in attempts:
            self._endings[attempt.id].then = then
        self.look()

    def look(self) -> None:
        """Look which attempts have no process left. Called when an orphan has ended."""
        waiting = [ending for ending in self._endings.values() if ending.then is not None]
        if not waiting:
            return
        members = self._members(waiting)
        for ending in waiting:
            if not members[ending.attempt.id]:
                self.forget(ending.attempt)
                if ending.then is not None:
                    ending.then(ending.attempt)
            elif ending.force:
                send_signal(members[ending.attempt.id], signal.SIGKILL)

    def forget(self, attempt: Attempt) -> None:
        """Stop ending an attempt, which has no process left."""
        self._endings.pop(attempt.id, None)

    def _kill(self, ending: Ending) -> None:
        """Kill what is left, and look again after a while, longer each time, until nothing is."""
        if self._endings.get(ending.attempt.id) is not ending:
            return
        ending.force = True
        send_signal(self._members([ending])[ending.attempt.id], signal.SIGKILL)
        self._watch.after(ending.pause, lambda: self._kill(ending))
        ending.pause = min(2 * ending.pause, _LAST_LOOK)
        if ending.then is not None:
            self.look()

    def _members(self, endings: Collection[Ending]) -> dict[str, set[int]]:
        if not endings:
            return {}
        attempts = [ending.attempt for ending in endings]
        members = find_members({attempt.mark: attempt.leader for attempt in attempts})
        return {attempt.id: members[attempt.mark] | self._orphans.of(attempt.id) for attempt in attempts}
