"""The machines of the account: listed, read, and ended."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from attrs import evolve
from botocore.exceptions import ClientError

from longshore.errors import ProviderError
from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import Tag, login_address
from longshore.model.resources import Resources
from longshore.plugin.refusals import each_of
from longshore_aws.catalog import Catalog
from longshore_aws.clients import Clients
from longshore_aws.config import Address
from longshore_aws.errors import code_of, translated
from longshore_aws.tags import as_filter, as_mapping

__all__ = ["LIVING", "Machines"]

_STATES: Mapping[str, MachineState] = {
    "pending": MachineState.STARTING,
    "running": MachineState.RUNNING,
    "stopping": MachineState.STOPPED,
    "stopped": MachineState.STOPPED,
    "shutting-down": MachineState.ENDING,
}
LIVING = ("pending", "running", "stopping", "stopped")
"""EC2's words for machines that may cost something."""
_MACHINE_ID = re.compile(r"i-[0-9a-f]{1,17}")
_UNKNOWN_IDS = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})
_TAKEN = frozenset({"Server.SpotInstanceShutdown", "Server.SpotInstanceTermination"})
"""EC2's reasons of states that come of its own need (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html)."""
_PAGE = 100
_ADDRESSES: Mapping[Address, Callable[[Mapping[str, Any]], Any]] = {
    "public": lambda row: row.get("PublicIpAddress"),
    "private": lambda row: row.get("PrivateIpAddress"),
    "id": lambda row: row["InstanceId"],
}


class Machines:
    """Asks EC2 about machines. Any thread may ask."""

    def __init__(self, clients: Clients, catalog: Catalog, address: Address) -> None:
        """The catalogue says what a machine of a type has; ``address`` by which of its addresses it is reached."""
        self._clients = clients
        self._catalog = catalog
        self._address = address

    def owned(self, region: str, owner: str) -> list[Machine]:
        """List the owner's machines of a region, those that are ending too; with what AWS's own checks say of them.

        Raises:
            ProviderError: when the list cannot be had whole.
        """
        machines = self.tagged(region, {Tag.OWNER: owner})
        if not any(each.state is MachineState.RUNNING for each in machines):
            return machines
        impaired = self._impaired(region)
        return [
            evolve(each, state=MachineState.IMPAIRED)
            if each.id in impaired and each.state is MachineState.RUNNING
            else each
            for each in machines
        ]

    def _impaired(self, region: str) -> set[str]:
        """Name the machines of the account that fail a check: of their own, or of the computer that they are on."""
        return {
            row["InstanceId"]
            for check in ("instance-status", "system-status")
            for row in self._clients.listed(
                "looking at the checks of machines",
                region,
                "describe_instance_status",
                "InstanceStatuses",
                Filters=[{"Name": f"{check}.status", "Values": ["impaired"]}],
            )
        }

    def tagged(self, region: str, tags: Mapping[Tag, str]) -> list[Machine]:
        """List the machines of a region that have all these tags; those that are ending too.

        Raises:
            ProviderError: when the list cannot be had whole.
        """
        rows = self._clients.listed(
            "listing machines",
            region,
            "describe_instances",
            "Reservations",
            Filters=[
                *({"Name": f"tag:{key}", "Values": [as_filter(value)]} for key, value in tags.items()),
                {"Name": "instance-state-name", "Values": list(_STATES)},
            ],
            PaginationConfig={"PageSize": _PAGE},
        )
        machines = [self.read(row, region) for reservation in rows for row in reservation["Instances"]]
        # Filters know wildcards, and not all that speaks EC2's protocol minds capitals.
        return [each for each in machines if all(each.tags.get(key) == value for key, value in tags.items())]

    def read(self, row: Mapping[str, Any], region: str) -> Machine:
        """Read one machine as EC2 describes it."""
        tags = as_mapping(row.get("Tags"))
        options = row.get("CpuOptions", {})
        cpus = options.get("CoreCount", 0) * options.get("ThreadsPerCore", 0)
        return Machine(
            id=row["InstanceId"],
            pool=tags.get(Tag.POOL, ""),
            resources=self._resources(region, row["InstanceType"], cpus),
            address=login_address(str(_ADDRESSES[self._address](row) or ""), tags),
            tags=tags,
            type=row["InstanceType"],
            region=region,
            zone=row.get("Placement", {}).get("AvailabilityZone", ""),
            spot=row.get("InstanceLifecycle") == "spot",
            state=_STATES.get(row["State"]["Name"], MachineState.ENDING),
        )

    def _resources(self, region: str, kind: str, cpus: int) -> Resources:
        """Say what a machine has: by the catalogue, or by what the list itself says when that cannot be had."""
        try:
            known = self._catalog.resources(region, kind)
        except ProviderError:
            known = None
        return known or Resources(cpus=float(cpus or 1))

    def taken(self, machine_ids: Collection[str]) -> list[str]:
        """Name those that AWS has ended because it wanted them back. It shows machines for an hour after their end.

        Raises:
            ProviderError: when AWS cannot be asked.
        """
        ids = sorted(set(machine_ids))
        taken: list[str] = []
        for region in self._clients.regions() if ids else ():
            rows = self._clients.listed(
                "looking why machines have ended",
                region,
                "describe_instances",
                "Reservations",
                Filters=[{"Name": "instance-id", "Values": ids}],
            )
            instances = [row for reservation in rows for row in reservation["Instances"]]
            taken += [row["InstanceId"] for row in instances if row.get("StateReason", {}).get("Code") in _TAKEN]
        return sorted(taken)

    def terminate(self, machine_ids: Collection[str]) -> None:
        """End machines, in whichever region they are; silent for unknown ones.

        Raises:
            ProviderError: the first refusal, after all others were tried.
        """
        left = {each for each in machine_ids if _MACHINE_ID.fullmatch(each)}
        each_of(self._clients.regions(), lambda region: self._terminate(region, left))

    def _terminate(self, region: str, left: set[str]) -> None:
        """End those that are in a region and take them off the list; one by one when they cannot be ended together."""
        try:
            left -= self._end(region, left)
        except ProviderError:
            if len(left) > 1:
                each_of(sorted(left), lambda each: left.difference_update(self._end(region, {each})))
            raise

    def _end(self, region: str, ids: Collection[str]) -> set[str]:
        """End machines, and say which were there."""
        wanted = set(ids)
        with translated(f"ending {', '.join(sorted(ids))}"):
            while wanted:
                try:
                    self._clients.of("ec2", region, create=True).terminate_instances(InstanceIds=sorted(wanted))
                except ClientError as error:
                    unknown = set(_MACHINE_ID.findall(str(error))) & wanted
                    if code_of(error) not in _UNKNOWN_IDS or not unknown:
                        raise
                    wanted -= unknown
                else:
                    return wanted
        return set()

    def named(self, machine_ids: Collection[str]) -> list[Machine]:
        """List those of these machines that live, in whichever region they are; nothing for unknown ids."""
        ids = sorted(set(machine_ids))
        found: list[Machine] = []
        for region in self._clients.regions() if ids else ():
            rows = self._clients.listed(
                "looking at machines",
                region,
                "describe_instances",
                "Reservations",
                Filters=[
                    {"Name": "instance-id", "Values": ids},
                    {"Name": "instance-state-name", "Values": list(LIVING)},
                ],
            )
            found += [self.read(row, region) for reservation in rows for row in reservation["Instances"]]
        return found
