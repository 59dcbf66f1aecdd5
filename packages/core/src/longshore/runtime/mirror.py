"""Telling a run what the ledger says of its leases: what has changed since it was told last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from attrs import evolve

from longshore.model.events import Event
from longshore.model.lease import Lease, LeasePhase
from longshore.model.lease_events import LeaseChanged
from longshore.model.outcome import FailureClass
from longshore.runtime.ledger import Ledger
from longshore.scheduler.rented_state import LeaseState

__all__ = ["Mirror"]


class Mirror:
    """The leases of one run on one provider, as events. Leases have in the run the names that the ledger prefixes with
    the run's id.
    """

    def __init__(
        self,
        ledger: Ledger,
        run: str,
        provider: str,
        *,
        post: Callable[[Event], None],
        now: Callable[[], datetime],
        prefix: str = "",
    ) -> None:
        """``prefix`` goes before the ids of machines: what makes them unique within the run."""
        self._ledger = ledger
        self._run = run
        self._provider = provider
        self._post = post
        self._now = now
        self._prefix = prefix
        self._told: dict[str, LeaseChanged] = {}
        self._warm: set[str] = set()
        self._failures: dict[str, tuple[FailureClass, str]] = {}

    def id_of(self, name: str) -> str:
        """Give a lease's id in the ledger."""
        return f"{self._run}/{name}"

    def named(self, machine: str) -> str:
        """Give a machine's id in the run; empty for none."""
        return f"{self._prefix}{machine}" if machine else ""

    def leases(self) -> dict[str, Lease]:
        """Read the run's leases that live, by their names in the run."""
        found = self._ledger.leases(run=self._run)
        return {self._name(lease): lease for lease in found if lease.provider == self._provider}

    def warmed(self, name: str) -> None:
        """Note that a lease goes on with a machine that an earlier run has left."""
        self._warm.add(name)

    def failed(self, name: str, failure: FailureClass, reason: str) -> None:
        """Note what went wrong with a lease; the first word counts. It is told with the lease's next change."""
        self._failures.setdefault(name, (failure, reason))

    def failure(self, name: str) -> FailureClass | None:
        """Say what went wrong with a lease."""
        noted = self._failures.get(name)
        return noted[0] if noted else None

    def tell(self) -> None:
        """Tell all that is new."""
        for lease in self._ledger.leases(run=self._run, all_of_them=True):
            if lease.provider == self._provider:
                self._tell(lease)

    def never_was(self, known: Mapping[str, LeaseState]) -> None:
        """Tell of leases that the run has intended and the ledger does not know: nothing was asked of a cloud."""
        there = {self._name(lease) for lease in self._ledger.leases(run=self._run, all_of_them=True)}
        for lease in known.values():
            if lease.phase is not LeasePhase.ABSENT and lease.id not in there:
                self.refused(lease, "the controller ended before anything was asked for")

    def refused(self, lease: LeaseState, reason: str, failure: FailureClass | None = None) -> None:
        """Tell of a lease that never got into the ledger."""
        self._post(
            LeaseChanged(
                at=self._now(),
                lease=lease.id,
                pool=lease.pool,
                phase=LeasePhase.ABSENT,
                offer=lease.offer,
                ends_at=lease.ends_at,
                failure=failure,
                reason=reason,
            )
        )

    def _name(self, lease: Lease) -> str:
        return lease.id.removeprefix(f"{self._run}/")

    def _tell(self, lease: Lease) -> None:
        name = self._name(lease)
        failure, reason = self._failures.get(name, (None, ""))
        if not reason and lease.evidence is not None:
            reason = lease.evidence.text
        price = lease.best_price
        before = self._told.get(name)
        told = LeaseChanged(
            at=before.at if before is not None else self._now(),
            lease=name,
            pool=lease.spec.pool,
            phase=lease.phase,
            machine=self.named(lease.machine),
            offer=lease.spec.offer.key,
            price=None if price is None else price.per_hour,
            cost=self._ledger.set_aside(lease.id),
            ends_at=lease.spec.ends_at,
            kept=lease.kept,
            warm=name in self._warm,
            failure=failure,
            reason=reason,
        )
        if told != before:
            told = evolve(told, at=self._now())
            self._told[name] = told
            self._post(told)
