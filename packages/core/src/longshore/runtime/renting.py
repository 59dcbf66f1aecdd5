"""Renting for one run from one provider: a thread that owns its leases, and does what the scheduler decides about them.

The ledger is the truth. After each step what it says of this run is told to the runner, so that the journal has it too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import TypeVar

from longshore.errors import LongshoreError, ProviderError, RunError
from longshore.model.lease import LeasePhase
from longshore.model.lease_events import LeasesLeft, OffersMissing
from longshore.plugin.provider import SpotNotices
from longshore.runtime.ledger import Ledger
from longshore.runtime.mirror import Mirror
from longshore.runtime.providers import OpenProvider
from longshore.runtime.rentals import TEMPORARY, Rentals
from longshore.runtime.rented_run import Host, RentedRun
from longshore.scheduler.renting_actions import FindOffers, GiveUp, Rent, StartAgain

__all__ = ["Renter"]

_T = TypeVar("_T")
_STEADY = timedelta(seconds=30)
"""The cloud is looked at so often, or as often as its lists change, while nothing is under way: it cannot tell."""
_SETTLING = timedelta(seconds=5)
_SOONEST = timedelta(milliseconds=250)
_PATIENCE = timedelta(minutes=1)
"""So much longer than the cloud's own terms say is waited for machines to be gone."""
_FOLLOWING = timedelta(minutes=2)
"""So often is it looked at whether this computer has moved; nobody tells it. Links are waited for longer than that."""
_BLIND_MOST = 3
"""After so many looks in a row that have failed the user is told."""
_BEATS = 4
"""So many times within the unattended time a machine is told that it is attended to."""


class Renter:
    """Works from `start` until `close`. Orders are taken from any thread, and done one after the other."""

    def __init__(self, run: RentedRun, source: OpenProvider, host: Host) -> None:
        self._run = run
        self._source = source
        self._host = host
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._wanted: SimpleQueue[Rent] = SimpleQueue()
        self._unwanted: SimpleQueue[GiveUp] = SimpleQueue()
        self._waiting: list[Callable[[], None]] = []
        self._trouble = ""
        self._blind = 0
        """How many looks in a row have failed."""
        self._look_at = self._beat_at = self._follow_at = _now()
        self._over = False
        self._thread = threading.Thread(target=self._work, name=f"longshore-{source.name}", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self, *, over: bool) -> None:
        """Stop working; when the run is ``over`` see to it first that what only its machines used is swept."""
        self._over = over
        self._orders.put(None)
        if self._thread.ident is not None:
            self._thread.join(self._source.provider.terms.deadline.total_seconds())

    def find_offers(self, action: FindOffers) -> None:
        """Ask what there is."""
        self._orders.put(lambda: self._rentals.find_offers(action))

    def rent(self, action: Rent) -> None:
        """Rent a machine."""
        self._wanted.put(action)
        self._orders.put(self._rent_wanted)

    def start_again(self, action: StartAgain) -> None:
        """Power a machine on."""
        self._orders.put(lambda: self._rentals.start_again(action.lease))

    def give_up(self, action: GiveUp) -> None:
        """End, stop or keep a machine."""
        self._unwanted.put(action)
        self._orders.put(self._give_up_unwanted)

    # --- the thread

    def _rent_wanted(self) -> None:
        """Rent all that is wanted by now: machines that are asked for together are there sooner."""
        if actions := _all_of(self._wanted):
            self._rentals.rent(actions)

    def _give_up_unwanted(self) -> None:
        """Give up all that is unwanted by now: machines that are ended together cost less."""
        self._rent_wanted()  # what is given up was wanted before
        if actions := _all_of(self._unwanted):
            self._rentals.give_up(actions)

    def _work(self) -> None:
        try:
            with Ledger.open() as ledger:
                self._ledger = ledger
                self._mirror = Mirror(
                    ledger, self._run.id, self._source.name, post=self._host.post, now=_now, prefix=self._run.prefix
                )
                self._work_until_closed()
        except LongshoreError as error:
            self._host.fail(error)
        except Exception as error:  # noqa: BLE001  a bug must end the run in words, not a thread without any
            wrapped = RunError(f"renting from {self._source.name} failed: {type(error).__name__}: {error}")
            wrapped.__cause__ = error
            self._host.fail(wrapped)

    def _work_until_closed(self) -> None:
        joined = closing = False
        while not closing or (joined and self._rentals.launches.asked):
            try:
                order = self._orders.get(timeout=self._patience())
            except Empty:
                order = _nothing
            if order is None:
                closing = True
                if joined:
                    self._rentals.launches.stop()
                continue
            self._waiting.append(order)
            joined = joined or self._join()
            if joined:
                waiting, self._waiting = self._waiting, []
                for each in waiting:
                    each()
                self._attend()
        if joined:
            self._finish()

    def _finish(self) -> None:
        self._rentals.machines.close()
        if self._over:
            # What only these machines used is swept now that they are gone; `gc` does what fails.
            with suppress(ProviderError):
                self._rentals.keeper.turn(attended=[self._run.id])

    def _patience(self) -> float:
        return max(0.0, (min(self._look_at, self._beat_at) - _now()).total_seconds())

    def _join(self) -> bool:
        """Find out whose machines these are, what the ledger knows, and what is there; False when that must wait.

        Raises:
            LongshoreError: when nothing that comes later would change that it cannot be done.
        """
        try:
            self._rentals = Rentals(
                run=self._run,
                source=self._source,
                ledger=self._ledger,
                mirror=self._mirror,
                host=self._host,
                order=self._orders.put,
                soon=self._soon,
            )
            self._mirror.never_was(self._run.known)
            self._look()
        except TEMPORARY as error:
            self._look_at = self._beat_at = _now() + _SETTLING
            self._tell_trouble(str(error))
            return False
        return True

    def _tell_trouble(self, reason: str) -> None:
        """Say once why the cloud cannot be asked."""
        if reason != self._trouble:
            self._trouble = reason
            for pool in self._run.pools:
                self._host.post(OffersMissing(at=_now(), pool=pool, reason=reason))

    def _attend(self) -> None:
        """Do what is due, and tell what has changed."""
        if _now() >= self._look_at:
            try:
                self._look()
            except ProviderError as error:
                self._look_at = _now() + self._period()
                self._blind += 1
                if self._blind >= _BLIND_MOST:
                    self._tell_trouble(str(error))
        if _now() >= self._beat_at:
            self._beat()
        if _now() >= self._follow_at and self._mirror.leases():
            self._rentals.admission.follow()
            self._follow_at = _now() + _FOLLOWING
        self._mirror.tell()

    def _look(self) -> None:
        turn = self._rentals.keeper.turn(attended=[self._run.id], busy=self._rentals.launches.busy)
        self._trouble, self._blind = "", 0
        self._rentals.machines.compare(turn.listing)
        self._mirror.tell()
        self._announce_takings()
        self._let_go()
        self._look_at = _now() + self._period()

    def _period(self) -> timedelta:
        """Say after how long to look again: soon while something is under way, and seldom while nothing is."""
        lag = self._source.provider.terms.listing_lag
        settled = all(
            lease.phase in {LeasePhase.READY, LeasePhase.STOPPED} and not lease.misses
            for lease in self._mirror.leases().values()
        )
        return max(lag, _STEADY) if settled else max(_SOONEST, min(lag / 4, _SETTLING))

    def _beat(self) -> None:
        """Attend to all machines: they live on for their unattended time from now."""
        now = _now()
        attended = [lease for lease in self._mirror.leases().values() if lease.phase is LeasePhase.READY]
        self._ledger.beat([lease.id for lease in attended], at=now)
        for lease in attended:
            self._host.beat(self._mirror.named(lease.machine), now + lease.spec.unattended)
        self._beat_at = now + min(self._run.rented(pool).unattended for pool in self._run.pools) / _BEATS

    def _announce_takings(self) -> None:
        """Give no more attempts to spot machines that the cloud will take back."""
        provider = self._source.provider
        spot = [
            lease.machine
            for lease in self._mirror.leases().values()
            if lease.phase is LeasePhase.READY and lease.spec.offer.spot
        ]
        if not spot or not isinstance(provider, SpotNotices):
            return
        try:
            notices = provider.notices(spot)
        except ProviderError:
            return
        for notice in notices:
            self._rentals.machines.announced(self._mirror.named(notice.machine), notice.at)

    def _let_go(self) -> None:
        """Wait no longer for what should have been gone for some time."""
        terms = self._source.provider.terms
        bound = terms.deadline + terms.settle + terms.ending + 4 * terms.listing_lag + _PATIENCE
        leaving = self._rentals.leaving
        late = tuple(name for name in self._mirror.leases() if _now() > leaving.get(name, _now()) + bound)
        if late:
            for name in late:
                del leaving[name]
            reason = f"{self._source.name} still lists them; `longshore gc` ends what is left"
            self._host.post(LeasesLeft(at=_now(), leases=late, reason=reason))

    def _soon(self) -> None:
        self._look_at = min(self._look_at, _now() + _SOONEST)


def _all_of(queue: SimpleQueue[_T]) -> list[_T]:
    """Take all that a queue has; nobody else takes from it."""
    taken = []
    while not queue.empty():
        taken.append(queue.get())
    return taken


def _nothing() -> None:
    """Wake up only."""


def _now() -> datetime:
    return datetime.now(UTC)
