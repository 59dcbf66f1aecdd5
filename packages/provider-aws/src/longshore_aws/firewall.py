"""Who may reach the machines: a security group for each project, in each network that it has machines in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from longshore.errors import CloudUnreachable
from longshore.model.machine_spec import MachineSpec, Tag
from longshore.plugin.caller import Caller, single_address
from longshore_aws.clients import Clients
from longshore_aws.errors import already, translated
from longshore_aws.tags import as_filter, as_list, as_mapping

__all__ = ["Firewall", "digest", "group_name", "owned"]

_SSH = 22


class Firewall:
    """The security groups of one account."""

    def __init__(self, clients: Clients, caller: Caller) -> None:
        """``caller`` says who is let in."""
        self._clients = clients
        self._caller = caller

    def ensure(self, spec: MachineSpec, network: str, tags: Mapping[str, str]) -> str:
        """Make the group of a project in a network, if it is not there; give its id.

        Raises:
            ProviderError: when it cannot be made.
        """
        region, name = spec.offer.region, group_name(spec)
        with translated("making a security group"):
            client = self._clients.of("ec2", region, create=True)
            group = self._group(region, name, network)
            if group is None:
                with already("InvalidGroup.Duplicate"):
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
                self._let_in(region, group["GroupId"], self._caller.networks())
        return str(group["GroupId"])

    def _group(self, region: str, name: str, network: str) -> Mapping[str, Any] | None:
        filters = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [network]}]
        groups = self._clients.of("ec2", region).describe_security_groups(Filters=filters)["SecurityGroups"]
        return groups[0] if groups else None

    def _let_in(self, region: str, group: str, networks: Sequence[str]) -> None:
        """Let SSH in from networks, and everything from machines of the group."""
        rules = [{"IpProtocol": "tcp", "FromPort": _SSH, "ToPort": _SSH, **_range(network)} for network in networks]
        rules.append({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]})
        with already("InvalidPermission.Duplicate"):
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
            for group in self.groups(region, owner):
                stale = [rule for rule in group.get("IpPermissions", ()) if rule.get("FromPort") == _SSH]
                with translated("letting a new address in"):
                    if not any(network in _networks(rule) for rule in stale):
                        self._let_in(region, group["GroupId"], [network])
                    if stale := [rule for rule in map(_without(network), stale) if rule]:
                        self._clients.of("ec2", region).revoke_security_group_ingress(
                            GroupId=group["GroupId"], IpPermissions=stale
                        )

    def groups(self, region: str, owner: str) -> Iterator[Mapping[str, Any]]:
        """List the groups that carry the owner's tag.

        Raises:
            ProviderError: when they cannot be listed.
        """
        what = "security groups"
        return owned(self._clients, what, region, owner, "describe_security_groups", "SecurityGroups")


def owned(
    clients: Clients, what: str, region: str, owner: str, operation: str, key: str
) -> Iterator[Mapping[str, Any]]:
    """List things that carry the owner's tag; all of them or an error."""
    filters = [{"Name": f"tag:{Tag.OWNER}", "Values": [as_filter(owner)]}]
    for each in clients.listed(f"listing {what}", region, operation, key, Filters=filters):
        if as_mapping(each.get("Tags")).get(Tag.OWNER) == owner:
            yield each


def group_name(spec: MachineSpec) -> str:
    """Name the security group of a project's machines."""
    return f"longshore-{digest(spec.owner, spec.ledger, spec.project)}"


def digest(*words: str) -> str:
    """Name something by words: equal words give equal names."""
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
