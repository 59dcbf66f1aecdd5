"""What machines need beside them, made for an owner's project, and swept: a resource group, a network security group
and a network. A group that the config names is used, and never deleted. What is a machine's own goes with it, and is
swept where Azure has left it behind: after a launch that failed half-way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from longshore.errors import InvalidRequest, ProviderError
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.plugin.caller import Caller, single_address
from longshore.plugin.keys import public_key
from longshore.plugin.refusals import each_of
from longshore_azure.clients import Clients
from longshore_azure.config import AzureConfig
from longshore_azure.creation import Around
from longshore_azure.errors import is_gone, is_used, translated
from longshore_azure.machines import Machines
from longshore_azure.names import FOR, association, group_of, last, machine_name

__all__ = ["Sides", "own_of", "side_of"]

_GROUP, _FIREWALL, _NETWORK = "group", "firewall", "network"
_TYPES = {
    "microsoft.network/networksecuritygroups": _FIREWALL,
    "microsoft.network/virtualnetworks": _NETWORK,
}
_NIC, _ADDRESS, _DISK = "nic", "address", "disk"
_OWN = {
    "microsoft.network/networkinterfaces": _NIC,
    "microsoft.network/publicipaddresses": _ADDRESS,
    "microsoft.compute/disks": _DISK,
}
"""What is a machine's own; it has the machine's name, and this word."""
_OPERATIONS = {
    _NIC: "network.network_interfaces",
    _ADDRESS: "network.public_ip_addresses",
    _DISK: "compute.disks",
    _FIREWALL: "network.network_security_groups",
    _NETWORK: "network.virtual_networks",
}
"""Who deletes them, in the order in which they can be deleted."""
_GROUPS = "resource.resource_groups"
_KEY_KINDS = ("ssh-ed25519", "ssh-rsa")
_SSH_RULE = "ssh"
_ADDRESSES, _INSIDE = "10.0.0.0/16", "10.0.0.0/20"
_LISTING = "listing side resources"


class Sides:
    """The side resources of one subscription."""

    def __init__(self, clients: Clients, machines: Machines, config: AzureConfig, caller: Caller) -> None:
        """``caller`` says who is let in."""
        self._clients = clients
        self._machines = machines
        self._config = config
        self._caller = caller

    def group(self, spec: MachineSpec) -> str:
        """Name the resource group that a spec's machines are in."""
        return (self._config.resource_group or association(spec.owner_tags())).lower()

    def named(self, spec: MachineSpec) -> list[SideResource]:
        """Name what a spec needs."""
        group, name = self.group(spec), _name(spec)
        sides = [f"{kind}/{group}/{name}" for kind in self._kinds()]
        if not self._config.resource_group:
            sides.append(f"{_GROUP}/{group}")
        return [SideResource(id=each, kind=each.partition("/")[0], tags=spec.owner_tags()) for each in sides]

    def _kinds(self) -> Sequence[str]:
        return (_FIREWALL,) if self._config.subnet else (_FIREWALL, _NETWORK)

    def around(self, spec: MachineSpec) -> Around:
        """Say what a machine is put into. Asks nobody."""
        place = f"/subscriptions/{self._clients.subscription()}/resourceGroups/{self.group(spec)}"
        firewall = f"{place}/providers/Microsoft.Network/networkSecurityGroups/{_name(spec)}"
        network = f"{place}/providers/Microsoft.Network/virtualNetworks/{_name(spec)}/subnets/inside"
        return Around(firewall=firewall, subnet=self._config.subnet or network)

    def ensure(self, spec: MachineSpec) -> None:
        """Make what is missing.

        Raises:
            InvalidRequest: when something of that name is not ours.
            ProviderError: when something cannot be made.
        """
        group = self.group(spec)
        if not self._config.resource_group and not self._is_there(_GROUPS, spec, group):
            body = {"location": self._config.regions[0], "tags": spec.owner_tags()}
            self._clients.ask("making a resource group", _GROUPS, "create_or_update", group, body)
        begun = [operation for kind in self._kinds() if (operation := self._make(kind, spec)) is not None]
        self._clients.settled("making a firewall and a network", *begun)

    def _make(self, kind: str, spec: MachineSpec) -> Any | None:
        place = (self.group(spec), _name(spec))
        if self._is_there(_OPERATIONS[kind], spec, *place):
            return None
        properties = self._firewall() if kind == _FIREWALL else _network()
        body = {"location": spec.offer.region, "tags": spec.owner_tags(), "properties": properties}
        return self._clients.begin(f"making a {kind}", _OPERATIONS[kind], "begin_create_or_update", *place, body)

    def _is_there(self, what: str, spec: MachineSpec, *place: str) -> bool:
        doing = f"looking for {'/'.join(place)}"
        row = self._clients.look(doing, what, *place)
        with translated(doing):
            if row is not None and _whose(row.tags or {}) != _whose(spec.owner_tags()):
                raise InvalidRequest(f"there is {'/'.join(place)} already, and it is not ours; nothing was done to it")
        return row is not None

    def _firewall(self) -> dict[str, Any]:
        # What machines of one network say to each other is let in by a rule that Azure has in all groups.
        return {"securityRules": [{"name": _SSH_RULE, "properties": _ssh(self._caller.networks())}]}

    def imported_key(self) -> str:
        """Give the public key that the config names besides the executor's; empty when it names none.

        Raises:
            InvalidRequest: when it cannot be read, or the subscription has none of that name.
        """
        name = self._config.key.name
        if not name:
            return public_key(self._config.key.public_key, _KEY_KINDS)
        doing = "looking for a key"
        rows = self._clients.listed(doing, "compute.ssh_public_keys", "list_by_subscription")
        with translated(doing):
            keys = {row.public_key for row in rows if last(row.id) == name.lower()}
        if len(keys) != 1:
            raise InvalidRequest(
                f"the subscription has {'several keys' if keys else 'no key'} of the name {name!r}; "
                'write key = { public_key = "~/.ssh/id_ed25519.pub" } in [providers.azure]'
            )
        return public_key(str(keys.pop()).strip(), _KEY_KINDS)

    # --- who is let in

    def admit(self, address: str, *, owner: str) -> None:
        """Let one address reach the owner's machines by SSH, and no other address any more.

        Raises:
            InvalidRequest: when it is no address.
            ProviderError: when Azure does not take it.
        """
        rule = {"properties": _ssh([single_address(address)])}
        doing = "letting a new address in"
        begun = [
            self._clients.begin(
                doing, "network.security_rules", "begin_create_or_update", *_place(side), _SSH_RULE, rule
            )
            for side in self._shared(self._rows(owner), owner)
            if side.kind == _FIREWALL
        ]
        self._clients.settled(doing, *begun)

    # --- clean-up

    def find(self, owner: str) -> list[SideResource]:
        """List what was made for an owner, with what is left of machines that there are no more."""
        rows = self._rows(owner)
        with translated(_LISTING):
            own = [found for row in rows if (found := own_of(row.id, row.type or "", row.tags or {})) is not None]
        gone = self._machines.missing({machine for machine, _ in own})
        return [*self._shared(rows, owner), *(side for machine, side in own if machine in gone)]

    def _shared(self, rows: Iterable[Any], owner: str) -> list[SideResource]:
        with translated(_LISTING):
            sides = [side_of(row.id, row.type or "", row.tags or {}) for row in rows]
        return [side for side in sides if side is not None and side.tags.get(Tag.OWNER) == owner]

    def _rows(self, owner: str) -> list[Any]:
        quoted = owner.replace("'", "''")
        only = f"tagName eq '{Tag.OWNER}' and tagValue eq '{quoted}'"
        return [
            row
            for what in ("resource.resources", _GROUPS)
            for row in self._clients.listed(_LISTING, what, "list", filter=only)
            # Azure does not tell small letters from capitals.
            if (row.tags or {}).get(Tag.OWNER) == owner
        ]

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        """Delete what is the owner's and is not used, after what machines have left in it; all else stays.

        Raises:
            ProviderError: the first refusal, after all others were tried.
        """
        found = self.find(owner)
        wanted = [side for side in found if side.id in set(ids)]
        used = {_whose(each.tags) for each in self._machines.tagged(Tag.OWNER, owner)} if wanted else set()
        projects = {_whose(side.tags) for side in wanted}
        left = [side for side in found if side.kind in _OWN.values() and _whose(side.tags) in projects]
        unused = [side for side in wanted if side not in left and _whose(side.tags) not in used]
        # A group comes last: it is deleted with all that is in it, so that there must be nothing.
        order = [*_OPERATIONS, _GROUP]
        each_of(sorted([*left, *unused], key=lambda side: order.index(side.kind)), self._delete)

    def _delete(self, side: SideResource) -> None:
        doing = f"deleting a {side.kind}"
        place = _place(side)
        try:
            if side.kind != _GROUP:
                operation = self._clients.begin(doing, _OPERATIONS[side.kind], "begin_delete", *place)
                self._clients.settled(doing, operation)
            elif not self._clients.listed(doing, "resource.resources", "list_by_resource_group", *place):
                self._clients.ask(doing, _GROUPS, "begin_delete", *place, polling=False)
        except ProviderError as error:
            # Lists may be late, and a machine there: Azure itself says so, and a group with its things stays.
            if not is_gone(error) and not is_used(error):
                raise


def side_of(resource_id: str, kind: str, tags: Mapping[str, str]) -> SideResource | None:
    """Read a resource, whoever's, as Azure lists it; None for a kind that is no side resource. One that is not ours has
    no tags.
    """
    name = last(resource_id)
    side = _TYPES.get(kind.lower())
    if side is None and kind.lower() != "microsoft.resources/resourcegroups":
        return None
    ours = all(tag in tags for tag in FOR) and name.startswith(association(tags))
    where = f"{side}/{group_of(resource_id)}/{name}" if side else f"{_GROUP}/{name}"
    return SideResource(id=where, kind=side or _GROUP, tags=tags if ours else {})


def own_of(resource_id: str, kind: str, tags: Mapping[str, str]) -> tuple[str, SideResource] | None:
    """Read what is a machine's own, with the machine's id; None for all that no machine of ours was made with."""
    word = _OWN.get(kind.lower())
    machine, _, last_word = last(resource_id).rpartition("-")
    if word is None or word != last_word or not machine.startswith(f"{machine_name(tags)}-"):
        return None
    group = group_of(resource_id)
    return f"{group}/{machine}", SideResource(id=f"{word}/{group}/{last(resource_id)}", kind=word, tags=tags)


def _place(side: SideResource) -> tuple[str, ...]:
    return tuple(side.id.split("/")[1:])


def _name(spec: MachineSpec) -> str:
    return f"{association(spec.owner_tags())}-{spec.offer.region}"


def _whose(tags: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(tags.get(tag, "") for tag in FOR)


def _ssh(admitted: Collection[str]) -> dict[str, Any]:
    return {
        "priority": 1000,
        "direction": "Inbound",
        "access": "Allow",
        "protocol": "Tcp",
        "sourceAddressPrefixes": list(admitted),
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "22",
    }


def _network() -> dict[str, Any]:
    return {
        "addressSpace": {"addressPrefixes": [_ADDRESSES]},
        "subnets": [{"name": "inside", "properties": {"addressPrefix": _INSIDE}}],
    }
