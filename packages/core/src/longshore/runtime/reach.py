"""The machines that one run can reach: links that come, go and come again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import evolve

from longshore.errors import LongshoreError, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import attempt_id
from longshore.model.events import AttemptEnded, AttemptIntended, Event, MachineAdded
from longshore.model.machine import Machine
from longshore.model.outcome import Cancelled
from longshore.plugin.abilities import HandsOutGpus, Measures
from longshore.plugin.protocols import Session
from longshore.runtime.loads import Loads
from longshore.runtime.sharing import Sharing
from longshore.scheduler.actions import CancelAttempt
from longshore.scheduler.state import RunState, TaskPhase

if TYPE_CHECKING:
    from longshore.runtime.areas import BucketArea
    from longshore.runtime.dispatch import Remote
    from longshore.scheduler.away_actions import Move

__all__ = ["Reach", "store_of"]

_log = logging.getLogger(__name__)

_CLOSE_SECONDS = 10.0
"""Machines that do not answer are not waited for any longer when the controller leaves a run."""
_CLEAR_SECONDS = 30.0
"""So long may it take to leave nothing of a run that is over; a cluster that has much to do needs it."""


class Reach:
    """Links are made in threads of their own; all else is for the runner's thread."""

    def __init__(self, run: str, state: RunState, post: Callable[..., None]) -> None:
        self.sessions: dict[str, Session] = {}
        """Links to this computer's machines, which answer at once."""
        self.remotes: dict[str, Remote] = {}
        """All other machines."""
        self.areas: Mapping[str, BucketArea] = {}
        """Buckets that keep what tasks write, by the URLs of their pools."""
        self.shared: dict[str, Sharing] = {}
        """The machines that other runs use too: this computer, in each pool that is on it."""
        self.loads = Loads()
        """What the machines use, for those who watch."""
        self.cleared = False
        """Whether nothing of the run is left on any machine that the config names."""
        self._run = run
        self._state = state
        self._post = post
        self._lock = threading.Lock()
        """A link may come when the run has ended."""
        self._closed = False

    def link(self, machine: Machine, session: Session) -> None:
        """Use a machine from now on; nothing is asked of it before the run knows that it was added."""
        with self._lock:
            if self._closed:
                session.close()
            elif machine.id in self.shared:
                self.sessions[machine.id] = session
                if isinstance(session, Measures):
                    whole = evolve(machine, resources=self.shared[machine.id].total)
                    self.loads.add(whole, session.measure)
            else:
                from longshore.runtime.dispatch import Remote  # noqa: PLC0415  all runs wait for imports

                remote = self.remotes[machine.id] = Remote(machine.id, session, self._post)
                self.loads.add(machine, remote.measure)

    def unlink(self, machine: str) -> None:
        """Close the link to a machine; silent when there is none. What is asked of it from now on is not done."""
        remote = self.remotes.get(machine)
        if remote is not None:
            remote.close()

    def committed(self, events: Sequence[Event]) -> None:
        """Ask machines that have just been added what became of all that they were given before."""
        added = [event.machine for event in events if isinstance(event, MachineAdded)]
        if added:
            # What is intended in the same breath has not been given to anybody.
            new = {self._attempt(event) for event in events if isinstance(event, AttemptIntended)}
            for machine in added:
                attempts = [each for each in self._attempts_on(machine) if each not in new]
                attempts += self._builds_on(machine, events)
                link = self.sessions.get(machine) or self.remotes.get(machine)
                if attempts and link is not None:
                    link.adopt(attempts)

    def _attempts_on(self, machine: str) -> Iterator[str]:
        for name in self._state.live:
            task = self._state.tasks[name]
            # What is still being staged is asked for again, and that says what became of it.
            if task.machine == machine and task.phase is not TaskPhase.STAGING:
                yield attempt_id(self._run, name, task.attempts)

    def _builds_on(self, machine: str, events: Sequence[Event]) -> list[str]:
        if not self._state.under_construction:
            return []
        from longshore.runtime.environments import live_builds  # noqa: PLC0415  few runs build any

        return live_builds(self._run, self._state, machine, events)

    def news(self, events: Sequence[Event]) -> Sequence[Event]:
        """Tell how much of this computer other runs leave to this one, when that may have changed."""
        told: list[Event] = []
        for name, part in self.shared.items():
            before = part.gpus
            told += part.news(happened=bool(events))
            session: object = self.sessions.get(name)
            if part.gpus != before and isinstance(session, HandsOutGpus):
                session.use_gpus(part.gpus)
        return told

    def cancel(self, action: CancelAttempt) -> None:
        """End an attempt."""
        attempt = self._attempt(action)
        staging = self._state.tasks[action.task].phase is TaskPhase.STAGING
        if action.machine in self.remotes:
            self.remotes[action.machine].cancel(attempt, staging=staging)
            return
        self.sessions[action.machine].cancel(attempt)
        if staging:
            # It waits for what other machines have to send, and nobody has been asked to start it.
            now = datetime.now(UTC)
            self._post(AttemptEnded(at=now, task=action.task, attempt=action.attempt, outcome=Cancelled()))

    def release(self, event: AttemptEnded) -> None:
        """Let the machine of an attempt forget it."""
        machine = self._state.tasks[event.task].machine
        link = self.sessions.get(machine) or self.remotes.get(machine)
        if link is not None:
            link.release(self._attempt(event))

    def move(self, action: Move) -> None:
        """Begin to bring an artifact where it is wanted."""
        artifact, source, target = action.artifact, action.source, action.target
        if target in self.areas:
            self.remotes[source].data.stage_out(artifact, self.areas[target])
        elif source in self.areas and target:
            self.remotes[target].data.stage_in(artifact, self.areas[source])
        elif source in self.areas:
            self.areas[source].bring(artifact)
        elif target:
            self.remotes[target].data.pull(artifact, self.remotes[source].data)
        else:
            self.remotes[source].data.bring(artifact)

    def bring_home(self, artifact: Artifact) -> None:
        """Bring an output home that is elsewhere; silent when it is no such thing. From any thread.

        Raises:
            StagingError: when none that has it can be reached, or it does not come.
        """
        where = self._state.where
        if artifact.sha256 not in where.elsewhere:
            return
        for url, area in self.areas.items():
            if artifact.sha256 in where.stores.get(url, ()):
                area.obtain(artifact)
                return
        having = [
            each for each in list(self._state.machines.values()) if artifact.sha256 in where.stores.get(each.store, ())
        ]
        for machine in having:
            remote = self.remotes.get(machine.id)
            if remote is not None and machine.linked and not machine.gone:
                with suppress(CancelledError):  # the link is gone, so that another one may have it
                    remote.data.obtain(artifact).result()
                    return
        names = ", ".join(each.id for each in having)
        raise StagingError(f"{artifact.path} is on {names} only, and no link is there now")

    def close(self, *, over: bool) -> None:
        """Let go of all machines; nothing of a run that is ``over`` for good is left on them."""
        with self._lock:
            self._closed = True
        deadline = time.monotonic() + (_CLEAR_SECONDS if over else _CLOSE_SECONDS)
        for remote in self.remotes.values():
            remote.close(over=over)
        for remote in self.remotes.values():
            remote.join(max(0.0, deadline - time.monotonic()))
        for session in self.sessions.values():
            session.close()
        reached = {name for name, remote in self.remotes.items() if remote.left}
        used = {each.id for each in self._state.machines.values() if each.store}
        self.cleared = over and reached.issuperset(used.difference(self._state.lease_of))
        for area in self.areas.values():
            area.close()
            if over:
                self._clear(area)

    def _clear(self, area: BucketArea) -> None:
        try:
            area.clear()
        except LongshoreError as error:
            _log.warning("something of run %s is left in %s: %s", self._run, area.url, error)
            self.cleared = False

    def _attempt(self, each: AttemptEnded | AttemptIntended | CancelAttempt) -> str:
        return attempt_id(self._run, each.task, each.attempt)


def store_of(machine: Machine) -> str:
    """Name the store of a machine; empty for the project's."""
    return machine.id if machine.store is None else machine.store
