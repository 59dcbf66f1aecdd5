"""The provider: what Longshore asks of a cloud, said in the words of the rack's service."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from longshore.errors import OutOfCapacity, ProviderError
from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import MachineSpec, Tag
from longshore.model.offer import Needs, Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.plugin import Scope, Terms
from longshore_rack.api import RackApi, Refused
from longshore_rack.errors import translated

__all__ = ["Rack"]

_GONE = frozenset({404})


class Rack:
    """Rents machines of a rack; can stop them, and knows who is logged in."""

    def __init__(self, api: RackApi, now: Callable[[], datetime], terms: Terms) -> None:
        self._api = api
        self._now = now
        self.terms = terms

    def scope(self) -> Scope:
        """Say who pays."""
        return Scope(account=str(self._ask("GET", "/login", until=self._deadline())["account"]))

    def caller(self) -> str:
        """Say who is logged in."""
        return str(self._ask("GET", "/login", until=self._deadline())["user"])

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List what meets the needs, the cheapest first and unknown prices last."""
        now = self._now()
        offers = [_offer(row, now) for row in self._ask("GET", "/types", until=self._deadline())]
        offers.sort(key=lambda each: (each.price is None, each.price.per_hour.amount if each.price else 0))
        return [offer for offer in offers if offer.meets(needs)]

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """Look first, then make what is missing; end what a repeat has made too much."""
        until = self._deadline()
        there = sorted(self._list({Tag.OWNER: spec.owner, Tag.TOKEN: token}, until), key=lambda each: each.id)
        self._end([each.id for each in there[count:]], until)
        if len(there) >= count:
            return there[:count]
        wanted = _request(spec, token, count - len(there))
        made = _machines(self._ask("POST", "/machines", wanted, until=until))
        if len(there) + len(made) < count:
            self._end([each.id for each in made], until)
            raise OutOfCapacity(f"the rack has only {len(made)} of {count} {spec.offer} now")
        return [*there, *made]

    def find(self, *, owner: str) -> Sequence[Machine]:
        """List all of this owner's."""
        return self._list({Tag.OWNER: owner}, self._deadline())

    def terminate(self, machine_ids: Collection[str]) -> None:
        """End each of them."""
        self._end(machine_ids, self._deadline())

    def stop(self, machine_ids: Collection[str]) -> None:
        """Power off."""
        self._power(machine_ids, "off")

    def start(self, machine_ids: Collection[str]) -> None:
        """Power on."""
        self._power(machine_ids, "on")

    def _power(self, machine_ids: Collection[str], power: str) -> None:
        until = self._deadline()
        for each in machine_ids:
            self._ask("POST", f"/machines/{urllib.parse.quote(each, safe='')}/power", {"power": power}, until=until)

    def _end(self, machine_ids: Collection[str], until: datetime) -> None:
        failed: ProviderError | None = None
        for each in machine_ids:
            try:
                self._ask("DELETE", f"/machines/{urllib.parse.quote(each, safe='')}", until=until, fine=_GONE)
            except ProviderError as error:
                failed = error
        if failed is not None:
            raise failed

    def _list(self, tags: Mapping[str, str], until: datetime) -> list[Machine]:
        query = urllib.parse.urlencode([("tag", f"{key!s}={value}") for key, value in tags.items()])
        found: list[Machine] = []
        page = "0"
        while page:
            answer = self._ask("GET", f"/machines?{query}&page={page}", until=until)
            found += _machines(answer["machines"])
            page = answer["next"]
        return found

    def _deadline(self) -> datetime:
        return self._now() + self.terms.deadline

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        until: datetime,
        fine: Collection[int] = (),
    ) -> Any:
        with translated(f"{method} {path.partition('?')[0]}"):
            try:
                return self._api.ask(method, path, body, seconds=(until - self._now()) / timedelta(seconds=1))
            except Refused as error:
                if error.status not in fine:
                    raise


def _request(spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
    """All that is sent to make machines: from the spec and the token alone (P2), with tags and end in it (P7)."""
    offer = spec.offer
    return {
        "key": token,
        "count": count,
        "type": {"name": offer.type, "region": offer.region, "zone": offer.zone, "spot": offer.spot},
        "image": spec.image,
        "boot": spec.boot_script,
        "tags": spec.tags(token),
        "ends_at": spec.ends_at.isoformat(),
    }


def _offer(row: Mapping[str, Any], now: datetime) -> Offer:
    price = None
    if row["rate"] is not None:
        price = Price(per_hour=Money(amount=Decimal(row["rate"]), currency="USD"), source="the rack's list", at=now)
    resources = Resources(cpus=row["cpus"], memory_bytes=row["memory_bytes"])
    return Offer(
        type=row["name"], region=row["region"], zone=row["zone"], spot=row["spot"], resources=resources, price=price
    )


def _machines(rows: Sequence[Mapping[str, Any]]) -> list[Machine]:
    """Read machines, but for those that have ended."""
    return [
        Machine(
            id=row["id"],
            pool=row["tags"].get(Tag.POOL, ""),
            resources=Resources(cpus=row["cpus"], memory_bytes=row["memory_bytes"]),
            address=row["address"],
            tags=row["tags"],
            type=row["type"],
            region=row["region"],
            zone=row["zone"],
            spot=row["spot"],
            state=MachineState(row["state"]),
            born=datetime.fromisoformat(row["born"]),
        )
        for row in rows
        if row["state"] != "ended"
    ]
