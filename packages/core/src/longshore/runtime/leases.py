"""Keeping leases: what reconciling says is done, on one provider and the ledger, so that nothing is lost or doubled.

Before each call to the cloud its intent is in the ledger. Whoever dies between any two steps leaves a ledger from which
the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import assert_never

from attrs import evolve, frozen

from longshore.errors import (
    AccessDenied,
    BudgetExceeded,
    CloudUnreachable,
    CredentialsError,
    InvalidRequest,
    LongshoreError,
    OutOfCapacity,
    ProviderError,
    QuotaExceeded,
    Throttled,
    UsageError,
)
from longshore.model.lease import Evidence, Lease, LeasePhase, Proof
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Offer, Price
from longshore.plugin.provider import Prices, Provider, Scope, Sweeps
from longshore.runtime.launches import LaunchCall
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

__all__ = ["Failure", "LeaseKeeper", "Turn"]

_ELSEWHERE = (OutOfCapacity, QuotaExceeded)
"""Refusals after which another offer may do."""
_REFUSALS = (*_ELSEWHERE, AccessDenied, CredentialsError, InvalidRequest)
"""Answers to a launch that prove that nothing was rented."""


@frozen(kw_only=True)
class Failure:
    """An action that the cloud did not take, and why; it is asked for again by a later turn."""

    action: LeaseAction
    error: ProviderError


@frozen(kw_only=True)
class Turn:
    """What one turn has seen and done."""

    listing: Listing
    actions: tuple[LeaseAction, ...]
    """All that was to be done, in its order."""
    failures: tuple[Failure, ...]


class LeaseKeeper:
    """Keeps the leases of one ledger on one provider. For one thread at a time, since a ledger is.

    ``another`` is told of each launch that was refused, and names the offer to try instead when capacity or quota is
    wanting; without it, or when it gives None, the lease ends. ``dress`` puts into a spec what is derived for one
    launch, such as its host key: given the spec and a function from a purpose to secret bytes.
    """

    def __init__(
        self,
        *,
        name: str,
        provider: Provider,
        ledger: Ledger,
        owner: str,
        now: Callable[[], datetime],
        another: Callable[[Lease, ProviderError], Offer | None] = lambda _, __: None,
        dress: Callable[[MachineSpec, Callable[[str], bytes]], MachineSpec] = lambda spec, _: spec,
    ) -> None:
        self.name = name
        self.provider = provider
        self.ledger = ledger
        self.owner = owner
        self._now = now
        self._another = another
        self._dress = dress
        self.seen: dict[str, Machine] = {}
        """Machines as the cloud has shown them last, by id, also those that a list does not have yet; read by other
        threads too.
        """

    @cached_property
    def scope(self) -> Scope:
        """The account and regions that the provider's answers are about.

        Raises:
            ProviderError: when the cloud does not say.
        """
        return self.provider.scope()

    def look(self) -> Listing:
        """List what the cloud has of ours. What the ledger is compared with must have been listed before it is read.

        Raises:
            ProviderError: when the list cannot be had whole.
        """
        scope = self.scope
        asked_at = self._now()
        machines = tuple(self.provider.find(owner=self.owner))
        self.seen = {**self.seen, **{machine.id: machine for machine in machines}}
        return Listing(provider=self.name, scope=scope, terms=self.provider.terms, asked_at=asked_at, machines=machines)

    def book(self, *, over: Collection[str] = (), attended: Collection[str] = (), busy: Collection[str] = ()) -> Book:
        """Read the ledger, to be compared with a list that was taken before. The words are those of `Book`."""
        leases = self.ledger.leases()
        with self.ledger.sides(self.name, self.scope.account) as sides:
            unused = tuple(sides.unused())
        return Book(
            ledger=self.ledger.id,
            leases=tuple(leases),
            tokens={token: lease.id for lease in leases for token in self.ledger.tokens(lease)},
            over=frozenset(over),
            attended=frozenset(attended),
            busy=frozenset(busy),
            unused=unused,
        )

    def turn(self, *, over: Collection[str] = (), attended: Collection[str] = (), busy: Collection[str] = ()) -> Turn:
        """Look, compare, act: runs that are ``over`` lose their machines, those ``attended`` to get theirs.

        What the cloud refuses is told and harms nothing else.

        Raises:
            ProviderError: when the list cannot be had; nothing was done.
            LedgerError: when the ledger cannot be read or written.
        """
        listing = self.look()
        book = self.book(over=over, attended=attended, busy=busy)
        actions = tuple(reconcile(book, listing, self._now()))
        failures = []
        for action in actions:
            try:
                self.perform(action, listing)
            except ProviderError as error:
                failures.append(Failure(action=action, error=error))
        return Turn(listing=listing, actions=actions, failures=tuple(failures))

    def perform(self, action: LeaseAction, listing: Listing) -> None:
        """Do what follows from a list.

        Raises:
            ProviderError: when the cloud does not take it.
            UsageError: for actions that follow from a pool's rules and not from a list.
        """
        match action:
            case Launch(name):
                self.launch(name)
            case Confirm(name, machine):
                found = next((each for each in listing.machines if each.id == machine), None)
                self._confirm(name, machine, found)
            case Seen(name):
                self.ledger.seen(name)
            case Missed(name, at):
                self.ledger.missed(name, at=at)
            case Absent(name, evidence):
                self.ledger.absent(name, evidence)
            case Terminate(machines, reason, name):
                self._terminate(machines, reason, name)
            case Sweep(sides):
                self._sweep([side.id for side in sides])
            case Drain() | Intend():
                raise UsageError(f"{action} is decided by a pool's rules; a keeper of leases does not do it")
            case _:
                assert_never(action)

    def launch(self, name: str) -> Lease:
        """Ask for the machine of a lease, the first time or again; give the lease as it is then.

        Without an answer it stays requested, to be asked for again. A refusal ends it, but when capacity or quota is
        wanting and there is another offer to try it is intended again. A price that overdraws a budget ends it too.

        Raises:
            Throttled: the lease stays requested.
            ProviderError: when the cloud refuses for another reason than capacity or quota.
        """
        launch = self.begin(name)
        return self.conclude(launch, launch.ask(self.provider))

    def begin(self, name: str) -> LaunchCall:
        """Write down that the call is made now, and give it to be made; its answer goes to `conclude`."""
        before = self.ledger.lease(name)
        token = self.ledger.token(before)
        spec = self._dress(before.spec, lambda purpose: self.ledger.derived(purpose, token))
        # The lock is not held during the call: a sweep that comes later finds the use that is written down here.
        if isinstance(self.provider, Sweeps):
            with self.ledger.sides(self.name, self.scope.account) as sides:
                sides.use(name, self.provider.sides_of(spec))
        return LaunchCall(before=before, lease=self.ledger.request(name, at=self._now()), spec=spec, token=token)

    def conclude(self, launch: LaunchCall, answer: Machine | LongshoreError) -> Lease:
        """Write down what came of a call; raises as `launch` does."""
        if isinstance(answer, Machine):
            self.seen[answer.id] = answer
            return self._confirm(launch.lease.id, answer.id, answer)
        if isinstance(answer, CloudUnreachable):
            return launch.lease
        if isinstance(answer, ProviderError) and not isinstance(answer, Throttled):
            after = self._refused(launch.before, answer)
            if isinstance(answer, _ELSEWHERE):
                return after
        raise answer

    def end(self, name: str, reason: str) -> Lease:
        """Write down that a lease is to end, and end its machine if one is known; silent for what has ended.

        That it is absent is proven by later turns.

        Raises:
            ProviderError: when the cloud does not take it; later turns ask again.
        """
        self.end_all({name: reason})
        return self.ledger.lease(name)

    def end_all(self, reasons: Mapping[str, str]) -> None:
        """End leases, each for its reason, as `end` does; the machines are ended together."""
        machines = []
        for name, reason in reasons.items():
            lease = self.ledger.lease(name)
            if lease.phase is LeasePhase.INTENDED:
                self.ledger.absent(name, Evidence(proof=Proof.NEVER_REQUESTED, text=reason, at=self._now()))
            elif lease.phase is not LeasePhase.ABSENT:
                self.ledger.advance(name, LeasePhase.ENDING, at=self._now(), note=reason)
                machines += [lease.machine] if lease.machine else []
        if machines:
            self.provider.terminate(machines)

    def _refused(self, before: Lease, error: ProviderError) -> Lease:
        now = self._now()
        text = str(error) or type(error).__name__
        other = self._another(before, error)
        if before.phase is not LeasePhase.INTENDED or not isinstance(error, _REFUSALS):
            # An earlier call of this launch was not answered, or this answer may mean anything: only lists can prove
            # that there is no machine.
            return self.ledger.advance(before.id, LeasePhase.ENDING, at=now, note=text)
        refusal = Evidence(proof=Proof.REFUSED, text=text, at=now)
        if other is not None and isinstance(error, _ELSEWHERE):
            try:
                return self.ledger.retry(before.id, other, at=now, refusal=refusal)
            except BudgetExceeded as exceeded:
                refusal = evolve(refusal, text=f"{text}; {exceeded}")
        return self.ledger.absent(before.id, refusal)

    def _confirm(self, name: str, machine: str, found: Machine | None) -> Lease:
        price = self._price(self.ledger.lease(name), found)
        lease, overdrawn = self.ledger.confirm(name, machine, at=self._now(), price=price)
        if overdrawn:
            rate = f"{lease.best_price.per_hour} an hour" if lease.best_price else "its price"
            self._terminate((machine,), f"at {rate} it costs more than {overdrawn[0].name} has left", name)
            return self.ledger.lease(name)
        return lease

    def _price(self, lease: Lease, found: Machine | None) -> Price | None:
        """Ask what the machine obtained costs; None when nobody knows better than the offer."""
        if not isinstance(self.provider, Prices):
            return None
        offer = lease.spec.offer
        if found is not None and found.type:
            offer = evolve(offer, type=found.type, region=found.region, zone=found.zone, spot=found.spot)
        try:
            return self.provider.price(offer)
        except ProviderError:
            return None

    def _terminate(self, machines: Sequence[str], reason: str, name: str) -> None:
        if name:
            self.ledger.advance(name, LeasePhase.ENDING, at=self._now(), note=reason)
        self.provider.terminate(machines)

    def _sweep(self, names: Sequence[str]) -> None:
        if not isinstance(self.provider, Sweeps):
            return
        # All under the lock: nobody begins to use it meanwhile.
        with self.ledger.sides(self.name, self.scope.account) as sides:
            unused = [name for name in names if not sides.users(name)]
            if unused:
                self.provider.sweep(unused, owner=self.owner)
                left = {each.id for each in self.provider.find_sides(owner=self.owner)}
                for name in unused:
                    if name not in left:
                        sides.forget(name)
