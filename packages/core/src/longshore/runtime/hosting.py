"""What a run offers to those who rent machines for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from longshore.errors import LongshoreError
from longshore.model.events import Event
from longshore.model.machine import Machine
from longshore.plugin.protocols import Session
from longshore.runtime.perform import Crew
from longshore.runtime.runner import Runner

__all__ = ["CrewHost"]


class CrewHost:
    """A `longshore.runtime.renting.Host`."""

    def __init__(self, runner: Runner, crew: Crew) -> None:
        self._runner = runner
        self._crew = crew

    def post(self, *events: Event) -> None:
        """Tell the runner what has happened."""
        self._runner.post(*events)

    def fail(self, error: LongshoreError) -> None:
        """Stop the controller."""
        self._runner.fail(error)

    def attach(self, machine: Machine, session: Session, live: Sequence[str]) -> None:
        """Let attempts go to a machine."""
        self._crew.link(machine, session, live)

    def detach(self, machine: str) -> None:
        """Close the link to a machine; silent when there is none. What is asked of it from now on is not done."""
        remote = self._crew.remotes.get(machine)
        if remote is not None:
            remote.close()

    def beat(self, machine: str, until: datetime) -> None:
        """Tell a machine that it is attended to; silent when there is no link."""
        remote = self._crew.remotes.get(machine)
        if remote is not None:
            remote.beat(until)
