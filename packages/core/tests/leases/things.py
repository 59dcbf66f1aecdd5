"""Leases, specs and offers to test with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from attrs import evolve

from longshore.model.lease import Lease, LeasePhase
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LEDGER = "l-mine"
OWNER = "me"


def usd(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def price(per_hour: str) -> Price:
    return Price(per_hour=usd(per_hour), source="price list", at=NOW)


def offer(kind: str = "small", per_hour: str | None = "0.10", *, spot: bool = False, zone: str = "a") -> Offer:
    return Offer(
        type=kind,
        region="north",
        zone=zone,
        resources=Resources(cpus=2, memory_bytes=4 << 30),
        price=None if per_hour is None else price(per_hour),
        spot=spot,
    )


def spec(chosen: Offer | None = None, *, run: str = "r1", hours: float = 2, ledger: str = LEDGER) -> MachineSpec:
    return MachineSpec(
        offer=chosen or offer(),
        boot_script="#!/bin/sh\nexec longshore-boot\n",
        keys=("ssh-ed25519 AAAA me",),
        owner=OWNER,
        ledger=ledger,
        project="pv",
        run=run,
        pool="cloud",
        ends_at=NOW + timedelta(hours=hours),
    )


def lease(
    name: str = "a", phase: LeasePhase = LeasePhase.INTENDED, *, machine: str = "", of: MachineSpec | None = None
) -> Lease:
    born = Lease(id=name, provider="fake", account="acc", spec=of or spec(), since=NOW)
    if phase is LeasePhase.INTENDED:
        return born
    return evolve(born, phase=phase, machine=machine, requested_at=NOW, asked_at=NOW)


def machine(name: str, of: Lease | None = None, *, token: str = "", ledger: str = LEDGER, ends: float = 2) -> Machine:
    intended = of.spec if of is not None else spec(ledger=ledger, hours=ends)
    return Machine(
        id=name,
        pool="cloud",
        resources=intended.offer.resources,
        type=intended.offer.type,
        region=intended.offer.region,
        tags=intended.tags(token),
    )
