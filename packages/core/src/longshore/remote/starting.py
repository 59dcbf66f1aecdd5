"""The first half of an attempt's way: waiting for room, staging, starting.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import time
from collections import deque

from longshore.remote.attempt import RUNNING, STAGING, WAITING, Attempt, BadOrder, is_made
from longshore.remote.collecting import OutputProblem, refuse_escapes
from longshore.remote.launcher import Launcher, note_not_started
from longshore.remote.processes import boot_seconds
from longshore.remote.protocol import ANNOUNCE_SECONDS
from longshore.remote.store import translate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any, Deque

    from longshore.remote.closing import Closing
    from longshore.remote.services import Services

__all__ = ["Starting"]

_MOST_FOLLOWERS = 47
_TO_LAY = frozenset(("inputs", "secrets", "modules"))


class Starting:
    """Takes orders and starts them. Strictly first come, first served: none overtakes one that waits for more room."""

    def __init__(self, services: Services, closing: Closing) -> None:
        self._services = services
        self._closing = closing
        self._launcher = Launcher(services)
        self._waiting: Deque[Attempt] = deque()
        self._fresh: list[Attempt] = []
        """Those that run, but only for a moment yet."""

    @property
    def has_waiting(self) -> bool:
        """Whether attempts wait for room, so that the machine is busy whatever the controller says."""
        return bool(self._waiting) or self._services.workers.ahead

    def accept(self, order: dict[str, Any]) -> Attempt:
        """Take an order whose id is new.

        Raises:
            BadOrder: when it is none.
        """
        try:
            attempt = Attempt(order, self._services.place)
            if sum(name in order for name in ("argv", "script", "call", "build")) != 1:
                raise ValueError("it must have one of argv, script, call and build")
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise BadOrder("this is no order: %s: %s" % (type(error).__name__, error)) from error
        self._closing.attempts[attempt.id] = attempt
        refusal = self._services.room.refusal(attempt)
        if refusal:
            attempt.fail("capacity", refusal)
        else:
            try:
                refuse_escapes(order.get("outputs", []))
            except OutputProblem as error:
                attempt.fail("user code", str(error))
        if attempt.failure:
            attempt.lost = attempt.evidence
            self._closing.finish(attempt)
        else:
            self._waiting.append(attempt)
        return attempt

    def withdraw(self, attempts: Collection[Attempt]) -> None:
        """End attempts that wait for room; they have never been started."""
        gone = {attempt.id for attempt in attempts}
        self._waiting = deque(attempt for attempt in self._waiting if attempt.id not in gone)
        for attempt in attempts:
            self._closing.finish(attempt)

    def put_back(self, attempts: Sequence[Attempt]) -> None:
        """Let calls wait again, before all others, that were handed to a worker but not begun."""
        for attempt in attempts:
            attempt.state = WAITING
            attempt.workdir = ""
            attempt.worker = None
            attempt.limit = None
            attempt.leader = 0
        self._waiting.extendleft(reversed(attempts))

    def admit(self) -> None:
        """Start as many of those that wait as there is room for, in their order."""
        services = self._services
        batch: list[Attempt] = []
        while self._waiting and services.room.take(self._waiting[0]):
            attempt = self._waiting.popleft()
            attempt.state = STAGING
            attempt.has_room = True
            self._give_folder(attempt)
            batch.append(attempt)
            if services.workers.may_follow(attempt):
                self._add_followers(attempt)
                batch.extend(attempt.followers)
        if batch:
            services.evidence.look(time.monotonic())
            self._record_intents(batch)
            for attempt in batch:
                if attempt.has_room:
                    self._begin(attempt)
        services.room.settle(waiting=bool(self._waiting))

    def _add_followers(self, attempt: Attempt) -> None:
        """Let short calls right behind this one share its room, one after the other; leave enough for others."""
        at_once = max(1.0, self._services.room.cpus / attempt.cpus) if attempt.cpus else _MOST_FOLLOWERS
        most = min(_MOST_FOLLOWERS, int(len(self._waiting) / at_once))
        while len(attempt.followers) < most:
            follower = self._waiting[0]
            if follower.cpus != attempt.cpus or follower.order.get("modules") != attempt.order.get("modules"):
                break
            if not self._services.workers.may_follow(follower):
                break
            self._waiting.popleft()
            follower.state = STAGING
            follower.workdir = attempt.workdir
            follower.started_boot = attempt.started_boot
            attempt.followers.append(follower)

    def _give_folder(self, attempt: Attempt) -> None:
        workdirs = self._services.workdirs
        attempt.started_boot = boot_seconds()
        try:
            attempt.workdir = workdirs.own(attempt.name) if attempt.has_own_folder else workdirs.take()
        except OSError as error:
            problem = translate(error, "there is no workdir")
            attempt.fail("disk full" if problem.full else "staging", str(problem))

    def _record_intents(self, batch: list[Attempt]) -> None:
        record = self._services.record
        lines = [attempt.intent_line() for attempt in batch]
        for line in lines:
            record.add(line)
        try:
            record.flush()
        except OSError as error:
            record.drop(lines)
            problem = translate(error, "the supervisor cannot write its record")
            for attempt in batch:
                attempt.fail("disk full" if problem.full else "staging", str(problem))

    def _begin(self, attempt: Attempt) -> None:
        if not attempt.failure and not _TO_LAY.isdisjoint(attempt.order):
            self._services.staging.lay(attempt, self._launch)
        else:
            self._launch(attempt)

    def _launch(self, attempt: Attempt) -> None:
        try:
            if not (attempt.failure or attempt.cancelled or attempt.lost):
                self._launcher.launch(attempt)
        except OSError as error:
            note_not_started(attempt, error)
        followers, attempt.followers = attempt.followers, []
        if not attempt.leader:
            self.put_back(followers)
            attempt.lost = attempt.lost or (attempt.evidence if attempt.code is None else "")
            self._closing.processes_over(attempt)
            return
        self._closing.expect(attempt)
        if "timeout" in attempt.order:
            attempt.timer = self._services.watch.after(attempt.order["timeout"], lambda: self._time_out(attempt))
        self.began(attempt)

    def began(self, attempt: Attempt) -> None:
        """Take note that an attempt runs now; tell of it unless it ends soon."""
        attempt.state = RUNNING
        self._services.boss.prints(attempt)
        if attempt.cancelled:
            self._services.endings.ask([attempt])
        self._fresh.append(attempt)
        if len(self._fresh) == 1:
            self._services.watch.after(ANNOUNCE_SECONDS, self._announce)

    def _time_out(self, attempt: Attempt) -> None:
        if attempt.state == RUNNING and not attempt.cancelled:
            attempt.timed_out = True
            self._services.endings.ask([attempt])

    def _announce(self) -> None:
        """Tell of those that still run after a moment; most short ones are over by now, and their end tells
        everything.
        """
        # Whose logs have a name must have its worker to itself: what follows in its batch prints into the same files.
        self._services.workers.take_back()
        latest = boot_seconds() - ANNOUNCE_SECONDS / 2
        running = [each for each in self._fresh if each.state == RUNNING and not (each.announced or is_made(each))]
        self._fresh = [attempt for attempt in running if attempt.started_boot > latest]
        for attempt in running:
            if attempt.started_boot <= latest:
                self.announce(attempt)
        if self._fresh:
            self._services.watch.after(ANNOUNCE_SECONDS, self._announce)

    def announce(self, attempt: Attempt) -> None:
        """Tell that an attempt runs. From now on its logs have their own name."""
        services = self._services
        if not attempt.announced:
            attempt.announced = True
            if attempt.logs is not None and not is_made(attempt):
                try:
                    attempt.logs.take_name(services.shelf.stem(attempt.name))
                except OSError:
                    pass  # they are found under their name when it is over
            services.record.add(attempt.pid_line())
        services.boss.tell(attempt.started_line())
