"""What renting must know of the run that it is for, and what it tells it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from longshore.errors import LongshoreError, RunError
from longshore.model.events import Event
from longshore.model.machine import Machine
from longshore.model.quantity import Money
from longshore.model.rented import RentedPool
from longshore.model.workflow import PoolSpec
from longshore.plugin.protocols import Executor, Session
from longshore.scheduler.rented_state import LeaseState

__all__ = ["Host", "RentedRun"]


class Host(Protocol):
    """What a renter needs of its run. All of it may be called from the renter's thread."""

    def post(self, *events: Event) -> None:
        """Tell the runner what has happened."""
        ...

    def fail(self, error: LongshoreError) -> None:
        """Stop the controller."""
        ...

    def attach(self, machine: Machine, session: Session) -> None:
        """Let attempts go to a machine, once it is told that it was added."""
        ...

    def detach(self, machine: str) -> None:
        """Close the link to a machine; silent when there is none."""
        ...

    def beat(self, machine: str, until: datetime) -> None:
        """Tell a machine that it is attended to; silent when there is no link."""
        ...


@frozen(kw_only=True)
class RentedRun:
    """What a renter must know of its run."""

    id: str
    project: str
    fence: int
    prefix: str = ""
    """What goes before the ids of its machines; the provider's name in a run that rents from several."""
    fresh: bool = False
    """Machines that were kept are ended and not used."""
    max_cost: Money | None = None
    pools: Mapping[str, PoolSpec]
    """Those that rent from this provider."""
    executors: Mapping[str, Executor]
    known: Mapping[str, LeaseState] = field(factory=dict[str, LeaseState])
    """The leases that the journal knows, as the controller begins."""

    def rented(self, pool: str) -> RentedPool:
        """Say how a pool's machines are rented."""
        rented = self.pools[pool].rented
        if rented is None:
            raise RunError(f"pool {pool} rents nothing")
        return rented
