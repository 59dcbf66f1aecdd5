"""What machines need beside them: firewall rules, made for an owner's project, and swept.

Rules have no labels: what they are for is written in their descriptions. Keys need nothing beside a machine, since they
are in the boot data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from longshore.errors import InvalidRequest, ProviderError
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.plugin.caller import Caller, single_address
from longshore.plugin.keys import public_key
from longshore.plugin.refusals import each_of
from longshore_gcp.clients import Clients
from longshore_gcp.config import GcpConfig
from longshore_gcp.errors import is_gone, is_taken, translated
from longshore_gcp.labels import digest, read_tags, write_tags
from longshore_gcp.machines import Machines

__all__ = ["Sides", "network_tag", "side_of"]

_KIND = "firewall"
_KEY_KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_FOR = (Tag.OWNER, Tag.LEDGER, Tag.PROJECT)
_SSH, _INSIDE = "ssh", "inside"


class Sides:
    """The side resources of one project."""

    def __init__(self, clients: Clients, machines: Machines, config: GcpConfig, caller: Caller) -> None:
        """``caller`` says who is let in."""
        self._clients = clients
        self._machines = machines
        self._config = config
        self._caller = caller

    def named(self, spec: MachineSpec) -> list[SideResource]:
        """Name what a spec needs: a rule for SSH, and one for what machines say to each other."""
        return [
            SideResource(id=f"{_KIND}/{network_tag(spec)}-{what}", kind=_KIND, tags=spec.owner_tags())
            for what in (_SSH, _INSIDE)
        ]

    def ensure(self, spec: MachineSpec) -> None:
        """Make what is missing.

        Raises:
            ProviderError: when something cannot be made.
        """
        there = {row.name for row in self._rows()}
        tag = network_tag(spec)
        if f"{tag}-{_SSH}" not in there:
            ssh = {"allowed": [{"I_p_protocol": "tcp", "ports": ["22"]}], "source_ranges": self._caller.networks()}
            self._make(spec, f"{tag}-{_SSH}", ssh)
        if f"{tag}-{_INSIDE}" not in there:
            self._make(spec, f"{tag}-{_INSIDE}", {"allowed": [{"I_p_protocol": "all"}], "source_tags": [tag]})

    def _make(self, spec: MachineSpec, name: str, rule: Mapping[str, Any]) -> None:
        doing = "making a firewall rule"
        body = {
            "name": name,
            "description": write_tags(spec.owner_tags()),
            "network": f"global/networks/{self._config.network}",
            "direction": "INGRESS",
            "target_tags": [network_tag(spec)],
            **rule,
        }
        try:
            operation = self._clients.ask(
                doing, "Firewalls", "insert_unary", project=self._clients.project(), firewall_resource=body
            )
            self._clients.settled(doing, operation)
        except ProviderError as error:
            if not is_taken(error):  # else another launch of the project has made it just now
                raise

    def imported_key(self) -> str:
        """Give the public key that the config names besides the executor's; empty when it names none.

        Raises:
            InvalidRequest: when it cannot be read, or the project has none of that name.
        """
        if not self._config.key.name:
            return public_key(self._config.key.public_key, _KEY_KINDS)
        project = self._clients.project()
        doing = "looking for a key"
        found = self._clients.ask(doing, "Projects", "get", project=project)
        with translated(doing):
            lines = [
                line
                for item in found.common_instance_metadata.items
                if item.key == "ssh-keys"
                for line in item.value.splitlines()
            ]
        for line in lines:
            user, _, key = line.partition(":")
            if user == self._config.key.name:
                return public_key(key.strip(), _KEY_KINDS)
        raise InvalidRequest(
            f"the metadata of {project} has no key of {self._config.key.name!r}; add it in the console, or write "
            'key = { public_key = "~/.ssh/id_ed25519.pub" } in [providers.gcp]'
        )

    # --- who is let in

    def admit(self, address: str, *, owner: str) -> None:
        """Let one address reach the owner's machines by SSH, and no other address any more.

        Raises:
            InvalidRequest: when it is no address.
            ProviderError: when Google does not take it.
        """
        network = single_address(address)
        doing = "letting a new address in"
        for row in list(self._rows()):
            ours = side_of(row.name, row.description).tags.get(Tag.OWNER) == owner
            if not ours or not row.name.endswith(f"-{_SSH}") or list(row.source_ranges) == [network]:
                continue
            operation = self._clients.ask(
                doing,
                "Firewalls",
                "patch_unary",
                project=self._clients.project(),
                firewall=row.name,
                firewall_resource={"source_ranges": [network]},
            )
            self._clients.settled(doing, operation)

    # --- clean-up

    def find(self, owner: str) -> list[SideResource]:
        """List what was made for an owner."""
        sides = [side_of(row.name, row.description) for row in self._rows()]
        return [side for side in sides if side.tags.get(Tag.OWNER) == owner]

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        """Delete what is the owner's and is not used; all else stays.

        Raises:
            ProviderError: the first refusal, after all others were tried.
        """
        wanted = [side for side in self.find(owner) if side.id in set(ids)]
        used = self._used(owner) if wanted else set()
        each_of((side for side in wanted if _association(side.tags) not in used), self._delete)

    def _used(self, owner: str) -> set[str]:
        """Ask everywhere, and where we rent so that a machine is seen that was made just now."""
        everywhere = self._machines.tagged(Tag.OWNER, owner)
        here = self._machines.tagged_in(self._config.regions, Tag.OWNER, owner)
        return {_association(each.tags) for each in (*everywhere, *here)}

    def _delete(self, side: SideResource) -> None:
        doing = "deleting a firewall rule"
        name = side.id.removeprefix(f"{_KIND}/")
        try:
            operation = self._clients.ask(
                doing, "Firewalls", "delete_unary", project=self._clients.project(), firewall=name
            )
            self._clients.settled(doing, operation)
        except ProviderError as error:
            if not is_gone(error):
                raise

    def _rows(self) -> Iterator[Any]:
        doing = "listing firewall rules"
        for page in self._clients.listed(doing, "Firewalls", "list", project=self._clients.project()):
            yield from page.items


def side_of(name: str, description: str) -> SideResource:
    """Read a rule, whoever's; one that is not ours has no tags."""
    tags = read_tags([description])
    ours = all(tag in tags for tag in _FOR) and name.startswith(_association(tags))
    return SideResource(id=f"{_KIND}/{name}", kind=_KIND, tags=tags if ours else {})


def network_tag(spec: MachineSpec) -> str:
    """Give the tag by which rules know the machines that they are for."""
    return _association(spec.owner_tags())


def _association(tags: Mapping[str, str]) -> str:
    return f"longshore-{digest(*(tags.get(tag, '') for tag in _FOR))}"
