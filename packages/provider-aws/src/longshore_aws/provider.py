"""The provider: machines of one AWS account, in the regions of the config."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property

from botocore.exceptions import ClientError

from longshore.errors import InvalidRequest
from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Needs, Offer, Price
from longshore.plugin.caller import ADDRESS_URL, Caller
from longshore.plugin.catalogue import Catalogue, default_folder
from longshore.plugin.launching import exactly
from longshore.plugin.pace import Pace
from longshore.plugin.provider import Quota, Scope, SpotNotice, Terms
from longshore_aws.catalog import Catalog
from longshore_aws.clients import Clients
from longshore_aws.config import AwsConfig
from longshore_aws.creation import Creation
from longshore_aws.errors import code_of, translated
from longshore_aws.firewall import Firewall
from longshore_aws.images import ImageKeeper
from longshore_aws.machines import LIVING, Machines
from longshore_aws.network import Network
from longshore_aws.quotas import Limits
from longshore_aws.sides import Sides

__all__ = ["LAUNCHES_A_SECOND", "LAUNCH_BURST", "AwsProvider"]

_ANSWER = timedelta(seconds=20)
LAUNCH_BURST, LAUNCHES_A_SECOND = 4, 2.0
"""What an account may ask of RunInstances in a region, but for one of the five at once: not all requests take equally
long to arrive (https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html).
"""
_LONGEST_OWNER = 63
_NOTICE = timedelta(minutes=2)
_HOST_KEYS = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----\r?\n(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)


class AwsProvider:
    """Rents from AWS; the laws are those of `longshore.plugin.provider`. Nothing is asked before the first call."""

    def __init__(
        self,
        config: AwsConfig,
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
        self._clients = Clients(config, answer=answer, deadline=config.deadline - 2 * answer)
        self._kept = catalogue or Catalogue(default_folder(), now=lambda: datetime.now(UTC))
        self._pace = Pace(burst=LAUNCH_BURST, per_second=LAUNCHES_A_SECOND)
        self._caller = Caller("aws", config.admit, url=address_url)
        self._firewall = Firewall(self._clients, self._caller)
        self._sides = Sides(self._clients, config, self._firewall)

    def __repr__(self) -> str:
        """Show no login."""
        return f"<AWS in {', '.join(self._config.regions) or 'the default region'}>"

    @property
    def terms(self) -> Terms:
        """What AWS is like: a machine that powers itself off is terminated, and costs no more."""
        lag = self._config.listing_lag
        return Terms(listing_lag=lag, settle=2 * lag, deadline=self._config.deadline)

    # --- who and where

    @cached_property
    def _whoami(self) -> Mapping[str, str]:
        with translated("asking who is logged in"):
            answer: Mapping[str, str] = self._clients.of("sts", self._clients.regions()[0]).get_caller_identity()
            return answer

    def scope(self) -> Scope:
        """The account of the login, in the regions of the config."""
        return Scope(account=self._whoami["Account"], regions=frozenset(self._clients.regions()))

    def caller(self) -> str:
        """Name the user or role that is logged in, with its account: the same on every computer."""
        # arn:aws:iam::1:user/path/me, arn:aws:sts::1:assumed-role/role/session, arn:aws:iam::1:root
        kind, *names = self._whoami["Arn"].split(":")[5].split("/")
        name = names[0] if kind == "assumed-role" else names[-1] if names else kind
        owner = f"{name}@{self._whoami['Account']}"
        if len(owner) <= _LONGEST_OWNER:
            return owner
        return f"{owner[: _LONGEST_OWNER - 17]}-{hashlib.sha256(owner.encode()).hexdigest()[:16]}"

    # --- what there is to rent

    @cached_property
    def _catalog(self) -> Catalog:
        account = hashlib.sha256(f"{self._config.profile}\n{self._config.endpoint_url}".encode()).hexdigest()[:16]
        return Catalog(
            self._clients,
            self._kept,
            account=account,
            disk_bytes=self._config.disk.gib << 30,
            threads=self._config.threads_per_core,
        )

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List types by zone, on demand and spot, the cheapest first; those whose price nobody tells come last."""
        return self._catalog.offers(needs, self._clients.regions())

    def price(self, offer: Offer) -> Price | None:
        """Say what an offer costs now, by the price list or the spot price history."""
        return self._catalog.price(offer)

    def room(self, offer: Offer) -> int | None:
        """Say how many more such machines the account's limits allow; None when AWS does not tell."""
        return self._limits.room(offer)

    def quotas(self) -> Sequence[Quota]:
        """List the limits of running machines, in virtual cpus."""
        return self._limits.quotas(self._clients.regions())

    @cached_property
    def _machines(self) -> Machines:
        return Machines(self._clients, self._catalog, self._config.address)

    @cached_property
    def _creation(self) -> Creation:
        return Creation(self._config, Network(self._clients, self._config), self._sides, self._catalog)

    @cached_property
    def _limits(self) -> Limits:
        return Limits(self._clients, self._catalog)

    # --- renting

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """Look for the token; if it has no machines, ask for them once, all or none."""
        return self._launch(spec, token, count, together="")

    def launch_together(self, spec: MachineSpec, *, token: str, count: int) -> Sequence[Machine]:
        """Launch machines in a placement group of their own."""
        return self._launch(spec, token, count, together=token)

    def _launch(self, spec: MachineSpec, token: str, count: int, *, together: str) -> Sequence[Machine]:
        region = spec.offer.region
        there = self._under(token, spec.owner, region)
        if there:
            return exactly(there, count, terminate=self.terminate)
        request = self._creation.request(spec, token, count, together=together)
        self._pace.wait()
        with translated(f"renting {spec.offer}"):
            try:
                rows = self._clients.of("ec2", region, create=True).run_instances(**request)["Instances"]
            except ClientError as error:
                # The token was used, by a request that named an image or group which is another one by now.
                if code_of(error) != "IdempotentParameterMismatch" or not (
                    there := self._under(token, spec.owner, region)
                ):
                    raise
                return exactly(there, count, terminate=self.terminate)
        made = [self._machines.read(row, region) for row in rows if row["State"]["Name"] in LIVING]
        return exactly(made, count, terminate=self.terminate)

    def _under(self, token: str, owner: str, region: str) -> list[Machine]:
        found = self._machines.tagged(region, {Tag.TOKEN: token, Tag.OWNER: owner})
        return [each for each in found if each.state is not MachineState.ENDING]

    # --- what we have

    def find(self, *, owner: str) -> Sequence[Machine]:
        """List the owner's machines in all regions, page after page."""
        return [machine for region in self._clients.regions() for machine in self._machines.owned(region, owner)]

    def terminate(self, machine_ids: Collection[str]) -> None:
        """End machines, in whichever region they are."""
        self._machines.terminate(machine_ids)

    # --- abilities

    def stop(self, machine_ids: Collection[str]) -> None:
        """Power off; the disk stays and costs."""
        self._power(machine_ids, "stop_instances", "stopping")

    def start(self, machine_ids: Collection[str]) -> None:
        """Power on; the address will be another one."""
        self._power(machine_ids, "start_instances", "starting")

    def _power(self, machine_ids: Collection[str], operation: str, word: str) -> None:
        by_region: dict[str, list[str]] = {}
        for machine in self._machines.named(machine_ids):
            by_region.setdefault(machine.region, []).append(machine.id)
        missing = sorted(set(machine_ids) - {each for ids in by_region.values() for each in ids})
        if missing:
            raise InvalidRequest(f"{word}: there is no machine {', '.join(missing)}")
        for region, ids in by_region.items():
            with translated(f"{word} {', '.join(ids)}"):
                getattr(self._clients.of("ec2", region), operation)(InstanceIds=ids)

    def notices(self, machine_ids: Collection[str]) -> Sequence[SpotNotice]:
        """List the spot machines that AWS has marked to be taken; each goes two minutes after."""
        notices = []
        ids = sorted(set(machine_ids))
        for region in self._clients.regions() if ids else ():
            rows = self._clients.listed(
                "looking for spot notices",
                region,
                "describe_spot_instance_requests",
                "SpotInstanceRequests",
                Filters=[{"Name": "instance-id", "Values": ids}],
            )
            for row in rows:
                status = row.get("Status", {})
                if status.get("Code") == "marked-for-termination":
                    at = status.get("UpdateTime") or datetime.now(UTC)
                    notices.append(SpotNotice(machine=row["InstanceId"], at=at + _NOTICE))
        return sorted(notices, key=lambda notice: notice.machine)

    def taken(self, machine_ids: Collection[str]) -> Collection[str]:
        """Name the spot machines that AWS has taken, by the reasons that it gives for states."""
        return self._machines.taken(machine_ids)

    def host_keys(self, machine_id: str) -> Sequence[str]:
        """Read the host keys that the machine has written to its console; AWS shows that minutes after the boot."""
        for machine in self._machines.named([machine_id]):
            with translated(f"reading the console of {machine_id}"):
                client = self._clients.of("ec2", machine.region)
                output = client.get_console_output(InstanceId=machine_id).get("Output", "")
            blocks = _HOST_KEYS.findall(output)
            if blocks:
                return [" ".join(line.split()[:2]) for line in blocks[-1].splitlines() if len(line.split()) >= 2]
        return []

    def sides_of(self, spec: MachineSpec) -> Sequence[SideResource]:
        """Name the key pair and the security group of a project's machines."""
        return self._sides.named(spec)

    def find_sides(self, *, owner: str) -> Sequence[SideResource]:
        """List key pairs, security groups, placement groups, and disks that no machine has any more."""
        return self._sides.find(owner, self._clients.regions())

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        """Delete side resources that nothing uses."""
        self._sides.sweep(ids, owner=owner, regions=self._clients.regions())

    def address(self) -> str | None:
        """Ask AWS from where we call, unless the config says who is let in."""
        return self._caller.address()

    def admit(self, address: str, *, owner: str) -> None:
        """Let the caller's new address in by SSH, and the old one no more."""
        self._firewall.admit(address, owner=owner, regions=self._clients.regions())

    @cached_property
    def _images(self) -> ImageKeeper:
        return ImageKeeper(self._clients)

    def images(self, *, owner: str) -> Sequence[SideResource]:
        """List the images that carry the owner's tag."""
        return [each for region in self._clients.regions() for each in self._images.find(region, owner)]

    def make_image(self, machine_id: str, name: str, tags: Mapping[str, str]) -> SideResource:
        """Make an image of a machine's disk, without stopping it.

        Raises:
            InvalidRequest: when there is no such machine.
        """
        for machine in self._machines.named([machine_id]):
            return self._images.make(machine, name, {**self._config.tags, **tags})
        raise InvalidRequest(f"making the image {name}: there is no machine {machine_id}")

    def delete_images(self, ids: Collection[str]) -> None:
        """Delete images and what they are kept on."""
        self._images.delete(ids)
