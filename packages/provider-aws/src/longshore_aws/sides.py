"""What machines need beside them: a key pair and a security group, made for an owner's project, tagged, and swept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from longshore.errors import InvalidRequest
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.plugin.keys import public_key
from longshore.plugin.refusals import each_of
from longshore_aws.clients import Clients
from longshore_aws.config import AwsConfig
from longshore_aws.errors import already, code_of, translated
from longshore_aws.firewall import Firewall, digest, group_name, owned
from longshore_aws.tags import as_filter, as_list, as_mapping

__all__ = ["Sides", "imported_key"]

_KEY_KINDS = ("ssh-ed25519", "ssh-rsa")
_KEY, _GROUP, _DISK, _PLACEMENT = "key-pair", "security-group", "volume", "placement-group"
_ALIVE = ["pending", "running", "stopping", "stopped"]
_IN_USE = frozenset({"DependencyViolation", "InvalidGroup.InUse", "InvalidPlacementGroup.InUse", "VolumeInUse"})
_GONE = frozenset(
    {
        "InvalidGroup.NotFound",
        "InvalidGroupId.Malformed",
        "InvalidKeyPair.NotFound",
        "InvalidVolume.NotFound",
        "InvalidPlacementGroup.Unknown",
    }
)


class Sides:
    """The side resources of one account."""

    def __init__(self, clients: Clients, config: AwsConfig, firewall: Firewall) -> None:
        """``firewall`` makes the security groups."""
        self._clients = clients
        self._config = config
        self._firewall = firewall

    def named(self, spec: MachineSpec, *, together: str = "") -> list[SideResource]:
        """Name what a spec needs; ``together`` is the token of machines that are launched close to each other."""
        tags = {**self._config.tags, **spec.owner_tags()}
        region = spec.offer.region
        kinds = {_GROUP: group_name(spec)}
        if key := self._key_to_make(spec):
            kinds[_KEY] = _key_name(spec, key)
        if together:
            kinds[_PLACEMENT] = f"longshore-{together}"
        return [
            SideResource(id=f"{region}/{kind}/{name}", kind=kind, region=region, tags=tags)
            for kind, name in sorted(kinds.items())
        ]

    def ensure(self, spec: MachineSpec, network: str, *, together: str = "") -> tuple[str, str]:
        """Make what is missing in a network (its id); give the id of the security group and the name of the key pair.

        Raises:
            ProviderError: when something cannot be made.
        """
        region = spec.offer.region
        tags = {**self._config.tags, **spec.owner_tags()}
        name = self._config.key.name
        if name:
            self._check_key(region, name)
        elif public := self._key_to_make(spec):
            name = _key_name(spec, public)
            with translated("making a key pair"):
                self._make_key(region, name, public, tags)
        if together:
            with translated("making a placement group"), already("InvalidPlacementGroup.Duplicate"):
                self._clients.of("ec2", region, create=True).create_placement_group(
                    GroupName=f"longshore-{together}",
                    Strategy="cluster",
                    TagSpecifications=[{"ResourceType": "placement-group", "Tags": as_list(tags)}],
                )
        return self._firewall.ensure(spec, network, tags), name

    def _key_to_make(self, spec: MachineSpec) -> str:
        """Give the public key of the pair that a spec needs; empty when it needs none of ours."""
        if self._config.key.create:
            return spec.keys[0] if spec.keys else ""
        return imported_key(self._config)

    def _check_key(self, region: str, name: str) -> None:
        with translated(f"looking for the key pair {name}"):
            filters = [{"Name": "key-name", "Values": [as_filter(name)]}]
            pairs = self._clients.of("ec2", region).describe_key_pairs(Filters=filters)["KeyPairs"]
        if not any(pair["KeyName"] == name for pair in pairs):
            raise InvalidRequest(
                f"there is no key pair {name!r} in {region}; they differ from region to region: import it there, or "
                'write key = { public_key = "~/.ssh/id_ed25519.pub" } in [providers.aws]'
            )

    def _make_key(self, region: str, name: str, public: str, tags: Mapping[str, str]) -> None:
        client = self._clients.of("ec2", region, create=True)
        filters = [{"Name": "key-name", "Values": [name]}]
        if client.describe_key_pairs(Filters=filters)["KeyPairs"]:
            return
        with already("InvalidKeyPair.Duplicate"):
            client.import_key_pair(
                KeyName=name,
                PublicKeyMaterial=public.encode(),
                TagSpecifications=[{"ResourceType": "key-pair", "Tags": as_list(tags)}],
            )

    def find(self, owner: str, regions: Sequence[str]) -> list[SideResource]:
        """List what carries the owner's tag."""
        return [side for region in regions for side in self._find(region, owner)]

    def _find(self, region: str, owner: str) -> Iterator[SideResource]:
        for group in self._firewall.groups(region, owner):
            yield _side(region, _GROUP, group["GroupName"], group)
        for disk in owned(self._clients, "disks", region, owner, "describe_volumes", "Volumes"):
            if disk["State"] == "available":  # the others go with their machine
                yield _side(region, _DISK, disk["VolumeId"], disk)
        # These two are listed whole, without pages.
        filters = [{"Name": f"tag:{Tag.OWNER}", "Values": [as_filter(owner)]}]
        with translated("listing key pairs"):
            keys = self._clients.of("ec2", region).describe_key_pairs(Filters=filters)["KeyPairs"]
        for key in keys:
            if as_mapping(key.get("Tags")).get(Tag.OWNER) == owner:
                yield _side(region, _KEY, key["KeyName"], key)
        with translated("listing placement groups"):
            placements = self._clients.of("ec2", region).describe_placement_groups(Filters=filters)["PlacementGroups"]
        for group in placements:
            if as_mapping(group.get("Tags")).get(Tag.OWNER) == owner:
                yield _side(region, _PLACEMENT, group["GroupName"], group)

    def sweep(self, ids: Collection[str], *, owner: str, regions: Sequence[str]) -> None:
        """Delete what is the owner's and is not used; all else stays.

        Raises:
            ProviderError: the first refusal, after all others were tried.
        """
        wanted = set(ids)
        each_of(regions, lambda region: self._sweep(region, wanted, owner))

    def _sweep(self, region: str, wanted: Collection[str], owner: str) -> None:
        used = self._used(region)
        # Groups come first: AWS itself keeps a group that a machine uses, also a machine too young to be listed.
        sides = sorted(self._find(region, owner), key=lambda side: side.kind != _GROUP)
        grouped = {_project(side) for side in sides if side.kind == _GROUP}

        def delete(side: SideResource) -> None:
            in_use = side.id in used or (side.kind == _KEY and _project(side) in grouped)
            if side.id in wanted and not in_use and self._delete(side) and side.kind == _GROUP:
                grouped.discard(_project(side))

        each_of(sides, delete)

    def _used(self, region: str) -> set[str]:
        """Name what living machines use, whoever's they are."""
        filters = [{"Name": "instance-state-name", "Values": _ALIVE}]
        used: set[str] = set()
        for reservation in self._clients.listed(
            "listing who uses what", region, "describe_instances", "Reservations", Filters=filters
        ):
            for machine in reservation["Instances"]:
                used.add(f"{region}/{_KEY}/{machine.get('KeyName', '')}")
                used.add(f"{region}/{_PLACEMENT}/{machine.get('Placement', {}).get('GroupName', '')}")
                groups = list(machine.get("SecurityGroups", ()))
                for interface in machine.get("NetworkInterfaces", ()):
                    groups += interface.get("Groups", ())
                used |= {f"{region}/{_GROUP}/{group['GroupName']}" for group in groups}
        return used

    def _delete(self, side: SideResource) -> bool:
        """Delete it if nothing uses it; say whether it is gone."""
        region, kind, name = side.id.split("/", 2)
        with translated(f"deleting {kind} {name}"):
            client = self._clients.of("ec2", region)
            try:
                if kind == _KEY:
                    client.delete_key_pair(KeyName=name)
                elif kind == _DISK:
                    client.delete_volume(VolumeId=name)
                elif kind == _PLACEMENT:
                    client.delete_placement_group(GroupName=name)
                else:
                    filters = [{"Name": "group-name", "Values": [name]}]
                    for group in client.describe_security_groups(Filters=filters)["SecurityGroups"]:
                        if as_mapping(group.get("Tags")).get(Tag.OWNER) == side.tags.get(Tag.OWNER):
                            client.delete_security_group(GroupId=group["GroupId"])
            except ClientError as error:
                if code_of(error) in _IN_USE:
                    return False
                if code_of(error) not in _GONE:
                    raise
        return True


def _project(side: SideResource) -> tuple[str, ...]:
    """Say what a side resource was made for: all that one project's machines share goes together."""
    return tuple(side.tags.get(tag, "") for tag in (Tag.OWNER, Tag.LEDGER, Tag.PROJECT))


def _key_name(spec: MachineSpec, key: str) -> str:
    """Name the key pair, by its key too: another key needs another pair."""
    return f"longshore-{digest(spec.owner, spec.ledger, spec.project, key)}"


def imported_key(config: AwsConfig) -> str:
    """Give the public key that the config has imported; empty when it names none.

    Raises:
        InvalidRequest: when it cannot be read, or AWS does not take such keys.
    """
    return public_key(config.key.public_key, _KEY_KINDS)


def _side(region: str, kind: str, name: str, row: Mapping[str, Any]) -> SideResource:
    return SideResource(id=f"{region}/{kind}/{name}", kind=kind, region=region, tags=as_mapping(row.get("Tags")))
