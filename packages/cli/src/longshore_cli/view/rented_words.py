"""What has happened to the machines that a run rents, in one line each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from longshore.model.lease import LeasePhase
from longshore.model.lease_events import (
    LeaseChanged,
    LeaseDraining,
    LeaseIntended,
    LeasesLeft,
    OffersMissing,
    TasksRefused,
)
from longshore_cli.text import clean, counted
from longshore_cli.view.line import Line, Rank

__all__ = ["RENTED_WORDS"]


def _intended(event: LeaseIntended) -> Iterator[Line]:
    price = event.offer.price
    rate = f", {price.per_hour} an hour" if price is not None else ""
    yield Line(Rank.USUAL, "", f"renting {event.offer}{rate} for pool {event.pool} ({event.lease})")


def _changed(event: LeaseChanged) -> Iterator[Line]:
    name = event.machine or event.lease
    match event.phase:
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


def _draining(event: LeaseDraining) -> Iterator[Line]:
    yield Line(Rank.USUAL, "", f"{event.lease} gets no more tasks: {clean(event.reason)}")


def _left(event: LeasesLeft) -> Iterator[Line]:
    machines = counted(len(event.leases), "machine")
    yield Line(Rank.ALWAYS, "lost", f"{machines} could not be seen to end ({', '.join(event.leases)}): {event.reason}")


def _missing(event: OffersMissing) -> Iterator[Line]:
    yield Line(Rank.ALWAYS, "lost", f"pool {event.pool} cannot rent now: {clean(event.reason)}")


def _refused(event: TasksRefused) -> Iterator[Line]:
    for task in event.tasks:
        yield Line(Rank.ALWAYS, "failed", f"{task} failed: {event.failure}: {clean(event.reason)}")


RENTED_WORDS: Mapping[type, Callable[[Any], Iterable[Line]]] = MappingProxyType(
    {
        LeaseChanged: _changed,
        LeaseDraining: _draining,
        LeaseIntended: _intended,
        LeasesLeft: _left,
        OffersMissing: _missing,
        TasksRefused: _refused,
    }
)
"""By kind of event."""
