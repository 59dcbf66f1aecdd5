"""A provider for `FakeCloud` that keeps every law: a model to copy from, and what the mutants are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
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
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Needs, Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.plugin.provider import Quota, Scope, SpotNotice, Terms
from longshore.testing.fake_cloud import Port
from longshore.testing.fake_cloud_parts import CloudFault, CloudTimeout
from longshore.testing.faults import Time

__all__ = ["FakeProvider"]

_CLASSES: Mapping[str, type[ProviderError]] = {
    "InsufficientCapacity": OutOfCapacity,
    "LimitExceeded": QuotaExceeded,
    "ExpiredToken": CredentialsError,
    "NotAuthorized": AccessDenied,
    "RequestLimitExceeded": Throttled,
    "MalformedParameter": InvalidRequest,
    "KeyMismatch": InvalidRequest,
}


class FakeProvider:
    """Rents from a `FakeCloud` by a login to it."""

    def __init__(self, port: Port, time: Time, terms: Terms) -> None:
        self._port = port
        self._time = time
        self._terms = terms

    @property
    def terms(self) -> Terms:
        """What the fake cloud is like."""
        return self._terms

    def scope(self) -> Scope:
        """The account of the login, everywhere."""
        return Scope(account=self._call("whoami", {}, self._deadline())["account"])

    def caller(self) -> str:
        """Ask whose login it is."""
        return str(self._call("whoami", {}, self._deadline())["user"])

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List what meets the needs, the cheapest first."""
        now = self._time.now()
        rows = self._call("offers", {}, self._deadline())["offers"]
        found = [each for each in (_offer(row, now) for row in rows) if each.meets(needs)]
        return sorted(found, key=lambda each: (each.price is None, each.price.per_hour.amount if each.price else 0))

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """Look for the token; make what is missing; end what is too much."""
        until = self._deadline()
        there = self._list({Tag.TOKEN: token, Tag.OWNER: spec.owner}, until)
        there.sort(key=lambda machine: machine.id)
        if len(there) > count:
            self._end([machine.id for machine in there[count:]], until)
        if len(there) >= count:
            return there[:count]
        self._make_sides(spec, until)
        rows = self._call("create", self._request(spec, token, count - len(there)), until)["machines"]
        made = [_machine(row) for row in rows if row["state"] != "ended"]
        if len(there) + len(made) < count:
            self._end([machine.id for machine in made], until)
            raise OutOfCapacity(f"there are only {len(made)} of {count} {spec.offer} now")
        return [*there, *made]

    def find(self, *, owner: str) -> Sequence[Machine]:
        """List what has the owner's tag."""
        return self._list({Tag.OWNER: owner}, self._deadline())

    def terminate(self, machine_ids: Collection[str]) -> None:
        """End each; what is gone is no news."""
        self._end(machine_ids, self._deadline())

    def stop(self, machine_ids: Collection[str]) -> None:
        """Power off."""
        for each in machine_ids:
            self._call("stop", {"id": each}, self._deadline())

    def start(self, machine_ids: Collection[str]) -> None:
        """Power on."""
        for each in machine_ids:
            self._call("start", {"id": each}, self._deadline())

    def notices(self, machine_ids: Collection[str]) -> Sequence[SpotNotice]:
        """Ask which spot machines will go."""
        rows = self._call("notices", {}, self._deadline())["notices"]
        wanted = set(machine_ids)
        return [
            SpotNotice(machine=row["id"], at=datetime.fromisoformat(row["at"])) for row in rows if row["id"] in wanted
        ]

    def price(self, offer: Offer) -> Price | None:
        """Ask what an offer costs now."""
        return next((each.price for each in self.offers(Needs(type=offer.type)) if each.key == offer.key), None)

    def room(self, offer: Offer) -> int | None:
        """Say how many machines more the account may have."""
        row = self._call("room", {}, self._deadline())
        return int(row["limit"] - row["used"])

    def quotas(self) -> Sequence[Quota]:
        """Show the one limit that there is."""
        row = self._call("room", {}, self._deadline())
        return [Quota(name="machines", region="", limit=row["limit"], used=row["used"])]

    def sides_of(self, spec: MachineSpec) -> Sequence[SideResource]:
        """One key for each set of public keys, in each region."""
        name = hashlib.sha256("\n".join((spec.owner, spec.ledger, *spec.keys)).encode()).hexdigest()[:16]
        region = spec.offer.region
        return [SideResource(id=f"key-{name}-{region}", kind="key", region=region, tags=spec.owner_tags())]

    def find_sides(self, *, owner: str) -> Sequence[SideResource]:
        """List what has the owner's tag."""
        rows = self._pages("list_sides", {}, self._deadline())
        return [SideResource(**row) for row in rows if row["tags"].get(Tag.OWNER) == owner]

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        """Delete what nobody uses."""
        until = self._deadline()
        ours = {row["id"] for row in self._pages("list_sides", {}, until) if row["tags"].get(Tag.OWNER) == owner}
        for each in ids:
            if each in ours:
                self._call("delete_side", {"id": each}, until, fine={"NotFound", "InUse"})

    def _deadline(self) -> datetime:
        return self._time.now() + self._terms.deadline

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        """All that is sent, from the spec and the token alone (law P2), with tags and end in it (law P7)."""
        offer = spec.offer
        return {
            "key": token,
            "count": count,
            "type": offer.type,
            "region": offer.region,
            "zone": offer.zone,
            "spot": offer.spot,
            "image": spec.image,
            "boot": spec.boot_script,
            "sides": [side.id for side in self.sides_of(spec)],
            "tags": spec.tags(token),
            "ends_at": spec.ends_at.isoformat(),
        }

    def _make_sides(self, spec: MachineSpec, until: datetime) -> None:
        for side in self.sides_of(spec):
            body = {"id": side.id, "kind": side.kind, "region": side.region, "tags": dict(side.tags)}
            self._call("create_side", body, until, fine={"AlreadyThere"})

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
        return [_machine(row) for row in rows if row["state"] != "ended"]

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
            raise CloudUnreachable(f"{action}: no answer within {self._terms.deadline}") from error
        except CloudFault as error:
            if error.code in fine:
                return {}
            raise _CLASSES.get(error.code, ProviderError)(f"{action}: {error}") from error


def _offer(row: Mapping[str, Any], now: datetime) -> Offer:
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


def _machine(row: Mapping[str, Any]) -> Machine:
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
