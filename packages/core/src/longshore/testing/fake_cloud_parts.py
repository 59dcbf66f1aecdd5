"""What the fake cloud is made of: the types it rents, its habits, its machines, and what its SDK raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from attrs import define, field, frozen

from longshore.testing.faults import Fault

__all__ = ["CloudFault", "CloudHabits", "CloudMachine", "CloudState", "CloudTimeout", "Kind", "Request"]


class CloudFault(Exception):
    """What this cloud's SDK raises when a request is refused."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code


class CloudTimeout(Exception):
    """What this cloud's SDK raises when no answer comes."""


@frozen(kw_only=True)
class Kind:
    """A type of machine in a zone, and what an hour of it costs: from the beginning, and after each change."""

    type: str
    region: str
    zone: str
    cpus: float
    memory_bytes: int
    rate: str | None = "0.10"
    currency: str = "USD"
    gpus: int = 0
    gpu_model: str = ""
    arch: str = "x86_64"
    disk_bytes: int = 0
    spot: bool = False
    capacity: int = 1_000
    changes: Sequence[tuple[timedelta, str]] = ()
    """Prices from so long after the cloud's beginning."""


@frozen(kw_only=True)
class CloudHabits:
    """How this cloud behaves."""

    listing_lag: timedelta = timedelta(seconds=20)
    latency: timedelta = timedelta(milliseconds=200)
    honours_keys: bool = True
    """Whether a repeated idempotency key gives the same machines."""
    power_off_still_costs: bool = False
    quota: int = 1_000
    """Machines per account."""
    reclaims: Sequence[tuple[timedelta, str]] = ()
    """So long after the beginning all spot machines of a type are taken back."""
    notice: timedelta = timedelta(minutes=2)
    faults: Mapping[Fault, float] = field(factory=dict[Fault, float])
    """How often a request goes wrong in which way, by chance."""


@define(kw_only=True)
class CloudMachine:
    """One machine, as its cloud knows it."""

    id: str
    account: str
    body: dict[str, Any]
    """The create request, as it came."""
    tags: dict[str, str]
    kind: Kind
    born: datetime
    ended: datetime | None = None
    stopped: datetime | None = None
    paid_until: datetime
    paid_seconds: float = 0.0
    paid: Decimal = Decimal(0)
    ends_at: datetime | None = None
    """When it ends itself."""
    reclaimed_at: datetime | None = None
    """When it, a spot machine, is taken back, apart from what the trace says."""


@define(kw_only=True)
class CloudState:
    """All that a cloud must not forget."""

    began: datetime
    asked: int = 0
    """Requests so far: chance follows from it and the seed."""
    count: int = 0
    """Machines so far."""
    reclaimed: int = 0
    """How much of the trace of reclaims is done."""
    arranged: list[tuple[Fault, str]] = field(factory=list[tuple[Fault, str]])
    machines: dict[str, CloudMachine] = field(factory=dict[str, CloudMachine])
    keys: dict[tuple[str, str], tuple[dict[str, Any], list[str]]] = field(factory=dict)
    """By account and idempotency key: the request, and the machines that it made."""
    sides: dict[tuple[str, str], dict[str, Any]] = field(factory=dict)
    """By account and id."""
    images: dict[tuple[str, str], dict[str, Any]] = field(factory=dict)
    """By account and id."""
    admitted: dict[tuple[str, str], str] = field(factory=dict)
    """By account and owner: the address that the firewall lets in."""


@frozen(kw_only=True)
class Request:
    """One request that has arrived."""

    action: str
    body: Mapping[str, Any]
    account: str
    at: datetime
