"""Machines that are not this computer: what is asked of each is done in order, by threads of its own.

A link that hangs holds up nobody but its machine. Of each machine one thread gives orders and another one moves data,
so that 10 GB on their way hold up no start and no cancel there either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from longshore.errors import EnvironmentBuildError
from longshore.model.attempt import AttemptSpec, split_attempt_id
from longshore.model.environment import BuildSpec
from longshore.model.events import AttemptEnded, Event
from longshore.model.load import MachineLoad
from longshore.model.move_events import InputsStaged
from longshore.model.outcome import Cancelled
from longshore.plugin.abilities import Builds, Clears, Measures, Together
from longshore.plugin.protocols import Session
from longshore.runtime.lanes import Job, Lane, do_all
from longshore.runtime.moving import Moving
from longshore.runtime.not_started import never_started

__all__ = ["Remote", "ask_for_build"]

Post = Callable[..., None]
DataJob = Callable[[Session], None]


class Remote:
    """One machine, as the runner's thread sees it: every method returns at once, and its outcome is an event."""

    def __init__(self, machine: str, session: Session, post: Post) -> None:
        """Serve a machine from now on, until `close`; ``post`` takes events, from any thread."""
        self._session = session
        self._sink = post
        self._closed = False
        self.left = False
        """Whether the machine was told good-bye."""
        self._gone: set[str] = set()
        """Attempts that this controller has started, and has not released; the thread of orders alone knows."""
        self._revoked: set[str] = set()
        """Attempts that must never start. The thread of orders adds to it; the other one may look a moment too early,
        and no harm is done.
        """
        self._lock = threading.Lock()
        self._orders = Lane(f"orders-{machine}", self._together)
        self.data = Moving(machine, session, self._post)
        """What moves artifacts to and from the machine, in a thread of its own."""

    def start(self, spec: AttemptSpec, *, put: bool, before: DataJob | None = None) -> None:
        """Create an attempt and start it, with ``put`` after its inputs have been brought there; ``before`` is done
        before that, in the thread of data.
        """
        self._orders.add(lambda: self._tried(spec.id, lambda: self._create(spec, put, before)))

    def prepare(self, attempt: str, work: DataJob) -> None:
        """Do something for an attempt that is not created yet, in the thread of data."""
        self.data.add(lambda: self._tried(attempt, lambda: self._prepare(attempt, work)))

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
        self.data.close()
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

    def _create(self, spec: AttemptSpec, put: bool, before: DataJob | None) -> None:
        self._session.create(spec)
        if put and spec.items:
            self.data.add(lambda: self._tried(spec.id, lambda: self._put(spec, before)))
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

    def _prepare(self, attempt: str, work: DataJob) -> None:
        if attempt not in self._revoked:
            work(self._session)

    def _put(self, spec: AttemptSpec, before: DataJob | None) -> None:
        if spec.id in self._revoked:
            return
        if before is not None:
            before(self._session)
        self._session.put(spec.id, spec.items)
        _, task, number = split_attempt_id(spec.id)
        self._post(InputsStaged(at=_now(), task=task, attempt=number))
        self._orders.add(lambda: self._tried(spec.id, lambda: self._go(spec.id)))

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
