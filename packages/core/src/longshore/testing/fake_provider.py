"""A provider for `FakeCloud` that keeps every law: a model to copy from, and what the mutants are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from longshore.errors import OutOfCapacity
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Needs, Offer, Price
from longshore.plugin.provider import Quota, Scope, SpotNotice
from longshore.testing.fake_calls import CloudCalls, read_machine, read_offer

__all__ = ["FakeProvider"]


class FakeProvider(CloudCalls):
    """Rents from a `FakeCloud` by a login to it, with all abilities."""

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
        found = [each for each in (read_offer(row, now) for row in rows) if each.meets(needs)]
        return sorted(found, key=lambda each: (each.price is None, each.price.per_hour.amount if each.price else 0))

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """Look for the token; make what is missing; end what is too much."""
        return self._launch(spec, token, count)

    def launch_together(self, spec: MachineSpec, *, token: str, count: int) -> Sequence[Machine]:
        """Launch them as a group, which the cloud makes whole or not at all."""
        return self._launch(spec, token, count, group=token)

    def _launch(self, spec: MachineSpec, token: str, count: int, **more: Any) -> Sequence[Machine]:
        until = self._deadline()
        there = self._list({Tag.TOKEN: token, Tag.OWNER: spec.owner}, until)
        there.sort(key=lambda machine: machine.id)
        if len(there) > count:
            self._end([machine.id for machine in there[count:]], until)
        if len(there) >= count:
            return there[:count]
        self._make_sides(spec, until)
        rows = self._call("create", {**self._request(spec, token, count - len(there)), **more}, until)["machines"]
        made = [read_machine(row) for row in rows if row["state"] != "ended"]
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

    def taken(self, machine_ids: Collection[str]) -> Collection[str]:
        """Ask which spot machines have gone."""
        return sorted(set(machine_ids) & set(self._call("taken", {}, self._deadline())["taken"]))

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

    def host_keys(self, machine_id: str) -> Sequence[str]:
        """Read them on the console."""
        keys = self._call("host_keys", {"id": machine_id}, self._deadline(), fine={"NotFound"}).get("keys", ())
        return [str(key) for key in keys]

    def images(self, *, owner: str) -> Sequence[SideResource]:
        """List what has the owner's tag."""
        rows = self._pages("list_images", {}, self._deadline())
        return [SideResource(**row) for row in rows if row["tags"].get(Tag.OWNER) == owner]

    def make_image(self, machine_id: str, name: str, tags: Mapping[str, str]) -> SideResource:
        """Make it, or find the one of that name."""
        until = self._deadline()
        made = self._call(
            "make_image", {"id": machine_id, "name": name, "tags": dict(tags)}, until, fine={"AlreadyThere"}
        )
        return SideResource(**(made or next(row for row in self._pages("list_images", {}, until) if row["id"] == name)))

    def delete_images(self, ids: Collection[str]) -> None:
        """Delete each; what is gone is no news."""
        until = self._deadline()
        for each in ids:
            self._call("delete_image", {"id": each}, until, fine={"NotFound"})

    def address(self) -> str | None:
        """Leave it to whoever asks: this cloud sees no callers."""
        return None

    def admit(self, address: str, *, owner: str) -> None:
        """Tell the firewall."""
        self._call("admit", {"address": address, "owner": owner}, self._deadline())

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
