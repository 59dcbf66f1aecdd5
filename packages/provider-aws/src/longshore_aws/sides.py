"""What machines need beside them: a key pair and a security group, made for an owner's project, tagged, and swept."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from longshore.errors import CloudUnreachable, InvalidRequest, ProviderError
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.plugin.caller import own_address, single_address
from longshore.plugin.keys import public_key
from longshore_aws.clients import Clients
from longshore_aws.config import AwsConfig
from longshore_aws.errors import code_of, translated
from longshore_aws.tags import as_filter, as_list, as_mapping

__all__ = ["Sides", "imported_key"]

_SSH = 22
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

    def __init__(self, clients: Clients, config: AwsConfig, *, address_url: str) -> None:
        """``address_url`` answers with the caller's address as plain text."""
        self._clients = clients
        self._config = config
        self._address_url = address_url

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
            with translated("making a placement group"), _already("InvalidPlacementGroup.Duplicate"):
                self._clients.of("ec2", region, create=True).create_placement_group(
                    GroupName=f"longshore-{together}",
                    Strategy="cluster",
                    TagSpecifications=[{"ResourceType": "placement-group", "Tags": as_list(tags)}],
                )
        return self._ensure_group(spec, network, tags), name

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
        with _already("InvalidKeyPair.Duplicate"):
            client.import_key_pair(
                KeyName=name,
                PublicKeyMaterial=public.encode(),
                TagSpecifications=[{"ResourceType": "key-pair", "Tags": as_list(tags)}],
            )

    def _ensure_group(self, spec: MachineSpec, network: str, tags: Mapping[str, str]) -> str:
        region, name = spec.offer.region, group_name(spec)
        with translated("making a security group"):
            client = self._clients.of("ec2", region, create=True)
            group = self._group(region, name, network)
            if group is None:
                with _already("InvalidGroup.Duplicate"):
                    client.create_security_group(
                        GroupName=name,
                        Description="SSH from the caller, and all among the machines of one project",
                        VpcId=network,
                        TagSpecifications=[{"ResourceType": "security-group", "Tags": as_list(tags)}],
                    )
                group = self._group(region, name, network)
            if group is None:
                raise CloudUnreachable(f"the security group {name} was made and is not listed yet")
            if not group.get("IpPermissions"):
                self._let_in(region, group["GroupId"], self._admitted())
        return str(group["GroupId"])

    def _group(self, region: str, name: str, network: str) -> Mapping[str, Any] | None:
        filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [network]}]
        groups = self._clients.of("ec2", region).describe_security_groups(Filters=filters)["SecurityGroups"]
        return groups[0] if groups else None

    def _admitted(self) -> Sequence[str]:
        return self._config.admit or (single_address(self._own_address()),)

    def address(self) -> str | None:
        """Say from where we call; None when the config says who is let in.

        Raises:
            CloudUnreachable: when nobody says it.
        """
        return None if self._config.admit else self._own_address()

    def _own_address(self) -> str:
        return own_address(self._address_url, remedy="[providers.aws] admit = [...]")

    def _let_in(self, region: str, group: str, networks: Sequence[str]) -> None:
        """Let SSH in from networks, and everything from machines of the group."""
        rules = [{"IpProtocol": "tcp", "FromPort": _SSH, "ToPort": _SSH, **_range(network)} for network in networks]
        rules.append({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]})
        with _already("InvalidPermission.Duplicate"):
            self._clients.of("ec2", region, create=True).authorize_security_group_ingress(
                GroupId=group, IpPermissions=rules
            )

    def admit(self, address: str, *, owner: str, regions: Sequence[str]) -> None:
        """Let one address reach the owner's machines by SSH, and no other address any more.

        Raises:
            InvalidRequest: when it is no address.
            ProviderError: when AWS does not take it.
        """
        network = single_address(address)
        for region in regions:
            for group in self._groups(region, owner):
                stale = [rule for rule in group.get("IpPermissions", ()) if rule.get("FromPort") == _SSH]
                with translated("letting a new address in"):
                    if not any(network in _networks(rule) for rule in stale):
                        self._let_in(region, group["GroupId"], [network])
                    if stale := [rule for rule in map(_without(network), stale) if rule]:
                        self._clients.of("ec2", region).revoke_security_group_ingress(
                            GroupId=group["GroupId"], IpPermissions=stale
                        )

    def find(self, owner: str, regions: Sequence[str]) -> list[SideResource]:
        """List what carries the owner's tag."""
        return [side for region in regions for side in self._find(region, owner)]

    def _groups(self, region: str, owner: str) -> Iterator[Mapping[str, Any]]:
        return self._listed("security groups", region, owner, "describe_security_groups", "SecurityGroups")

    def _find(self, region: str, owner: str) -> Iterator[SideResource]:
        for group in self._groups(region, owner):
            yield _side(region, _GROUP, group["GroupName"], group)
        for disk in self._listed("disks", region, owner, "describe_volumes", "Volumes"):
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

    def _listed(self, what: str, region: str, owner: str, operation: str, key: str) -> Iterator[Mapping[str, Any]]:
        filters = [{"Name": f"tag:{Tag.OWNER}", "Values": [as_filter(owner)]}]
        for each in self._clients.listed(f"listing {what}", region, operation, key, Filters=filters):
            if as_mapping(each.get("Tags")).get(Tag.OWNER) == owner:
                yield each

    def sweep(self, ids: Collection[str], *, owner: str, regions: Sequence[str]) -> None:
        """Delete what is the owner's and is not used; all else stays.

        Raises:
            ProviderError: the first refusal, after all others were tried.
        """
        wanted = set(ids)
        refused: list[ProviderError] = []
        for region in regions:
            used = self._used(region)
            # Groups come first: AWS itself keeps a group that a machine uses, also a machine too young to be listed.
            sides = sorted(self._find(region, owner), key=lambda side: side.kind != _GROUP)
            grouped = {_project(side) for side in sides if side.kind == _GROUP}
            for side in sides:
                in_use = side.id in used or (side.kind == _KEY and _project(side) in grouped)
                if side.id not in wanted or in_use:
                    continue
                try:
                    if self._delete(side) and side.kind == _GROUP:
                        grouped.discard(_project(side))
                except ProviderError as error:
                    refused.append(error)
        if refused:
            raise refused[0]

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


def group_name(spec: MachineSpec) -> str:
    """Name the security group of a project's machines."""
    return f"longshore-{_digest(spec.owner, spec.ledger, spec.project)}"


def _key_name(spec: MachineSpec, key: str) -> str:
    """Name the key pair, by its key too: another key needs another pair."""
    return f"longshore-{_digest(spec.owner, spec.ledger, spec.project, key)}"


def imported_key(config: AwsConfig) -> str:
    """Give the public key that the config has imported; empty when it names none.

    Raises:
        InvalidRequest: when it cannot be read, or AWS does not take such keys.
    """
    return public_key(config.key.public_key, _KEY_KINDS)


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _range(network: str) -> dict[str, Any]:
    if ":" in network:
        return {"Ipv6Ranges": [{"CidrIpv6": network}]}
    return {"IpRanges": [{"CidrIp": network}]}


def _networks(rule: Mapping[str, Any]) -> set[str]:
    return {
        *(each["CidrIp"] for each in rule.get("IpRanges", ())),
        *(each["CidrIpv6"] for each in rule.get("Ipv6Ranges", ())),
    }


def _without(network: str) -> Any:
    """Take one network out of a rule; an empty rule when nothing else is in it."""

    def kept(rule: Mapping[str, Any]) -> dict[str, Any]:
        four = [each for each in rule.get("IpRanges", ()) if each["CidrIp"] != network]
        six = [each for each in rule.get("Ipv6Ranges", ()) if each["CidrIpv6"] != network]
        if not four and not six:
            return {}
        ends = {"IpProtocol": rule["IpProtocol"], "FromPort": rule["FromPort"], "ToPort": rule["ToPort"]}
        return {**ends, **({"IpRanges": four} if four else {}), **({"Ipv6Ranges": six} if six else {})}

    return kept


def _side(region: str, kind: str, name: str, row: Mapping[str, Any]) -> SideResource:
    return SideResource(id=f"{region}/{kind}/{name}", kind=kind, region=region, tags=as_mapping(row.get("Tags")))


@contextmanager
def _already(code: str) -> Iterator[None]:
    """Take an error that says that the thing is there for what it is: good."""
    try:
        yield
    except ClientError as error:
        if code_of(error) != code:
            raise
