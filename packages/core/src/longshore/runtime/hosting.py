"""What a run offers to those who rent machines for it."""

from __future__ import annotations

from datetime import datetime

from longshore.errors import LongshoreError
from longshore.model.events import Event
from longshore.model.machine import Machine
from longshore.plugin.protocols import Session
from longshore.runtime.reach import Reach
from longshore.runtime.runner import Runner

__all__ = ["RunHost"]


class RunHost:
    """A `longshore.runtime.rented_run.Host`."""

    def __init__(self, runner: Runner, reach: Reach) -> None:
        self._runner = runner
        self._reach = reach

    def post(self, *events: Event) -> None:
        """Tell the runner what has happened."""
        self._runner.post(*events)

    def fail(self, error: LongshoreError) -> None:
        """Stop the controller."""
        self._runner.fail(error)

    def attach(self, machine: Machine, session: Session) -> None:
        """Let attempts go to a machine, once it is told that it was added."""
        self._reach.link(machine, session)

    def detach(self, machine: str) -> None:
        """Close the link to a machine; silent when there is none. What is asked of it from now on is not done."""
        self._reach.unlink(machine)

    def beat(self, machine: str, until: datetime) -> None:
        """Tell a machine that it is attended to; silent when there is no link."""
        remote = self._reach.remotes.get(machine)
        if remote is not None:
            remote.beat(until)
