"""Attempts that another supervisor of this folder had begun when it was killed.

How they end nobody can know any more: only a parent is told the exit code. So each is reported as lost, but not before
all of its processes are over, since what is reported as lost may be started again at once.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import signal
import time

from longshore.remote.attempt import RUNNING, Attempt
from longshore.remote.processes import boot_id, boot_seconds, find_members, send_signal, started_at
from longshore.remote.workers import WORKER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from longshore.remote.closing import Closing
    from longshore.remote.record import Memory
    from longshore.remote.services import Services

__all__ = ["recover"]

_LOST = "its supervisor was killed while it ran, so nobody knows how it ended"
_REBOOTED = "the computer was started anew while it ran"
# Start times are told in ticks of 10 ms; the recorded times were taken just before and just after the start.
_TICK_SECONDS = 0.02


def recover(memory: Memory, services: Services, closing: Closing) -> None:
    """Find the processes of attempts that were begun, wait for them, and report each attempt as lost when it has none
    left.
    """
    rebooted = memory.boot != boot_id()
    attempts = [_attempt(entry, services.place, rebooted=rebooted) for entry in memory.begun.values()]
    for attempt in attempts:
        closing.attempts[attempt.id] = attempt
        services.room.force(attempt)
        services.boss.prints(attempt)
    if not attempts:
        return
    crew = WORKER + "@" + services.place
    members = {} if rebooted else find_members({crew: 0, **{attempt.mark: attempt.leader for attempt in attempts}})
    # What a call returns goes nowhere any more, so it ends with its supervisor.
    workers = members.get(crew, set())
    send_signal(workers, signal.SIGKILL)
    for attempt in attempts:
        found = members.get(attempt.mark, set())
        _wait(attempt, found | workers if "call" in attempt.order else found, services, closing)


def _attempt(entry: dict[str, Any], place: str, *, rebooted: bool) -> Attempt:
    kinds: dict[str, Any] = {kind: {} for kind in ("call", "build") if entry.get(kind)}
    attempt = Attempt({"id": entry["id"], **kinds}, place)
    attempt.cpus, attempt.memory, attempt.gpu_names = entry.get("needs", (1.0, 0, []))
    attempt.has_room = True
    attempt.state = RUNNING
    attempt.announced = True
    attempt.workdir = entry["workdir"]
    attempt.secrets = entry.get("secrets", [])
    attempt.container = entry.get("container", [])
    attempt.started_boot = entry["at"]
    attempt.started = time.time() - (boot_seconds() - entry["at"])
    attempt.lost = _REBOOTED if rebooted else _LOST
    attempt.fail("machine lost", attempt.lost)
    pid = entry.get("pid", 0)
    start = started_at(pid) if pid and not rebooted else None
    if start is not None and entry["intended"] - _TICK_SECONDS <= start <= entry["at"] + _TICK_SECONDS:
        attempt.leader = pid
    return attempt


def _wait(attempt: Attempt, members: set[int], services: Services, closing: Closing) -> None:
    """Wait for all of these processes, then look again, until there is none."""
    living = {pid for pid in members if pid != os.getpid()}
    if not living:
        services.endings.forget(attempt)
        closing.processes_over(attempt)
        return

    def over(pid: int) -> None:
        living.discard(pid)
        if not living:
            _wait(attempt, find_members({attempt.mark: attempt.leader})[attempt.mark], services, closing)

    for pid in list(living):
        services.watch.when_over(abs(pid), lambda pid=pid: over(pid))  # type: ignore[misc]
