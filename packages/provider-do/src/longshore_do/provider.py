"""The provider: droplets of one DigitalOcean account."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from attrs import evolve

from longshore.errors import CloudUnreachable, InvalidRequest, ProviderError
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Needs, Offer, Price
from longshore.plugin.boot import first_boot
from longshore.plugin.caller import ADDRESS_URL, Caller
from longshore.plugin.catalogue import Catalogue, default_folder
from longshore.plugin.launching import exactly
from longshore.plugin.provider import Quota, Scope, Terms
from longshore_do.catalog import Catalog
from longshore_do.clients import Client
from longshore_do.config import IMAGES, DoConfig
from longshore_do.errors import translated
from longshore_do.machines import Machines, as_tags
from longshore_do.sides import Sides, firewall_tag, imported_key

__all__ = ["DoProvider"]

_ANSWER = timedelta(seconds=20)
_LONGEST_OWNER = 63
_AT_ONCE = 10
"""So many machines one create call may make."""
_LONGEST_BOOT = 65536
_TOKEN_SHOWN = 20


class DoProvider:
    """Rents from DigitalOcean; the laws are those of `longshore.plugin.provider`. Nothing is asked before the first
    call.
    """

    def __init__(
        self,
        config: DoConfig,
        *,
        catalogue: Catalogue | None = None,
        answer: timedelta = _ANSWER,
        address_url: str = ADDRESS_URL,
    ) -> None:
        """Take the options, where to remember what is listed slowly, how long one answer may take at most, and who says
        from where we call.
        """
        self._config = config
        answer = min(answer, config.deadline / 3)
        self._client = Client(config, answer=answer, deadline=config.deadline - 2 * answer)
        self._kept = catalogue or Catalogue(default_folder(), now=lambda: datetime.now(UTC))
        self._machines = Machines(self._client, config.address)
        self._caller = Caller("do", config.admit, url=address_url)
        self._sides = Sides(self._client, self._machines, config, self._caller)
        self._catalog = Catalog(self._client, self._kept, config)

    def __repr__(self) -> str:
        """Show no token."""
        return f"<DigitalOcean with the token in {self._config.token_env}>"

    @property
    def terms(self) -> Terms:
        """What DigitalOcean is like: a machine that has powered itself off still costs, until somebody ends it."""
        lag = self._config.listing_lag
        return Terms(listing_lag=lag, settle=2 * lag, deadline=self._config.deadline, power_off_still_costs=True)

    # --- who and where

    @cached_property
    def _account(self) -> Mapping[str, Any]:
        doing = "asking who is logged in"
        answer = self._client.ask(doing, lambda client: client.account.get)
        with translated(doing):
            account: Mapping[str, Any] = answer["account"]
            return account

    def scope(self) -> Scope:
        """The account of the token; its lists are of all regions."""
        with translated("asking who is logged in"):
            # Members of a team share its machines.
            team = self._account.get("team") or {}
            return Scope(account=str(team.get("uuid") or self._account["uuid"]))

    def caller(self) -> str:
        """Name who the token is of, by the address of mail."""
        with translated("asking who is logged in"):
            return str(self._account.get("email") or self._account["uuid"])[:_LONGEST_OWNER]

    # --- what there is to rent

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List sizes by region, the cheapest first. There are no spot machines."""
        return self._catalog.offers(needs)

    def price(self, offer: Offer) -> Price | None:
        """Say what a size costs now."""
        return self._catalog.price(offer)

    def room(self, offer: Offer) -> int | None:
        """Say how many more machines the account may have."""
        (quota,) = self.quotas()
        return max(0, int(quota.limit - quota.used))

    def quotas(self) -> Sequence[Quota]:
        """Show the one limit that there is: of droplets, in all regions together."""
        answer = self._client.ask("reading the account's limit", lambda client: client.account.get)
        with translated("reading the account's limit"):
            limit = float(answer["account"]["droplet_limit"])
        return [Quota(name="droplets", region="", limit=limit, used=self._machines.count())]

    # --- renting

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """Look for the token; if it has no machines, ask for them once, all or none."""
        if spec.offer.spot:
            raise InvalidRequest("DigitalOcean has no spot machines; write spot = false, or name another provider")
        there = self._under(token, spec.owner)
        if there:
            return exactly(there, count, terminate=self.terminate)
        keys = self._sides.ensure(spec)
        made: list[Machine] = []
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count))
            body = self._request(spec, token, [f"longshore-{token[:_TOKEN_SHOWN]}-{each}" for each in numbers], keys)
            try:
                made += self._create(f"renting {spec.offer}", body)
            except CloudUnreachable:
                raise  # there may be machines, which the next call under this token finds
            except ProviderError:
                self.terminate([machine.id for machine in made])
                raise
        return exactly(made, count, terminate=self.terminate)

    def _create(self, doing: str, body: Mapping[str, Any]) -> list[Machine]:
        answer = self._client.ask(doing, lambda client: client.droplets.create, body=body, create=True)
        with translated(doing):
            return [self._machines.read(row) for row in answer["droplets"]]

    def _under(self, token: str, owner: str) -> list[Machine]:
        return [each for each in self._machines.tagged(Tag.TOKEN, token) if each.tags.get(Tag.OWNER) == owner]

    def _request(self, spec: MachineSpec, token: str, names: list[str], keys: list[str]) -> dict[str, Any]:
        """Write the create call: it follows from the spec and the token alone."""
        image = spec.image or self._config.image
        image = IMAGES.get(image, image)
        own = imported_key(self._config)
        dressed = spec if own in {"", *spec.keys} else evolve(spec, keys=(*spec.keys, own))
        boot = first_boot(dressed, user=self._config.user, scripts=(self._config.user_data,), longest=_LONGEST_BOOT)
        tags = {**self._config.tags, **spec.tags(token), Tag.USER: self._config.user}
        body = {
            "names": names,
            "region": spec.offer.region,
            "size": spec.offer.type,
            "image": int(image) if image.isdecimal() else image,
            "ssh_keys": keys,
            "tags": [firewall_tag(spec), *as_tags(tags)],
            "user_data": boot,
            "monitoring": False,
        }
        return {**body, "vpc_uuid": self._config.network} if self._config.network else body

    # --- what we have

    def find(self, *, owner: str) -> Sequence[Machine]:
        """List the owner's machines in all regions, page after page."""
        return self._machines.tagged(Tag.OWNER, owner)

    def terminate(self, machine_ids: Collection[str]) -> None:
        """End machines."""
        self._machines.terminate(machine_ids)

    # --- abilities

    def stop(self, machine_ids: Collection[str]) -> None:
        """Power off; all of it goes on costing."""
        for each in sorted(set(machine_ids)):
            self._machines.act(each, "power_off", f"stopping {each}")

    def start(self, machine_ids: Collection[str]) -> None:
        """Power on; the address stays."""
        for each in sorted(set(machine_ids)):
            self._machines.act(each, "power_on", f"starting {each}")

    def sides_of(self, spec: MachineSpec) -> Sequence[SideResource]:
        """Name the key and the firewall of a project's machines."""
        return self._sides.named(spec)

    def find_sides(self, *, owner: str) -> Sequence[SideResource]:
        """List keys and firewalls."""
        return self._sides.find(owner)

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        """Delete side resources that nothing uses."""
        self._sides.sweep(ids, owner=owner)

    def address(self) -> str | None:
        """Ask from where we call, unless the config says who is let in."""
        return self._caller.address()

    def admit(self, address: str, *, owner: str) -> None:
        """Let the caller's new address in by SSH, and the old one no more."""
        self._sides.admit(address, owner=owner)
