"""What has happened to the machines that a run rents, in one line each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from longshore.model.lease import LeasePhase
from longshore.model.lease_events import (
    LeaseChanged,
    LeaseDraining,
    LeasesLeft,
    OffersFound,
    OffersMissing,
    TasksRefused,
)
from longshore.model.offer import OfferKey, all_full
from longshore_cli.text import clean, counted
from longshore_cli.view.line import Line, Rank

__all__ = ["RENTED_WORDS"]


def _changed(event: LeaseChanged) -> Iterator[Line]:
    name = event.machine or event.lease
    rate = f", {event.price} an hour" if event.price is not None else ""
    match event.phase:
        case LeasePhase.INTENDED:
            # Only now is it known that no machine of an earlier run would do.
            yield Line(Rank.USUAL, "", f"renting {_words(event.offer)}{rate} for pool {event.pool} ({event.lease})")
        case LeasePhase.KNOWN | LeasePhase.STOPPED if event.warm:
            yield Line(Rank.USUAL, "", f"going on with machine {name}, which an earlier run has left ({event.lease})")
        case LeasePhase.READY if event.kept:
            yield Line(Rank.USUAL, "", f"machine {name} stays up for the next run, until {event.ends_at:%H:%M} UTC")
        case LeasePhase.STOPPED:
            yield Line(Rank.USUAL, "", f"machine {name} is stopped")
        case LeasePhase.ENDING:
            yield Line(Rank.USUAL, "", f"ending machine {name}")
        case LeasePhase.ABSENT if event.machine:
            cost = f"; it cost {event.cost}" if event.cost is not None else ""
            yield Line(Rank.USUAL, "", f"machine {name} is no more{cost}")
        case LeasePhase.ABSENT if event.failure is not None:
            yield Line(Rank.ALWAYS, "lost", f"{name} was not rented: {event.failure}: {clean(event.reason)}")
        case _:
            return


def _words(offer: OfferKey) -> str:
    kind, region, zone, spot = offer
    return f"{kind} in {zone or region}{' (spot)' if spot else ''}"


def _draining(event: LeaseDraining) -> Iterator[Line]:
    yield Line(Rank.USUAL, "", f"{event.lease} gets no more tasks: {clean(event.reason)}")


def _left(event: LeasesLeft) -> Iterator[Line]:
    machines = counted(len(event.leases), "machine")
    yield Line(Rank.ALWAYS, "lost", f"{machines} could not be seen to end ({', '.join(event.leases)}): {event.reason}")


def _found(event: OffersFound) -> Iterator[Line]:
    if all_full((offer for kind in event.offers for offer in kind), dict(event.room)):
        words = "ask for more in the console of the cloud, or use less there"
        yield Line(
            Rank.ALWAYS, "lost", f"the account's limits leave no room for machines of pool {event.pool}; {words}"
        )


def _missing(event: OffersMissing) -> Iterator[Line]:
    yield Line(Rank.ALWAYS, "lost", f"pool {event.pool} cannot rent now: {clean(event.reason)}")


def _refused(event: TasksRefused) -> Iterator[Line]:
    for task in event.tasks:
        yield Line(Rank.ALWAYS, "failed", f"{task} failed: {event.failure}: {clean(event.reason)}")


RENTED_WORDS: Mapping[type, Callable[[Any], Iterable[Line]]] = MappingProxyType(
    {
        LeaseChanged: _changed,
        LeaseDraining: _draining,
        LeasesLeft: _left,
        OffersFound: _found,
        OffersMissing: _missing,
        TasksRefused: _refused,
    }
)
"""By kind of event."""
