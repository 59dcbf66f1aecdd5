"""What a provider says to a `FakeCloud`, and how it reads the answers: a plugin's border to the SDK of its cloud."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from longshore.errors import (
    AccessDenied,
    CloudUnreachable,
    CredentialsError,
    InvalidRequest,
    OutOfCapacity,
    ProviderError,
    QuotaExceeded,
    Throttled,
)
from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import Tag
from longshore.model.offer import Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.plugin.provider import Terms
from longshore.testing.fake_cloud import Port
from longshore.testing.fake_cloud_parts import CloudFault, CloudTimeout
from longshore.testing.faults import Time

__all__ = ["CloudCalls", "read_machine", "read_offer"]

_CLASSES: Mapping[str, type[ProviderError]] = {
    "InsufficientCapacity": OutOfCapacity,
    "LimitExceeded": QuotaExceeded,
    "ExpiredToken": CredentialsError,
    "NotAuthorized": AccessDenied,
    "RequestLimitExceeded": Throttled,
    "MalformedParameter": InvalidRequest,
    "KeyMismatch": InvalidRequest,
    "NotFound": InvalidRequest,
}


class CloudCalls:
    """A login, with a deadline for each call of the provider and one table of errors."""

    def __init__(self, port: Port, time: Time, terms: Terms) -> None:
        self._port = port
        self._time = time
        self._terms = terms

    @property
    def terms(self) -> Terms:
        """What the cloud is like."""
        return self._terms

    def _deadline(self) -> datetime:
        return self._time.now() + self.terms.deadline

    def _end(self, machine_ids: Collection[str], until: datetime) -> None:
        failed: ProviderError | None = None
        for each in machine_ids:
            try:
                self._call("end", {"id": each}, until, fine={"NotFound"})
            except ProviderError as error:
                failed = error
        if failed is not None:
            raise failed

    def _list(self, tags: Mapping[str, str], until: datetime) -> list[Machine]:
        rows = self._pages("list", {"tags": {str(key): value for key, value in tags.items()}}, until)
        return [read_machine(row) for row in rows if row["state"] != "ended"]

    def _pages(self, action: str, body: Mapping[str, Any], until: datetime) -> Iterator[dict[str, Any]]:
        page: int | None = 0
        while page is not None:
            answer = self._call(action, {**body, "page": page}, until)
            yield from answer["rows"]
            page = answer["next"]

    def _call(
        self, action: str, body: Mapping[str, Any], until: datetime, *, fine: Collection[str] = ()
    ) -> dict[str, Any]:
        """Send one request within the deadline; the one place where the cloud's exceptions are translated."""
        left = max(timedelta(0), until - self._time.now())
        try:
            return self._port(action, body, left)
        except CloudTimeout as error:
            raise CloudUnreachable(f"{action}: no answer within {self.terms.deadline}") from error
        except CloudFault as error:
            if error.code in fine:
                return {}
            raise _CLASSES.get(error.code, ProviderError)(f"{action}: {error}") from error


def read_offer(row: Mapping[str, Any], now: datetime) -> Offer:
    """Read one kind of the cloud's list."""
    price = None
    if row["rate"] is not None:
        per_hour = Money(amount=Decimal(row["rate"]), currency=row["currency"])
        price = Price(per_hour=per_hour, source="the fake cloud's list", at=now)
    resources = Resources(
        cpus=row["cpus"], memory_bytes=row["memory_bytes"], gpus=row["gpus"], disk_bytes=row["disk_bytes"]
    )
    return Offer(
        type=row["type"],
        region=row["region"],
        zone=row["zone"],
        resources=resources,
        arch=row["arch"],
        gpu_model=row["gpu_model"],
        price=price,
        spot=row["spot"],
    )


def read_machine(row: Mapping[str, Any]) -> Machine:
    """Read one machine as the cloud shows it."""
    return Machine(
        id=row["id"],
        pool=row["tags"].get(Tag.POOL, ""),
        resources=Resources(cpus=row.get("cpus", 1), memory_bytes=row.get("memory_bytes", 0)),
        address=row["address"],
        tags=row["tags"],
        type=row["type"],
        region=row["region"],
        zone=row["zone"],
        spot=row["spot"],
        state=MachineState(row["state"]),
        born=datetime.fromisoformat(row["born"]),
    )
