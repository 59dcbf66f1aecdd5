"""Links to the machines that the config itself names, each made in a thread of its own, so that planning goes on.

A machine that is out of reach is not given up: while the run goes on it is tried again, and when it comes back it takes
up what it was given, and takes new work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from attrs import define, evolve, field

from longshore.errors import FenceRefused, LongshoreError, MachineUnreachable, RunError
from longshore.model.events import MachineAdded, MachineGone
from longshore.model.machine import Machine
from longshore.model.times import over_by
from longshore.model.workflow import PoolSpec
from longshore.plugin.abilities import Withdraws
from longshore.plugin.protocols import Executor, SessionEvent
from longshore.runtime.reach import Reach, store_of
from longshore.runtime.runner import Runner

__all__ = ["Linking"]

_log = logging.getLogger(__name__)

_FIRST_SECONDS = 1.0
_MOST_SECONDS = 60.0
_WITHDRAW_SECONDS = 30.0
_GOOD_SECONDS = 60.0
"""A link that lived for so long was a good one; what was before it is forgotten."""


@define(eq=False)
class _Given:
    """A machine that the config names."""

    pool: PoolSpec
    executor: Executor
    machine: Machine
    known: bool
    """Whether an earlier controller of the run has used it."""
    over_by: datetime | None
    """When all is over that was given to it by then; None when that was not known as this controller began."""
    wait: float = field(default=_FIRST_SECONDS, init=False)
    """Seconds before it is tried again."""
    linked_at: float = field(default=0.0, init=False)
    lock: threading.Lock = field(factory=threading.Lock, init=False)
    """Of its link, from the first word to the news that it is there."""


class Linking:
    """Makes the links of one run, and makes them again."""

    def __init__(self, runner: Runner, reach: Reach, fence: int) -> None:
        self._runner = runner
        self._reach = reach
        self._fence = fence
        self._missing: dict[str, int] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._withdrawing: dict[Withdraws, list[_Given]] = {}
        """Executors that make what they link to, and their machines."""

    def open(self, pool: PoolSpec, executor: Executor, machines: Sequence[Machine]) -> None:
        """Link to all machines of a pool. The run goes on without some of them, but not without all.

        For the runner's thread, before its first turn.
        """
        state = self._runner.state
        for machine in machines:
            parted = state.parted.get(machine.id)
            known = machine.id in state.machines
            given = _Given(pool, executor, machine, known, None if parted is None else parted.until)
            if isinstance(executor, Withdraws):
                self._withdrawing.setdefault(executor, []).append(given)
            self._begin(partial(self._link_first, len(machines)), given)

    def close(self, *, over: bool) -> None:
        """Make no links any more. When the run is ``over`` for good, nothing is left of those that are being made:
        that is waited for.
        """
        self._closed.set()
        if not over:
            return
        deadline = time.monotonic() + _WITHDRAW_SECONDS
        for executor, all_given in self._withdrawing.items():
            try:
                executor.withdraw()
            except Exception as error:  # noqa: BLE001  a plugin's own; the run is over all the same
                _log.warning("something that was to be linked to may be left: %s", error)
            for given in all_given:
                if given.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                    given.lock.release()

    def _begin(self, work: Callable[[_Given], None], given: _Given) -> None:
        threading.Thread(target=self._guarded, args=(work, given), name=f"open-{given.machine.id}", daemon=True).start()

    def _guarded(self, work: Callable[[_Given], None], given: _Given) -> None:
        try:
            work(given)
        except LongshoreError as error:
            self._runner.fail(error)
        except Exception as error:  # noqa: BLE001  an executor's bug must end the run in words, not a thread
            name = f"executor {given.pool.executor!r} failed on {given.machine.id}"
            wrapped = RunError(f"{name}: {type(error).__name__}: {error}")
            wrapped.__cause__ = error
            self._runner.fail(wrapped)

    def _link_first(self, count: int, given: _Given) -> None:
        try:
            self._link(given, again=False)
        except MachineUnreachable as error:
            with self._lock:
                missing = self._missing[given.pool.name] = self._missing.get(given.pool.name, 0) + 1
            if missing == count:
                raise
            _log.warning("%s: the run goes on without it", error)
            self._runner.post(
                MachineGone(
                    at=datetime.now(UTC), machine=given.machine.id, reason=str(error), over_by=self._over_by(given)
                )
            )
            self._link_again(given)

    def _over_by(self, given: _Given) -> datetime | None:
        """Say when all is over that an earlier controller may have given to a machine; None when there was none."""
        if not given.known:
            return None
        return given.over_by or over_by(datetime.now(UTC), given.pool.unattended)

    def _link_again(self, given: _Given) -> None:
        if given.linked_at and time.monotonic() - given.linked_at >= _GOOD_SECONDS:
            given.wait = _FIRST_SECONDS
        while not self._closed.wait(given.wait):
            given.wait = min(2 * given.wait, _MOST_SECONDS)
            try:
                self._link(given, again=True)
            except FenceRefused:
                raise
            except LongshoreError as error:
                _log.info("%s is still out of reach: %s", given.machine.id, error)
            else:
                return

    def _link(self, given: _Given, *, again: bool) -> None:
        machine = given.machine
        part = self._reach.shared.get(machine.id)
        # The machine itself holds attempts to all that it has; what other runs leave to this one may change.
        whole = machine if part is None else evolve(machine, resources=part.total)

        with given.lock:
            session = given.executor.open(whole, fence=self._fence, sink=partial(self._hear, given))
            given.linked_at = time.monotonic()
            self._reach.link(machine, session)
            self._runner.post(
                MachineAdded(
                    at=datetime.now(UTC),
                    machine=machine.id,
                    pool=machine.pool,
                    resources=machine.resources,
                    slots=machine.slots,
                    alone=part is None or part.alone,
                    store=store_of(machine),
                    again=again,
                )
            )

    def _hear(self, given: _Given, *events: SessionEvent) -> None:
        """Pass on what a session tells; after a link that is lost there is another one."""
        for event in events:
            if isinstance(event, MachineGone) and event.over_by is not None:
                self._begin(partial(self._lost, event), given)
            else:
                self._runner.post(event)

    def _lost(self, event: MachineGone, given: _Given) -> None:
        with given.lock:  # it may have been lost before it was told that it is there
            self._reach.unlink(given.machine.id)
            self._runner.post(event)
        self._link_again(given)
