"""Machines that are not this computer: what is asked of each is done in order, by threads of its own.

A link that hangs holds up nobody but its machine. Of each machine one thread gives orders and another one moves data,
so that 10 GB on their way hold up no start and no cancel there either.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue

from longshore.errors import (
    DigestMismatch,
    DiskFull,
    EnvironmentBuildError,
    ExecutorError,
    InputMissing,
    LongshoreError,
    StagingError,
)
from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, split_attempt_id
from longshore.model.environment import BuildSpec
from longshore.model.events import AttemptEnded, Event, InputsStaged, Moved, MoveFailed
from longshore.model.load import MachineLoad
from longshore.model.outcome import Cancelled, FailureClass, Lost
from longshore.plugin.protocols import Builds, Clears, Measures, Session, Together

__all__ = ["Remote", "ask_for_build", "failure_of", "never_started"]

_log = logging.getLogger(__name__)

_TOGETHER = 500
"""So many orders go in one piece at most, so that what happens meanwhile is acted upon."""

Post = Callable[..., None]
Job = Callable[[], None]


class Remote:
    """One machine, as the runner's thread sees it: every method returns at once, and its outcome is an event."""

    def __init__(self, machine: str, session: Session, post: Post) -> None:
        """Serve a machine from now on, until `close`; ``post`` takes events, from any thread."""
        self._machine = machine
        self._session = session
        self._post = post
        self._gone: set[str] = set()
        """Attempts that this controller has started, and has not released; the thread of orders alone knows."""
        self._revoked: set[str] = set()
        """Attempts that must never start. The thread of orders adds to it; the other one may look a moment too early,
        and no harm is done.
        """
        self._moves: list[Artifact] = []
        self._lock = threading.Lock()
        self._orders = _Lane(f"orders-{machine}", self._together)
        self._data = _Lane(f"data-{machine}")

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

    def bring(self, artifact: Artifact) -> None:
        """Bring an artifact home; those that are asked for meanwhile come with it."""
        with self._lock:
            self._moves.append(artifact)
        self._data.add(self._bring)

    def discard(self, digests: Sequence[str]) -> None:
        """Let the machine forget objects; in order with releases, which say what ends the run knows of."""
        self._orders.add(lambda: self._session.discard(digests))

    def close(self, *, over: bool = False) -> None:
        """Drop the link, after all orders that were given; data on its way is not waited for. Returns at once.

        When the run is ``over`` for good, nothing of it is left on the machine, if its session can see to that.
        """
        self._data.close()
        self._orders.close(lambda: self._leave(over))

    def join(self, seconds: float) -> None:
        """Wait until the link has been dropped, but no longer than this."""
        self._orders.join(seconds)

    # --- in the thread of orders

    def _together(self, jobs: Sequence[Job]) -> None:
        session: object = self._session
        with ExitStack() as piece:
            if len(jobs) > 1 and isinstance(session, Together):
                piece.enter_context(session.together())
            _do(jobs)

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
        if not wanted:
            return
        try:
            self._session.get(wanted)
        except StagingError:
            # Which of them it was is found out one by one; those that have come do not travel again.
            for artifact in wanted:
                self._bring_one(artifact)
        except Exception as error:  # noqa: BLE001  whatever a plugin raises is told by its class
            self._post(*(self._failed(artifact, error) for artifact in wanted))
        else:
            self._post(Moved(at=_now(), artifacts=tuple(wanted), source=self._machine))

    def _bring_one(self, artifact: Artifact) -> None:
        event: Event
        try:
            self._session.get([artifact])
        except Exception as error:  # noqa: BLE001  as above
            event = self._failed(artifact, error)
        else:
            event = Moved(at=_now(), artifacts=(artifact,), source=self._machine)
        self._post(event)

    def _failed(self, artifact: Artifact, error: Exception) -> MoveFailed:
        _log.debug("%s did not come from %s", artifact.path, self._machine, exc_info=error)
        return MoveFailed(
            at=_now(),
            artifact=artifact,
            source=self._machine,
            failure=failure_of(error),
            reason=_words(error),
            lost=isinstance(error, InputMissing | DigestMismatch),
        )

    def _tried(self, attempt: str, work: Job) -> None:
        """Do something for an attempt; whatever prevents that ends it."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever a plugin raises is this attempt's end, told by its class
            _, task, number = split_attempt_id(attempt)
            self._post(never_started(task, number, error))


class _Lane:
    """A thread that does jobs in their order."""

    def __init__(self, name: str, together: Callable[[Sequence[Job]], None] | None = None) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._together = together
        self._last: Job | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def add(self, job: Job) -> None:
        self._jobs.put(job)

    def close(self, last: Job | None = None) -> None:
        """Let the thread end when all that was asked for is done, and then one thing more, alone."""
        self._last = last
        self._jobs.put(None)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _work(self) -> None:
        while True:
            jobs = self._take()
            todo = [job for job in jobs if job is not None]
            try:
                (self._together or _do)(todo)
            except Exception:  # noqa: BLE001  whatever a plugin raises, the thread goes on
                # The link fails in the middle of a piece: the session takes it up again, or says that it cannot.
                _log.debug("%s", self._thread.name, exc_info=True)
            if None in jobs:
                _do([self._last] if self._last is not None else [])
                return

    def _take(self) -> list[Job | None]:
        jobs = [self._jobs.get()]
        while self._together is not None and len(jobs) < _TOGETHER:
            try:
                jobs.append(self._jobs.get_nowait())
            except Empty:
                break
        return jobs


def _do(jobs: Sequence[Job]) -> None:
    for job in jobs:
        try:
            job()
        except Exception:  # noqa: BLE001  one that fails is not to take the others with it
            # What matters is told by events; the rest (a release to a machine that is gone) harms nobody.
            _log.debug("an order was not carried out", exc_info=True)


def ask_for_build(session: object, spec: BuildSpec) -> None:
    """Ask for an environment.

    Raises:
        EnvironmentBuildError: when the session can build none.
        LongshoreError: what the session raises.
    """
    if not isinstance(session, Builds):
        raise EnvironmentBuildError("its executor builds no environments; put the software there by other means")
    session.build(spec)


def never_started(task: str, attempt: int, error: Exception) -> AttemptEnded:
    """Tell that an attempt could not be started."""
    _log.debug("attempt %s/%s did not start", task, attempt, exc_info=error)
    return AttemptEnded(
        at=_now(),
        task=task,
        attempt=attempt,
        outcome=Lost("never started"),
        failure=failure_of(error),
        evidence=_words(error),
    )


def failure_of(error: Exception) -> FailureClass:
    """Say to which class an error of a plugin belongs."""
    if isinstance(error, DiskFull):
        return FailureClass.DISK_FULL
    if isinstance(error, StagingError):
        return FailureClass.STAGING
    if isinstance(error, ExecutorError):
        return FailureClass.MACHINE_LOST
    return FailureClass.PLUGIN_BUG


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, LongshoreError) else f"{type(error).__name__}: {error}"


def _now() -> datetime:
    return datetime.now(UTC)
