"""Links to the machines that the config itself names, each made in a thread of its own, so that planning goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from attrs import evolve

from longshore.errors import LongshoreError, MachineUnreachable, RunError
from longshore.model.attempt import attempt_id
from longshore.model.events import MachineAdded, MachineGone
from longshore.model.machine import Machine
from longshore.model.workflow import PoolSpec
from longshore.plugin.protocols import Executor
from longshore.runtime.perform import Crew, store_of
from longshore.runtime.runner import Runner
from longshore.scheduler.state import TaskPhase

__all__ = ["Linking"]

_log = logging.getLogger(__name__)


class Linking:
    """Makes the links of one run. Its methods are for the runner's thread."""

    def __init__(self, run: str, runner: Runner, crew: Crew, fence: int) -> None:
        self._run = run
        self._runner = runner
        self._crew = crew
        self._fence = fence
        self._missing: dict[str, int] = {}
        self._lock = threading.Lock()

    def open(self, pool: PoolSpec, executor: Executor, machines: Sequence[Machine]) -> None:
        """Link to all machines of a pool. The run goes on without some of them, but not without all, nor without one
        that has attempts of this run: nobody could say what became of those.
        """
        for machine in machines:
            live = self._live(machine.id)
            threading.Thread(
                target=self._link,
                args=(pool, executor, machine, live, len(machines)),
                name=f"open-{machine.id}",
                daemon=True,
            ).start()

    def _live(self, machine: str) -> list[str]:
        """List the attempts that another controller has started on a machine."""
        state = self._runner.state
        attempts = [
            attempt_id(self._run, name, task.attempts)
            for name in state.live
            # What is still being staged is asked for again, and that says what became of it.
            if (task := state.tasks[name]).machine == machine and task.phase is not TaskPhase.STAGING
        ]
        if not state.under_construction:
            return attempts
        from longshore.runtime.environments import live_builds  # noqa: PLC0415  few runs build any

        return attempts + live_builds(self._run, state, machine)

    def _link(self, pool: PoolSpec, executor: Executor, machine: Machine, live: Sequence[str], count: int) -> None:
        part = self._crew.shared.get(machine.id)
        whole = machine if part is None else evolve(machine, resources=part.total)
        try:
            # The machine itself holds attempts to all that it has; what other runs leave to this one may change.
            session = executor.open(whole, fence=self._fence, sink=self._runner.post)
            self._crew.link(machine, session, live)
        except MachineUnreachable as error:
            self._do_without(machine, live, count, error)
        except LongshoreError as error:
            self._runner.fail(error)
        except Exception as error:  # noqa: BLE001  an executor's bug must end the run in words, not a thread
            wrapped = RunError(f"executor {pool.executor!r} failed on {machine.id}: {type(error).__name__}: {error}")
            wrapped.__cause__ = error
            self._runner.fail(wrapped)
        else:
            self._runner.post(
                MachineAdded(
                    at=datetime.now(UTC),
                    machine=machine.id,
                    pool=machine.pool,
                    resources=machine.resources,
                    slots=machine.slots,
                    alone=part is None or part.alone,
                    store=store_of(machine),
                )
            )

    def _do_without(self, machine: Machine, live: Sequence[str], count: int, error: MachineUnreachable) -> None:
        with self._lock:
            missing = self._missing[machine.pool] = self._missing.get(machine.pool, 0) + 1
        if live:
            what = f"{len(live)} attempts of this run, which may still run there"
            self._runner.fail(MachineUnreachable(f"{error}; {machine.id} has {what}: resume when it can be reached"))
        elif missing == count:
            self._runner.fail(error)
        else:
            _log.warning("%s: the run goes on without it", error)
            self._runner.post(MachineGone(at=datetime.now(UTC), machine=machine.id, reason=str(error)))
