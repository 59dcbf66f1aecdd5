"""The provider ``eks``: each of its machines is a cluster of AWS, with its nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from attrs import evolve
from botocore.exceptions import ClientError

from longshore.errors import CloudUnreachable, InvalidRequest, ProviderError
from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import MachineSpec, Tag
from longshore.model.offer import Needs, Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.plugin.catalogue import Catalogue, default_folder
from longshore.plugin.clusters import ClusterAccess, RegistryLogin
from longshore.plugin.launching import exactly
from longshore.plugin.provider import Scope, Terms
from longshore_aws.access import access_to, let_in
from longshore_aws.catalog import Catalog
from longshore_aws.clients import Clients
from longshore_aws.eks_config import EksConfig
from longshore_aws.errors import code_of, translated
from longshore_aws.node_groups import GONE, IN_USE, SPOT, TYPE, NodeGroups
from longshore_aws.provider import AwsProvider
from longshore_aws.repositories import Repositories

__all__ = ["CONTROL_PLANE_USD", "EksProvider"]

CONTROL_PLANE_USD = Decimal("0.10")
"""An hour of a cluster without nodes, in standard support (https://aws.amazon.com/eks/pricing/)."""
_NAME_DIGITS = 40
_ARN_PARTS = 6
_NAMELESS = "longshore-none"
_ANSWER = timedelta(seconds=20)
_ENDING = timedelta(minutes=20)
"""Nodes are drained before their cluster can go."""
_THERE = frozenset({"ACTIVE", "UPDATING"})
_STATES: Mapping[str, MachineState] = {
    "CREATING": MachineState.STARTING,
    "PENDING": MachineState.STARTING,
    "ACTIVE": MachineState.RUNNING,
    "UPDATING": MachineState.RUNNING,
    "FAILED": MachineState.IMPAIRED,
    "DELETING": MachineState.ENDING,
}


class EksProvider:
    """Rents clusters; the laws are those of `longshore.plugin.provider`. Nothing is asked before the first call."""

    def __init__(self, config: EksConfig, *, catalogue: Catalogue | None = None, answer: timedelta = _ANSWER) -> None:
        """Take the options, where to remember what is listed slowly, and how long one answer may take at most."""
        aws = config.aws
        answer = min(answer, config.deadline / 3)
        self._config = config
        self._machines = AwsProvider(aws, catalogue=catalogue, answer=answer)
        self._clients = Clients(aws, answer=answer, deadline=config.deadline - 2 * answer)
        self._kept = catalogue or Catalogue(default_folder(), now=lambda: datetime.now(UTC))
        self._groups = NodeGroups(self._clients, config)
        self._repositories = Repositories(self._clients, config.tags)

    def __repr__(self) -> str:
        """Show no login."""
        return f"<EKS in {', '.join(self._config.regions) or 'the default region'}>"

    @property
    def terms(self) -> Terms:
        """What clusters are like: nothing ends them but us, and their end takes minutes."""
        config = self._config
        return Terms(
            listing_lag=config.listing_lag,
            settle=timedelta(0),
            deadline=config.deadline,
            ending=_ENDING,
            power_off_still_costs=True,
        )

    def scope(self) -> Scope:
        """The account of the login, in the regions of the config."""
        return self._machines.scope()

    def caller(self) -> str:
        """Name who is logged in, as the provider of machines does."""
        return self._machines.caller()

    # --- what there is to rent

    @cached_property
    def _catalog(self) -> Catalog:
        account = hashlib.sha256(f"{self._config.profile}\n{self._config.endpoint_url}".encode()).hexdigest()[:16]
        disk = self._config.disk_gib << 30
        return Catalog(self._clients, self._kept, account=account, disk_bytes=disk, threads=None)

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List clusters by the type of their nodes, each of which has what is needed; all nodes count for the price."""
        dearest: dict[tuple[str, str, bool], Offer] = {}
        for node in self._catalog.offers(needs, self._clients.regions()):
            if self._config.zones and node.zone not in self._config.zones:
                continue
            key = (node.type, node.region, node.spot)
            known = dearest.get(key)
            # Nodes go to whichever zone has some; what they cost at most counts.
            if known is None or _rate(node) is None or (_rate(known) or 0) < (_rate(node) or 0):
                dearest[key] = node
        found = [self._cluster_of(node) for node in dearest.values()]
        return sorted(found, key=lambda offer: (offer.price is None, _rate(offer) or 0, offer.key))

    def _cluster_of(self, node: Offer) -> Offer:
        count, price = self._config.max_nodes, node.price
        if price is not None:
            amount = CONTROL_PLANE_USD + count * price.per_hour.amount
            source = f"{count} nodes by the {price.source}, and the control plane"
            price = Price(per_hour=Money(amount=amount, currency="USD"), source=source, at=price.at)
        return evolve(node, zone="", resources=_times(node.resources, count), price=price)

    def price(self, offer: Offer) -> Price | None:
        """Say what a cluster with all its nodes costs now."""
        same = (each for each in self.offers(Needs(type=offer.type)) if each.key == offer.key)
        return next((each.price for each in same), None)

    # --- renting

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """Begin to make clusters whose names follow from the token: a second call finds them."""
        region = spec.offer.region
        names = [_name(token, number) for number in range(count)]
        there = {each.address.rpartition("/")[2] for each in self._named(region, names)}
        missing = [name for name in names if name not in there]
        if missing:
            self._make(spec, token, missing)
        return exactly(list(self._named(region, names)), count, terminate=self.terminate)

    def _make(self, spec: MachineSpec, token: str, names: Sequence[str]) -> None:
        """Ask for clusters, all or none.

        Raises:
            InvalidRequest: when the config does not say whose rights they have.
        """
        if not self._config.role or not self._config.node_role:
            raise InvalidRequest("clusters of EKS need a role, and their nodes another one: say role and node_role")
        region = spec.offer.region
        subnets = self._subnets(region)
        client = self._clients.of("eks", region, create=True)
        request = {
            "roleArn": self._config.role,
            "resourcesVpcConfig": {"subnetIds": subnets},
            "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
            "tags": self._tags(spec, token),
        }
        if self._config.version:
            request["version"] = self._config.version
        with translated(f"renting a cluster of {spec.offer}"):
            for name in names:
                try:
                    answer = client.create_cluster(name=name, clientRequestToken=name, **request)
                    if not answer.get("cluster"):
                        raise CloudUnreachable(f"renting cluster {name}: the answer of AWS was cut off")
                except ClientError as error:
                    if code_of(error) == IN_USE:
                        continue
                    self.terminate([each.id for each in self._named(region, names)])
                    raise

    def _tags(self, spec: MachineSpec, token: str) -> dict[str, str]:
        more = {TYPE: spec.offer.type, SPOT: str(spec.offer.spot).lower()}
        return {**self._config.tags, **spec.tags(token), **more}

    def _subnets(self, region: str) -> list[str]:
        if self._config.subnets:
            return sorted(self._config.subnets)
        filters = [{"Name": "default-for-az", "Values": ["true"]}]
        if self._config.zones:
            filters.append({"Name": "availability-zone", "Values": sorted(self._config.zones)})
        rows = list(self._clients.listed("looking for subnets", region, "describe_subnets", "Subnets", Filters=filters))
        if len({row["AvailabilityZone"] for row in rows}) < 2:
            raise InvalidRequest(
                f"looking for subnets: a cluster needs them in two zones of {region}; name them by subnets = [...]"
            )
        return sorted(row["SubnetId"] for row in rows)

    # --- what we have

    def find(self, *, owner: str) -> Sequence[Machine]:
        """List the owner's clusters in all regions."""
        found = [machine for region in self._clients.regions() for machine in self._all(region)]
        return [machine for machine in found if machine.tags.get(Tag.OWNER) == owner]

    def terminate(self, machine_ids: Collection[str]) -> None:
        """End the nodes, and then, when it has none any more, the cluster: asked again until it has gone."""
        problem: ProviderError | None = None
        for arn in machine_ids:
            try:
                self._end(*self._place(arn))
            except ProviderError as error:
                problem = problem or error
        if problem is not None:
            raise problem

    def _end(self, region: str, name: str) -> None:
        if self._row(region, name, once=True) is None:
            return
        with translated(f"ending cluster {name}"):
            try:
                if self._groups.end(region, name):
                    self._clients.of("eks", region).delete_cluster(name=name)
            except ClientError as error:
                # Nodes that are on their way out, and clusters that are being made, are asked again by the next turn.
                if code_of(error) not in {GONE, IN_USE}:
                    raise

    def stop(self, machine_ids: Collection[str]) -> None:
        """Scale to no nodes; the control plane stays, and costs."""
        for arn in machine_ids:
            self._scale(arn, 0, 0)

    def start(self, machine_ids: Collection[str]) -> None:
        """Scale to all nodes again."""
        for arn in machine_ids:
            self._scale(arn, self._config.min_nodes, self._config.max_nodes)

    # --- clusters

    def access(self, address: str) -> ClusterAccess | None:
        """Say how a cluster is reached; once its control plane is there its nodes are asked for, and others let in."""
        region, name = self._place(address)
        row = self._row(region, name)
        if row is None or row["status"] not in _THERE:
            return None
        self._groups.see_to(region, row, self._config.min_nodes, self._config.max_nodes)
        with translated(f"asking for the way to cluster {name}"):
            let_in(self._clients, region, name, self._config.access)
            return access_to(self._clients, region, name, row)

    def nodes(self, address: str) -> int:
        """Say how many nodes a cluster is to have."""
        region, name = self._place(address)
        return self._groups.size(region, name) or 0

    def scale(self, address: str, nodes: int) -> None:
        """Let a cluster have so many nodes; raises InvalidRequest when it may not, or has no group of nodes yet."""
        if not 0 <= nodes <= self._config.max_nodes:
            raise InvalidRequest(f"{nodes} nodes are not from 0 to max_nodes = {self._config.max_nodes}")
        self._scale(address, min(nodes, self._config.min_nodes), nodes)

    def login(self, repository: str) -> RegistryLogin | None:
        """Let us push to a repository of ECR, which is made where there is none."""
        return self._repositories.login(repository)

    def delete_image(self, repository: str, digest: str) -> bool:
        """Delete an image of ECR, whose own protocol for that is not that of registries."""
        return self._repositories.delete_image(repository, digest)

    def _scale(self, arn: str, least: int, wanted: int) -> None:
        region, name = self._place(arn)
        row = self._row(region, name)
        if row is None or row["status"] not in _THERE:
            raise InvalidRequest(f"scaling cluster {name}: it is not there yet, or not any more")
        if not self._groups.see_to(region, row, least, wanted):
            self._groups.scale(region, name, least, wanted)

    # --- reading

    def _place(self, arn: str) -> tuple[str, str]:
        """Give region and name of a cluster; of what is no such id, a name that no cluster has."""
        parts = arn.split(":")
        if len(parts) != _ARN_PARTS:
            return self._clients.regions()[0], _NAMELESS
        return parts[3], parts[5].removeprefix("cluster/")

    def _all(self, region: str) -> Iterator[Machine]:
        names = self._clients.listed("listing clusters", region, "list_clusters", "clusters", service="eks")
        yield from self._named(region, [str(name) for name in names if str(name).startswith("longshore-")])

    def _named(self, region: str, names: Sequence[str]) -> Iterator[Machine]:
        for name in names:
            row = self._row(region, name)
            if row is not None:
                yield self._read(region, row)

    def _row(self, region: str, name: str, *, once: bool = False) -> Mapping[str, Any] | None:
        """Give what AWS says of a cluster; None when there is none. With ``once`` the SDK does not repeat itself."""
        with translated(f"looking at cluster {name}"):
            try:
                client = self._clients.of("eks", region, create=once)
                row: Mapping[str, Any] = client.describe_cluster(name=name)["cluster"]
            except ClientError as error:
                if code_of(error) == GONE:
                    return None
                raise
            return row

    def _read(self, region: str, row: Mapping[str, Any]) -> Machine:
        tags = dict(row.get("tags") or {})
        node, count = self._catalog.resources(region, tags.get(TYPE, "")), self._config.max_nodes
        state = _STATES.get(row["status"], MachineState.IMPAIRED)
        if state is MachineState.RUNNING:
            state = MachineState.STOPPED if self._groups.size(region, row["name"]) == 0 else state
        return Machine(
            id=row["arn"],
            pool=tags.get(Tag.POOL, ""),
            resources=_times(node, count) if node is not None else Resources(cpus=0.0),
            address=row["arn"],
            tags=tags,
            type=tags.get(TYPE, ""),
            region=region,
            spot=tags.get(SPOT) == "true",
            store="",
            state=state,
            born=row.get("createdAt"),
        )


def _name(token: str, number: int) -> str:
    return f"longshore-{token[:_NAME_DIGITS]}{f'-{number}' if number else ''}"


def _rate(offer: Offer) -> Decimal | None:
    return offer.price.per_hour.amount if offer.price is not None else None


def _times(node: Resources, count: int) -> Resources:
    return Resources(
        cpus=node.cpus * count,
        memory_bytes=node.memory_bytes * count,
        gpus=node.gpus * count,
        disk_bytes=node.disk_bytes * count,
    )
