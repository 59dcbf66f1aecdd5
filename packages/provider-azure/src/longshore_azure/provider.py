"""The provider: virtual machines of one subscription of Azure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from longshore.errors import CloudUnreachable, CredentialsError, InvalidRequest, ProviderError
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Needs, Offer, Price
from longshore.plugin.caller import ADDRESS_URL, Caller
from longshore.plugin.catalogue import Catalogue, default_folder
from longshore.plugin.launching import exactly
from longshore.plugin.provider import Quota, Scope, Terms
from longshore_azure.catalog import Catalog
from longshore_azure.clients import Clients
from longshore_azure.config import AzureConfig
from longshore_azure.creation import body_of
from longshore_azure.ending import Ending
from longshore_azure.errors import is_taken, translated
from longshore_azure.machines import VMS, Machines
from longshore_azure.names import machine_name
from longshore_azure.sides import Sides

__all__ = ["AzureProvider"]

_ANSWER = timedelta(seconds=30)
_PAUSE = timedelta(seconds=5)
_LONGEST_OWNER = 63
_MACHINES, _CORES, _SPOT_CORES = "virtualMachines", "cores", "lowPriorityCores"


class AzureProvider:
    """Rents from Azure; the laws are those of `longshore.plugin.provider`. Nothing is asked before the first call."""

    def __init__(
        self,
        config: AzureConfig,
        *,
        catalogue: Catalogue | None = None,
        answer: timedelta = _ANSWER,
        pause: timedelta = _PAUSE,
        address_url: str = ADDRESS_URL,
    ) -> None:
        """Take the options, where to remember what is listed slowly, how long one answer may take at most, how long to
        leave an operation alone where Azure does not say, and who says from where we call.
        """
        self._config = config
        answer = min(answer, config.deadline / 6)
        # Connecting has its time, and waiting for the answer, too.
        self._clients = Clients(config, answer=answer, deadline=config.deadline - 2 * answer, pause=pause)
        self._kept = catalogue or Catalogue(default_folder(), now=lambda: datetime.now(UTC))
        self._machines = Machines(self._clients, config.address)
        self._caller = Caller("azure", config.admit, url=address_url)
        self._sides = Sides(self._clients, self._machines, config, self._caller)
        self._ending = Ending(self._clients, config)
        self._catalog = Catalog(self._clients, self._kept, config)

    def __repr__(self) -> str:
        """Show no login."""
        return f"<Azure, {self._config.subscription or 'the subscription of AZURE_SUBSCRIPTION_ID'}>"

    @property
    def terms(self) -> Terms:
        """What Azure is like: names are unique, so that there are no duplicates; who powers itself off goes on costing
        until somebody deallocates or deletes it.
        """
        lag = self._config.listing_lag
        return Terms(listing_lag=lag, settle=lag, deadline=self._config.deadline, power_off_still_costs=True)

    # --- who and where

    def scope(self) -> Scope:
        """The subscription; its lists are of all regions."""
        return Scope(account=self._clients.subscription())

    def caller(self) -> str:
        """Name who is logged in, by the user's name or the application's id, once Azure has taken the login."""
        doing = "asking who is logged in"
        self._clients.listed(doing, "resource.resource_groups", "list")
        name = self._clients.who()
        if not name:
            raise CredentialsError(f'{doing}: the login does not tell; write owner = "..." in [providers.azure]')
        return name[:_LONGEST_OWNER]

    # --- what there is to rent

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List machine types by region, ordinary and spot, the cheapest first."""
        with self._clients.calls.one():
            return self._catalog.offers(needs)

    def price(self, offer: Offer) -> Price | None:
        """Say what a machine type costs now."""
        return self._catalog.price(offer)

    def room(self, offer: Offer) -> int | None:
        """Say how many more machines the quotas of the region allow."""
        cores = max(1.0, offer.resources.cpus)
        needed = {_MACHINES: 1.0}
        if offer.spot:
            needed[_SPOT_CORES] = cores
        else:
            needed[_CORES] = cores
            needed[self._catalog.family(offer) or _CORES] = cores
        rows = {each.name: each for each in self._quotas_of(offer.region)}
        left = [int((rows[name].limit - rows[name].used) // each) for name, each in needed.items() if name in rows]
        return max(0, min(left)) if left else None

    def quotas(self) -> Sequence[Quota]:
        """Show the limits for machines, by region."""
        with self._clients.calls.one():
            return [quota for region in self._config.regions for quota in self._quotas_of(region)]

    def _quotas_of(self, region: str) -> list[Quota]:
        doing = f"reading the quotas of {region}"
        rows = self._clients.listed(doing, "compute.usage", "list", region)
        with translated(doing):
            return [
                Quota(name=each.name.value, region=region, limit=each.limit, used=each.current_value)
                for each in rows
                if each.name.value in {_MACHINES, _CORES, _SPOT_CORES} or each.name.value.endswith("Family")
            ]

    # --- renting

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """Look for the machines by their names, which follow from the token; ask once for those that are not there."""
        with self._clients.calls.one():
            return self._launch(spec, token, count)

    def _launch(self, spec: MachineSpec, token: str, count: int) -> Sequence[Machine]:
        group = self._sides.group(spec)
        names = [f"{machine_name(spec.tags(token))}-{each}" for each in range(count)]
        there = self._there(group, names, spec, token)
        bodies = {} if there else self._bodies(names, spec, token)
        try:
            if bodies:
                self._create(f"renting {spec.offer}", group, bodies)
                there = self._there(group, names, spec, token)
            self._ending.allow([each.id for each in there])
        except CloudUnreachable:
            raise  # there may be machines, which the next call under this token finds
        except ProviderError:
            self._end_ours([f"{group}/{each}" for each in names], spec, token)
            raise
        return exactly(there, count, terminate=self.terminate)

    def _there(self, group: str, names: Sequence[str], spec: MachineSpec, token: str) -> list[Machine]:
        return [found for each in names if (found := self._ours(f"{group}/{each}", spec, token)) is not None]

    def _bodies(self, names: Sequence[str], spec: MachineSpec, token: str) -> dict[str, dict[str, object]]:
        """Write what is asked for, by name, and make what is needed around it."""
        key = self._sides.imported_key()
        around = self._sides.around(spec)
        bodies = {name: body_of(spec, self._config, around, name=name, token=token, key=key) for name in names}
        self._sides.ensure(spec)
        return bodies

    def _create(self, doing: str, group: str, bodies: dict[str, dict[str, object]]) -> None:
        """Ask for all, and wait for none before all were asked for. Azure makes each only where there is none of its
        name: one that somebody else has made is not altered.
        """
        from azure.core import MatchConditions  # noqa: PLC0415  what is remembered needs none of the SDK

        begun = []
        for name, body in bodies.items():
            try:
                operation = self._clients.begin(
                    doing,
                    VMS,
                    "begin_create_or_update",
                    group,
                    name,
                    body,
                    etag="*",
                    match_condition=MatchConditions.IfMissing,
                )
            except ProviderError as error:
                if not is_taken(error):  # else somebody under this token has just asked, too
                    raise
            else:
                begun.append(operation)
        self._clients.settled(doing, *begun)

    def _ours(self, machine_id: str, spec: MachineSpec, token: str) -> Machine | None:
        found = self._machines.named(machine_id)
        if found is not None and (found.tags.get(Tag.TOKEN), found.tags.get(Tag.OWNER)) != (token, spec.owner):
            raise InvalidRequest(f"there is a machine {found.id} that is not ours; nothing was done to it")
        return found

    def _end_ours(self, ids: Sequence[str], spec: MachineSpec, token: str) -> None:
        """End what a launch has left behind; a machine of somebody else by one of its names lives on."""
        ours = []
        for each in ids:
            try:
                found = self._ours(each, spec, token)
            except InvalidRequest:
                continue
            if found is not None:
                ours.append(found.id)
        self.terminate(ours)

    # --- what we have

    def find(self, *, owner: str) -> Sequence[Machine]:
        """List the owner's machines in all regions, page after page."""
        with self._clients.calls.one():
            return self._machines.tagged(Tag.OWNER, owner)

    def terminate(self, machine_ids: Collection[str]) -> None:
        """Delete machines, with their own disks, network interfaces and addresses."""
        with self._clients.calls.one():
            self._machines.terminate(machine_ids)

    # --- abilities

    def stop(self, machine_ids: Collection[str]) -> None:
        """Power off and deallocate; disk and address go on costing."""
        with self._clients.calls.one():
            for each in sorted(set(machine_ids)):
                self._machines.act(each, "begin_deallocate", f"stopping {each}")

    def start(self, machine_ids: Collection[str]) -> None:
        """Power on."""
        with self._clients.calls.one():
            for each in sorted(set(machine_ids)):
                self._machines.act(each, "begin_start", f"starting {each}")

    def sides_of(self, spec: MachineSpec) -> Sequence[SideResource]:
        """Name what a project's machines need beside them."""
        return self._sides.named(spec)

    def find_sides(self, *, owner: str) -> Sequence[SideResource]:
        """List side resources."""
        with self._clients.calls.one():
            return self._sides.find(owner)

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        """Delete side resources that nothing uses."""
        with self._clients.calls.one():
            self._sides.sweep(ids, owner=owner)

    def address(self) -> str | None:
        """Ask from where we call, unless the config says who is let in."""
        return self._caller.address()

    def admit(self, address: str, *, owner: str) -> None:
        """Let the caller's new address in by SSH, and the old one no more."""
        with self._clients.calls.one():
            self._sides.admit(address, owner=owner)
