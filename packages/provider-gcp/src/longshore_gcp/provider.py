"""The provider: instances of one project of Google Cloud."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.errors import CloudUnreachable, CredentialsError, InvalidRequest, ProviderError
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Needs, Offer, Price
from longshore.plugin.caller import ADDRESS_URL, Caller
from longshore.plugin.catalogue import Catalogue, default_folder
from longshore.plugin.launching import exactly
from longshore.plugin.provider import Quota, Scope, Terms
from longshore_gcp.catalog import Catalog
from longshore_gcp.clients import Clients
from longshore_gcp.config import GcpConfig
from longshore_gcp.creation import body_of
from longshore_gcp.errors import is_taken, translated
from longshore_gcp.labels import digest
from longshore_gcp.machines import Machines, region_of
from longshore_gcp.quotas import metrics, used_by
from longshore_gcp.sides import Sides

__all__ = ["GcpProvider"]

_ANSWER = timedelta(seconds=20)
_LONGEST_OWNER = 63
_REQUESTS = uuid.UUID("7f0e5b0c-5d0a-4c36-9a3e-0d6f1f2c9a11")
"""Names of requests are made in this space."""


class GcpProvider:
    """Rents from Google Cloud; the laws are those of `longshore.plugin.provider`. Nothing is asked before the first
    call.
    """

    def __init__(
        self,
        config: GcpConfig,
        *,
        catalogue: Catalogue | None = None,
        answer: timedelta = _ANSWER,
        address_url: str = ADDRESS_URL,
    ) -> None:
        """Take the options, where to remember what is listed slowly, how long one answer may take at most, and who says
        from where we call.
        """
        self._config = config
        answer = min(answer, config.deadline / 4)
        self._clients = Clients(config, answer=answer, deadline=config.deadline - 3 * answer)
        self._kept = catalogue or Catalogue(default_folder(), now=lambda: datetime.now(UTC))
        self._machines = Machines(self._clients, config.address, f"{config.regions[0]}-a")
        self._caller = Caller("gcp", config.admit, url=address_url)
        self._sides = Sides(self._clients, self._machines, config, self._caller)
        self._catalog = Catalog(self._clients, self._kept, config)

    def __repr__(self) -> str:
        """Show no login."""
        return f"<Google Cloud, {self._config.project or 'the project that is logged in to'}>"

    @property
    def terms(self) -> Terms:
        """What Google is like: names are unique, so that there are no duplicates; who is off costs its disk alone."""
        lag = self._config.listing_lag
        return Terms(listing_lag=lag, settle=lag, deadline=self._config.deadline)

    # --- who and where

    def scope(self) -> Scope:
        """The project; its lists are of all zones."""
        return Scope(account=self._clients.project())

    def caller(self) -> str:
        """Name who is logged in, by the address of mail, once Google has taken the login."""
        doing = "asking who is logged in"
        self._clients.ask(doing, "Projects", "get", project=self._clients.project())
        email = self._clients.email()
        if not email:
            raise CredentialsError(f'{doing}: the login does not tell; write owner = "..." in [providers.gcp]')
        return email[:_LONGEST_OWNER]

    # --- what there is to rent

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List machine types by zone, ordinary and spot, the cheapest first."""
        return self._catalog.offers(needs)

    def price(self, offer: Offer) -> Price | None:
        """Say what a machine type costs now."""
        return self._catalog.price(offer)

    def room(self, offer: Offer) -> int | None:
        """Say how many more machines the quotas of the region allow."""
        needed = used_by(offer)
        rows = {each.name: each for each in self._quotas_of(offer.region)}
        left = [int((rows[name].limit - rows[name].used) // each) for name, each in needed.items() if name in rows]
        return max(0, min(left)) if left else None

    def quotas(self) -> Sequence[Quota]:
        """Show the limits for machines, by region."""
        return [quota for region in self._config.regions for quota in self._quotas_of(region)]

    def _quotas_of(self, region: str) -> list[Quota]:
        doing = f"reading the quotas of {region}"
        found = self._clients.ask(doing, "Regions", "get", project=self._clients.project(), region=region)
        with translated(doing):
            return [
                Quota(name=each.metric, region=region, limit=each.limit, used=each.usage)
                for each in found.quotas
                if metrics(each.metric)
            ]

    # --- renting

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """Look for the machines by their names, which follow from the token; ask once for those that are not there."""
        zone = spec.offer.zone
        if not zone or region_of(zone) != spec.offer.region:
            raise InvalidRequest(f"Google rents by zone, and {spec.offer} names none; choose one of `longshore offers`")
        names = [f"longshore-{digest(spec.owner, spec.ledger, token)}-{each}" for each in range(count)]
        there = [machine for name in names if (machine := self._ours(name, spec, token)) is not None]
        if there:
            return exactly(there, count, terminate=self.terminate)
        key = self._sides.imported_key()
        self._sides.ensure(spec)
        body = body_of(spec, self._config, token=token, key=key, project=self._clients.project())
        try:
            self._create(spec, names, body)
            made = [self._ours(name, spec, token) for name in names]
        except CloudUnreachable:
            raise  # there may be machines, which the next call under this token finds
        except ProviderError:
            self.terminate([f"{name}.{zone}" for name in names])
            raise
        return exactly([each for each in made if each is not None], count, terminate=self.terminate)

    def _create(self, spec: MachineSpec, names: Sequence[str], body: Mapping[str, Any]) -> None:
        """Ask for all, and wait for none before all were asked for."""
        doing = f"renting {spec.offer}"
        begun = []
        for name in names:
            try:
                operation = self._clients.ask(
                    doing,
                    "Instances",
                    "insert_unary",
                    project=self._clients.project(),
                    zone=spec.offer.zone,
                    instance_resource={**body, "name": name},
                    request_id=str(uuid.uuid5(_REQUESTS, f"{self._clients.project()}/{spec.offer.zone}/{name}")),
                )
            except ProviderError as error:
                if not is_taken(error):  # else somebody under this token has just asked, too
                    raise
            else:
                begun.append(operation)
        for operation in begun:
            self._clients.settled(doing, operation, zone=spec.offer.zone)

    def _ours(self, name: str, spec: MachineSpec, token: str) -> Machine | None:
        found = self._machines.named(name, spec.offer.zone)
        if found is not None and (found.tags.get(Tag.TOKEN), found.tags.get(Tag.OWNER)) != (token, spec.owner):
            raise InvalidRequest(f"there is a machine {found.id} that is not ours; nothing was done to it")
        return found

    # --- what we have

    def find(self, *, owner: str) -> Sequence[Machine]:
        """List the owner's machines in all zones, page after page."""
        return self._machines.tagged(Tag.OWNER, owner)

    def terminate(self, machine_ids: Collection[str]) -> None:
        """Delete machines, with their disks."""
        self._machines.terminate(machine_ids)

    # --- abilities

    def stop(self, machine_ids: Collection[str]) -> None:
        """Power off; the disk goes on costing."""
        for each in sorted(set(machine_ids)):
            self._machines.act(each, "stop_unary", f"stopping {each}")

    def start(self, machine_ids: Collection[str]) -> None:
        """Power on; the address may be another one."""
        for each in sorted(set(machine_ids)):
            self._machines.act(each, "start_unary", f"starting {each}")

    def sides_of(self, spec: MachineSpec) -> Sequence[SideResource]:
        """Name the firewall rules of a project's machines."""
        return self._sides.named(spec)

    def find_sides(self, *, owner: str) -> Sequence[SideResource]:
        """List firewall rules."""
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

    def host_keys(self, machine_id: str) -> Sequence[str]:
        """Give the keys that the machine's guest agent has shown at its boot."""
        doing = f"asking for the host keys of {machine_id}"
        place = self._machines.place(machine_id)
        found = self._clients.look(doing, "Instances", "get_guest_attributes", query_path="hostkeys/", **place)
        with translated(doing):
            return [] if found is None else [f"{each.key} {each.value}" for each in found.query_value.items]
