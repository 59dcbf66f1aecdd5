"""Machines that are not this computer: what is asked of each is done in order, by threads of its own.

A link that hangs holds up nobody but its machine. Of each machine one thread gives orders and another one moves data,
so that 10 GB on their way hold up no start and no cancel there either.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from attrs import evolve

from longshore.errors import EnvironmentBuildError, PeerOutOfReach, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, split_attempt_id
from longshore.model.environment import BuildSpec
from longshore.model.events import AttemptEnded, Event
from longshore.model.load import MachineLoad
from longshore.model.move_events import InputsStaged, Moved
from longshore.model.outcome import Cancelled
from longshore.plugin.areas import Stages
from longshore.plugin.protocols import Builds, Clears, Measures, Peers, Session, Together
from longshore.runtime.carrying import Wanted, carry
from longshore.runtime.lanes import Job, Lane, do_all
from longshore.runtime.not_started import never_started, words_of

if TYPE_CHECKING:
    from longshore.runtime.areas import BucketArea

__all__ = ["Remote", "ask_for_build"]

_log = logging.getLogger(__name__)

Post = Callable[..., None]


class Remote:
    """One machine, as the runner's thread sees it: every method returns at once, and its outcome is an event."""

    def __init__(self, machine: str, session: Session, post: Post) -> None:
        """Serve a machine from now on, until `close`; ``post`` takes events, from any thread."""
        self._machine = machine
        self._session = session
        self._sink = post
        self._closed = False
        self.left = False
        """Whether the machine was told good-bye."""
        self._wanted: set[Future[None]] = set()
        """What somebody waits for."""
        self._gone: set[str] = set()
        """Attempts that this controller has started, and has not released; the thread of orders alone knows."""
        self._revoked: set[str] = set()
        """Attempts that must never start. The thread of orders adds to it; the other one may look a moment too early,
        and no harm is done.
        """
        self._moves: list[Wanted] = []
        """What is to come home, and for which place, if it was wanted there."""
        self._pulls: dict[Remote, list[Artifact]] = {}
        self._outgoing: dict[BucketArea, list[Artifact]] = {}
        self._incoming: dict[BucketArea, list[Artifact]] = {}
        self._lock = threading.Lock()
        self._orders = Lane(f"orders-{machine}", self._together)
        self._data = Lane(f"data-{machine}")

    def start(self, spec: AttemptSpec, *, put: bool) -> None:
        """Create an attempt and start it, with ``put`` after its inputs have been brought there."""
        self._orders.add(lambda: self._tried(spec.id, lambda: self._create(spec, put)))

    def build(self, spec: BuildSpec, failed: Callable[[Exception], None]) -> None:
        """Ask for an environment; ``failed`` is told whatever prevents that."""
        self._orders.add(lambda: self._build(spec, failed))

    def cancel(self, attempt: str, *, staging: bool) -> None:
        """End an attempt; one that may not have been started, as its inputs were on their way, will never be."""
        self._orders.add(lambda: self._cancel(attempt, staging))

    def release(self, attempt: str) -> None:
        """Let the machine forget an attempt."""
        self._orders.add(lambda: self._release(attempt))

    def adopt(self, attempts: Collection[str]) -> None:
        """Ask what became of attempts."""
        self._orders.add(lambda: self._session.adopt(attempts))

    def beat(self, until: datetime) -> None:
        """Tell the machine that it is attended to until then at least."""
        self._orders.add(lambda: self._session.beat(until))

    def measure(self, every: timedelta, told: Callable[[MachineLoad], None]) -> None:
        """Have the machine tell what is used there, if its session can."""
        self._orders.add(lambda: self._measure(every, told))

    def bring(self, artifact: Artifact, *, target: str = "") -> None:
        """Bring an artifact home; those that are asked for meanwhile come with it. ``target`` is the place
        that wants it, and cannot get it otherwise.
        """
        with self._lock:
            self._moves.append((artifact, target))
        self._data.add(self._bring)

    def pull(self, artifact: Artifact, source: Remote) -> None:
        """Bring an artifact here from another machine; as with `bring`, those that are asked for meanwhile come
        with it.
        """
        with self._lock:
            self._pulls.setdefault(source, []).append(artifact)
        self._data.add(lambda: self._pull(source))

    def stage_out(self, artifact: Artifact, area: BucketArea) -> None:
        """Bring an artifact from here to a bucket; with those that are asked for meanwhile, as with `bring`."""
        with self._lock:
            self._outgoing.setdefault(area, []).append(artifact)
        self._data.add(lambda: self._stage_out(area))

    def stage_in(self, artifact: Artifact, area: BucketArea) -> None:
        """Bring an artifact here from a bucket; likewise."""
        with self._lock:
            self._incoming.setdefault(area, []).append(artifact)
        self._data.add(lambda: self._stage_in(area))

    def obtain(self, artifact: Artifact) -> Future[None]:
        """Bring an artifact home, for somebody who waits for it; cancelled when the link is closed before that."""
        wanted: Future[None] = Future()
        with self._lock:
            if self._closed:
                wanted.cancel()
                return wanted
            self._wanted.add(wanted)
        self._data.add(lambda: self._obtain(artifact, wanted))
        return wanted

    def discard(self, digests: Sequence[str]) -> None:
        """Let the machine forget objects; in order with releases, which say what ends the run knows of."""
        self._orders.add(lambda: self._session.discard(digests))

    def close(self, *, over: bool = False) -> None:
        """Drop the link, after all orders that were given; data on its way is not waited for. Returns at once.

        When the run is ``over`` for good, nothing of it is left on the machine, if its session can see to that.
        Nothing is told from now on: the same machine may have another link, by which the same is asked again.
        """
        with self._lock:
            self._closed = True
            wanted, self._wanted = self._wanted, set()
        for each in wanted:
            each.cancel()
        self._data.close()
        self._orders.close(lambda: self._leave(over))

    def join(self, seconds: float) -> None:
        """Wait until the link has been dropped, but no longer than this."""
        self._orders.join(seconds)

    def _post(self, *events: Event) -> None:
        with self._lock:
            if not self._closed:
                self._sink(*events)

    # --- in the thread of orders

    def _together(self, jobs: Sequence[Job]) -> None:
        session: object = self._session
        with ExitStack() as piece:
            if len(jobs) > 1 and isinstance(session, Together):
                piece.enter_context(session.together())
            do_all(jobs)

    def _create(self, spec: AttemptSpec, put: bool) -> None:
        self._session.create(spec)
        if put and spec.items:
            self._data.add(lambda: self._tried(spec.id, lambda: self._put(spec)))
        else:
            self._go(spec.id)

    def _go(self, attempt: str) -> None:
        if attempt not in self._revoked:
            self._gone.add(attempt)
            self._session.go(attempt)

    def _build(self, spec: BuildSpec, failed: Callable[[Exception], None]) -> None:
        try:
            ask_for_build(self._session, spec)
        except Exception as error:  # noqa: BLE001  whatever a plugin raises is the build's end
            failed(error)

    def _measure(self, every: timedelta, told: Callable[[MachineLoad], None]) -> None:
        session: object = self._session
        if isinstance(session, Measures):
            session.measure(every, told)

    def _cancel(self, attempt: str, staging: bool) -> None:
        # Another controller may have started it and died before it could say so; so it is ended in any case.
        try:
            self._session.cancel(attempt)
        finally:
            if staging and attempt not in self._gone:
                self._revoked.add(attempt)
                _, task, number = split_attempt_id(attempt)
                self._post(AttemptEnded(at=_now(), task=task, attempt=number, outcome=Cancelled()))

    def _leave(self, over: bool) -> None:
        session: object = self._session
        try:
            if over and isinstance(session, Clears):
                session.clear()
        finally:
            self._session.close()
        self.left = True

    def _release(self, attempt: str) -> None:
        self._gone.discard(attempt)
        self._session.release(attempt)

    # --- in the thread of data

    def _put(self, spec: AttemptSpec) -> None:
        if spec.id in self._revoked:
            return
        self._session.put(spec.id, spec.items)
        _, task, number = split_attempt_id(spec.id)
        self._post(InputsStaged(at=_now(), task=task, attempt=number))
        self._orders.add(lambda: self._tried(spec.id, lambda: self._go(spec.id)))

    def _bring(self) -> None:
        with self._lock:
            wanted, self._moves = self._moves, []
        self._carry(self._session.get, wanted, Moved(at=_now(), artifacts=(), source=self._machine))

    def _pull(self, source: Remote) -> None:
        with self._lock:
            wanted = [(artifact, self._machine) for artifact in self._pulls.pop(source, [])]
        session: object = self._session
        straight = False

        def pull(artifacts: Sequence[Artifact]) -> None:
            nonlocal straight
            if not isinstance(session, Peers):
                raise PeerOutOfReach(f"{self._machine} gets no data from others")
            straight = session.pull(artifacts, source._session)

        def moved(artifacts: tuple[Artifact, ...]) -> Moved:
            return Moved(
                at=_now(), artifacts=artifacts, source=source._machine, target=self._machine, straight=straight
            )

        try:
            carry(pull, wanted, source._machine, moved=moved, post=self._post)
        except PeerOutOfReach as error:
            _log.debug("data come by way of home: %s", error)
            for artifact, _ in wanted:
                source.bring(artifact, target=self._machine)

    def _stage_out(self, area: BucketArea) -> None:
        with self._lock:
            wanted = [(artifact, area.url) for artifact in self._outgoing.pop(area, [])]
        try:
            self._stage(wanted, self._machine, area.url, lambda stages, some: stages.stage_out(some, area))
        except PeerOutOfReach as error:
            _log.info("what %s has written comes home instead of going to %s: %s", self._machine, area.url, error)
            for artifact, _ in wanted:
                self.bring(artifact, target=area.url)

    def _stage_in(self, area: BucketArea) -> None:
        with self._lock:
            wanted = [(artifact, self._machine) for artifact in self._incoming.pop(area, [])]
        try:
            self._stage(wanted, area.url, self._machine, lambda stages, some: stages.stage_in(some, area))
        except PeerOutOfReach as error:
            _log.info("what is in %s comes home instead of going to %s: %s", area.url, self._machine, error)
            for artifact, _ in wanted:
                area.bring(artifact, target=self._machine)

    def _stage(
        self,
        wanted: Sequence[Wanted],
        source: str,
        target: str,
        move: Callable[[Stages, Sequence[Artifact]], None],
    ) -> None:
        """Let the machine move data to a bucket or from there."""
        session: object = self._session

        def staged(artifacts: Sequence[Artifact]) -> None:
            if not isinstance(session, Stages):
                raise PeerOutOfReach(f"{self._machine} has nothing to do with buckets")
            move(session, artifacts)

        self._carry(staged, wanted, Moved(at=_now(), artifacts=(), source=source, target=target, straight=True))

    def _carry(self, move: Callable[[Sequence[Artifact]], None], wanted: Sequence[Wanted], told: Moved) -> None:
        carry(
            move,
            wanted,
            told.source,
            moved=lambda artifacts: evolve(told, at=_now(), artifacts=artifacts),
            post=self._post,
        )

    def _obtain(self, artifact: Artifact, wanted: Future[None]) -> None:
        if not wanted.set_running_or_notify_cancel():
            return
        try:
            self._session.get([artifact])
        except Exception as error:  # noqa: BLE001  whoever waits is told, whatever a plugin raises
            wanted.set_exception(StagingError(f"{artifact.path} did not come from {self._machine}: {words_of(error)}"))
        else:
            self._post(Moved(at=_now(), artifacts=(artifact,), source=self._machine))
            wanted.set_result(None)
        with self._lock:
            self._wanted.discard(wanted)

    def _tried(self, attempt: str, work: Job) -> None:
        """Do something for an attempt; whatever prevents that ends it."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever a plugin raises is this attempt's end, told by its class
            _, task, number = split_attempt_id(attempt)
            self._post(never_started(task, number, error))


def ask_for_build(session: object, spec: BuildSpec) -> None:
    """Ask for an environment.

    Raises:
        EnvironmentBuildError: when the session can build none.
        LongshoreError: what the session raises.
    """
    if not isinstance(session, Builds):
        raise EnvironmentBuildError("its executor builds no environments; put the software there by other means")
    session.build(spec)


def _now() -> datetime:
    return datetime.now(UTC)
