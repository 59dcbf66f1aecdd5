"""A controller that only keeps leases: it performs what reconciling says, on a provider and a ledger, and may crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from longshore.errors import CloudUnreachable, OutOfCapacity, ProviderError
from longshore.model.lease import Evidence, LeasePhase, Proof
from longshore.plugin.provider import Provider, Sweeps
from longshore.runtime.ledger import Ledger
from longshore.scheduler.lease_actions import (
    Absent,
    Confirm,
    Drain,
    Intend,
    Launch,
    LeaseAction,
    Missed,
    Seen,
    Sweep,
    Terminate,
)
from longshore.scheduler.leases import Book, Listing, reconcile
from longshore.testing.faults import Time

OWNER = "me"
ACCOUNT = "account-1"


class Crashed(Exception):
    """The controller was killed here."""


class Keeper:
    """One controller's life. ``edge`` is called before and after each effect, and may raise `Crashed`."""

    def __init__(
        self, ledger: Ledger, provider: Provider, sweeper: Sweeps, time: Time, edge: Callable[[], None]
    ) -> None:
        self.ledger = ledger
        self.provider = provider
        self.sweeper = sweeper
        self.time = time
        self.edge = edge

    def turn(self, *, over: Sequence[str] = (), attended: Sequence[str] = ()) -> list[LeaseAction]:
        """Look, compare, act. A provider that fails is asked again next time."""
        asked_at = self.time.now()
        try:
            machines = tuple(self.provider.find(owner=OWNER))
        except ProviderError:
            return []
        leases = self.ledger.leases()
        with self.ledger.sides("fake", ACCOUNT) as sides:
            unused = tuple(sides.unused())
        book = Book(
            ledger=self.ledger.id,
            leases=tuple(leases),
            tokens={token: lease.id for lease in leases for token in self.ledger.tokens(lease)},
            over=frozenset(over),
            attended=frozenset(attended),
            unused=unused,
        )
        scope = self.provider.scope()
        listing = Listing(provider="fake", scope=scope, terms=self.provider.terms, asked_at=asked_at, machines=machines)
        actions = reconcile(book, listing, self.time.now())
        for action in actions:
            self.edge()
            try:
                self._perform(action)
            except ProviderError:
                continue
            self.edge()
        return actions

    def _perform(self, action: LeaseAction) -> None:
        now = self.time.now()
        match action:
            case Launch(name):
                self._launch(name)
            case Confirm(name, machine):
                self.ledger.confirm(name, machine, at=now)
            case Seen(name):
                self.ledger.seen(name)
            case Missed(name, at):
                self.ledger.missed(name, at=at)
            case Absent(name, evidence):
                self.ledger.absent(name, evidence)
            case Terminate(machines, reason, name):
                if name:
                    self.ledger.advance(name, LeasePhase.ENDING, at=now, note=reason)
                self.edge()
                self.provider.terminate(machines)
            case Sweep(side):
                with self.ledger.sides("fake", ACCOUNT) as sides:
                    if not sides.users(side.id):
                        self.sweeper.sweep([side.id], owner=OWNER)
                        if side.id not in {each.id for each in self.sweeper.find_sides(owner=OWNER)}:
                            sides.forget(side.id)
            case Drain() | Intend():
                raise AssertionError(f"{action} is no business of a keeper")
            case _:
                assert_never(action)

    def _launch(self, name: str) -> None:
        lease = self.ledger.lease(name)
        with self.ledger.sides("fake", ACCOUNT) as sides:
            sides.use(name, self.sweeper.sides_of(lease.spec))
            lease = self.ledger.request(name, at=self.time.now())
            self.edge()
            try:
                (machine,) = self.provider.launch(lease.spec, token=self.ledger.token(lease))
            except CloudUnreachable:
                return
            except OutOfCapacity as error:
                refusal = Evidence(proof=Proof.REFUSED, text=str(error), at=self.time.now())
                self.ledger.retry(name, lease.spec.offer, at=self.time.now(), refusal=refusal)
                return
        self.edge()
        self.ledger.confirm(name, machine.id, at=self.time.now())
