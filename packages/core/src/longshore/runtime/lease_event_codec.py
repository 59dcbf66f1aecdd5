"""Events about rented machines as bodies of the journal, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from longshore.config.document import read_money, write_money
from longshore.model import lease_events as ev
from longshore.model.lease_phase import LeasePhase
from longshore.model.offer import Offer, OfferKey, Price
from longshore.model.outcome import FailureClass
from longshore.model.resources import Resources

__all__ = ["DECODERS", "ENCODERS"]

Body = dict[str, Any]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _offer(offer: Offer) -> list[Any]:
    price, room = offer.price, offer.resources
    return [
        *offer.key,
        [room.cpus, room.memory_bytes, room.gpus, room.disk_bytes],
        offer.arch,
        offer.gpu_model,
        None if price is None else [write_money(price.per_hour), price.source, price.at.timestamp()],
    ]


def _read_offer(row: list[Any]) -> Offer:
    kind, region, zone, spot, (cpus, memory, gpus, disk), arch, gpu_model, price = row
    per_hour = None if price is None else read_money(price[0])
    return Offer(
        type=kind,
        region=region,
        zone=zone,
        spot=spot,
        resources=Resources(cpus=cpus, memory_bytes=memory, gpus=gpus, disk_bytes=disk),
        arch=arch,
        gpu_model=gpu_model,
        price=None if per_hour is None else Price(per_hour=per_hour, source=price[1], at=_moment(price[2])),
    )


def _key(row: list[Any]) -> OfferKey:
    kind, region, zone, spot = row
    return kind, region, zone, spot


def _changed(event: ev.LeaseChanged) -> Body:
    body: Body = {"lease": event.lease, "pool": event.pool, "phase": event.phase.value, "offer": event.offer}
    body["ends_at"] = event.ends_at.timestamp()
    if event.machine:
        body["machine"] = event.machine
    if event.price is not None:
        body["price"] = write_money(event.price)
    if event.cost is not None:
        body["cost"] = write_money(event.cost)
    if event.kept:
        body["kept"] = True
    if event.warm:
        body["warm"] = True
    if event.failure is not None:
        body["failure"] = event.failure.value
    if event.reason:
        body["reason"] = event.reason
    return body


def _read_changed(at: datetime, body: Body) -> ev.LeaseChanged:
    failure = body.get("failure")
    return ev.LeaseChanged(
        at=at,
        lease=body["lease"],
        pool=body["pool"],
        phase=LeasePhase(body["phase"]),
        machine=body.get("machine", ""),
        offer=_key(body["offer"]),
        price=read_money(body.get("price")),
        cost=read_money(body.get("cost")),
        ends_at=_moment(body["ends_at"]),
        kept=body.get("kept", False),
        warm=body.get("warm", False),
        failure=None if failure is None else FailureClass(failure),
        reason=body.get("reason", ""),
    )


ENCODERS: Mapping[str, Callable[[Any], Body]] = MappingProxyType(
    {
        "LeaseChanged": _changed,
        "LeaseDraining": lambda e: {"lease": e.lease, "reason": e.reason, **({"doomed": True} if e.doomed else {})},
        "LeaseIntended": lambda e: {
            "lease": e.lease,
            "pool": e.pool,
            "kind": e.kind,
            "offer": _offer(e.offer),
            "ends_at": e.ends_at.timestamp(),
        },
        "LeasesLeft": lambda e: {"leases": e.leases, "reason": e.reason},
        "OffersFound": lambda e: {
            "pool": e.pool,
            "offers": [[_offer(offer) for offer in kind] for kind in e.offers],
            "room": e.room,
        },
        "OffersMissing": lambda e: {"pool": e.pool, "reason": e.reason},
        "TasksRefused": lambda e: {"tasks": e.tasks, "reason": e.reason, "failure": e.failure.value},
    }
)

DECODERS: Mapping[str, Callable[[datetime, Body], Any]] = MappingProxyType(
    {
        "LeaseChanged": _read_changed,
        "LeaseDraining": lambda at, b: ev.LeaseDraining(
            at=at, lease=b["lease"], reason=b["reason"], doomed=b.get("doomed", False)
        ),
        "LeaseIntended": lambda at, b: ev.LeaseIntended(
            at=at,
            lease=b["lease"],
            pool=b["pool"],
            kind=b["kind"],
            offer=_read_offer(b["offer"]),
            ends_at=_moment(b["ends_at"]),
        ),
        "LeasesLeft": lambda at, b: ev.LeasesLeft(at=at, leases=tuple(b["leases"]), reason=b["reason"]),
        "OffersFound": lambda at, b: ev.OffersFound(
            at=at,
            pool=b["pool"],
            offers=tuple(tuple(_read_offer(row) for row in kind) for kind in b["offers"]),
            room=tuple((_key(key), count) for key, count in b["room"]),
        ),
        "OffersMissing": lambda at, b: ev.OffersMissing(at=at, pool=b["pool"], reason=b["reason"]),
        "TasksRefused": lambda at, b: ev.TasksRefused(
            at=at, tasks=tuple(b["tasks"]), reason=b["reason"], failure=FailureClass(b["failure"])
        ),
    }
)
