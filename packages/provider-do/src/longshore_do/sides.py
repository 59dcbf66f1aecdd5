"""What machines need beside them: a key and a firewall, made for an owner's project, and swept.

Neither can have tags that are its own: what they are for is written in their names.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from longshore.errors import InvalidRequest
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.plugin.caller import Caller, single_address
from longshore.plugin.keys import public_key
from longshore.plugin.labels import as_label, of_label
from longshore.plugin.refusals import each_of
from longshore_do.clients import Client
from longshore_do.config import DoConfig
from longshore_do.machines import Machines

__all__ = ["Sides", "firewall_tag", "imported_key", "sides_in"]

_KEY, _FIREWALL = "key", "firewall"
_KEY_KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_OURS = "longshore"
_FOR = (Tag.OWNER, Tag.LEDGER, Tag.PROJECT)
_ALL_PORTS = "0"
_ANYWHERE = {"addresses": ["0.0.0.0/0", "::/0"]}


def imported_key(config: DoConfig) -> str:
    """Give the public key that the config has imported; empty when it names none.

    Raises:
        InvalidRequest: when it cannot be read, or is of no kind that can be used.
    """
    return public_key(config.key.public_key, _KEY_KINDS)


class Sides:
    """The side resources of one account."""

    def __init__(self, client: Client, machines: Machines, config: DoConfig, caller: Caller) -> None:
        """``caller`` says who is let in."""
        self._client = client
        self._machines = machines
        self._config = config
        self._caller = caller
        self._making = threading.Lock()

    def named(self, spec: MachineSpec) -> list[SideResource]:
        """Name what a spec needs. A key is called by its fingerprint, since an account has each key only once."""
        sides = [SideResource(id=f"{_FIREWALL}/{_firewall_name(spec)}", kind=_FIREWALL, tags=spec.owner_tags())]
        if public := self._key_to_make(spec):
            sides.append(SideResource(id=f"{_KEY}/{_fingerprint(public)}", kind=_KEY, tags=spec.owner_tags()))
        return sides

    def ensure(self, spec: MachineSpec) -> list[str]:
        """Make what is missing; give what names the key of a machine, nothing when it needs none.

        Raises:
            ProviderError: when something cannot be made.
        """
        keys = []
        if self._config.key.name:
            keys.append(self._named_key(self._config.key.name))
        elif public := self._key_to_make(spec):
            keys.append(_fingerprint(public))
            self._once(lambda: self._has_key(public), lambda: self._make_key(spec, public))
        self._once(lambda: self._has_firewall(spec), lambda: self._make_firewall(spec))
        return keys

    def _once(self, is_there: Callable[[], bool], make: Callable[[], None]) -> None:
        """Make what is not there, though others may be about to make the same: several launches are under way."""
        with self._making:
            if is_there():
                return
            try:
                make()
            except InvalidRequest:
                if not is_there():  # another process was faster, and there cannot be two
                    raise

    def _has_firewall(self, spec: MachineSpec) -> bool:
        name = _firewall_name(spec)
        row = next((each for each in self._firewalls() if each["name"] == name), None)
        if row is not None and firewall_tag(spec) not in (row.get("tags") or ()):
            # It would be no wall of ours: the machines would be open to everybody.
            raise InvalidRequest(
                f"the firewall {name} is not for our machines, so nothing was done; delete it in the control panel, or "
                "give it another name"
            )
        return row is not None

    def _make_firewall(self, spec: MachineSpec) -> None:
        tag = firewall_tag(spec)
        body = {"name": _firewall_name(spec), "tags": [tag], **_rules(self._caller.networks(), tag)}
        self._client.ask("making a firewall", lambda client: client.firewalls.create, body=body, create=True)

    def _key_to_make(self, spec: MachineSpec) -> str:
        if self._config.key.create:
            return spec.keys[0] if spec.keys else ""
        return imported_key(self._config)

    def _named_key(self, name: str) -> str:
        for row in self._keys():
            if row["name"] == name:
                return str(row["fingerprint"])
        raise InvalidRequest(
            f"there is no key {name!r} in the account; add it in the control panel, or write "
            'key = { public_key = "~/.ssh/id_ed25519.pub" } in [providers.do]'
        )

    def _has_key(self, public: str) -> bool:
        return any(row["fingerprint"] == _fingerprint(public) for row in self._keys())

    def _make_key(self, spec: MachineSpec, public: str) -> None:
        body = {"name": _words(spec.owner_tags(), ":"), "public_key": public}
        self._client.ask("adding a key", lambda client: client.ssh_keys.create, body=body, create=True)

    def _keys(self) -> Iterator[Mapping[str, Any]]:
        return self._client.listed("listing keys", lambda client: client.ssh_keys.list, "ssh_keys")

    def _firewalls(self) -> Iterator[Mapping[str, Any]]:
        return self._client.listed("listing firewalls", lambda client: client.firewalls.list, "firewalls")

    # --- who is let in

    def admit(self, address: str, *, owner: str) -> None:
        """Let one address reach the owner's machines by SSH, and no other address any more.

        Raises:
            InvalidRequest: when it is no address.
            ProviderError: when DigitalOcean does not take it.
        """
        network = single_address(address)
        for row in list(self._firewalls()):
            if _made_for(row["name"], "-").get(Tag.OWNER) != owner:
                continue
            rules = _rules([network], row["tags"][0])
            if _let_in(row) != [network]:
                body = {"name": row["name"], "tags": row["tags"], **rules}
                self._client.ask(
                    "letting a new address in", lambda client: client.firewalls.update, row["id"], body=body
                )

    # --- clean-up

    def find(self, owner: str) -> list[SideResource]:
        """List what was made for an owner."""
        return [side for side, _ in self._found(owner)]

    def _found(self, owner: str) -> Iterator[tuple[SideResource, str]]:
        """Give what was made for an owner, and by what DigitalOcean knows it."""
        firewalls, keys = list(self._firewalls()), list(self._keys())
        for side, row in zip(sides_in(firewalls, keys), (*firewalls, *keys), strict=True):
            if side.tags.get(Tag.OWNER) == owner:
                yield side, str(row["id"])

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        """Delete what is the owner's and is not used; all else stays.

        Raises:
            ProviderError: the first refusal, after all others were tried.
        """
        wanted = set(ids)
        each_of([found for found in self._found(owner) if found[0].id in wanted], lambda found: self._sweep(*found))

    def _sweep(self, side: SideResource, name: str) -> None:
        if self._machines.is_used(_association(side.tags)):
            return
        if side.kind == _KEY:
            self._client.ask("deleting a key", lambda client: client.ssh_keys.delete, name, gone=True)
        else:
            self._client.ask("deleting a firewall", lambda client: client.firewalls.delete, name, gone=True)


def sides_in(firewalls: Iterable[Mapping[str, Any]], keys: Iterable[Mapping[str, Any]]) -> Iterator[SideResource]:
    """Read firewalls and keys, whoever's; those that are not ours have no tags."""
    for row in firewalls:
        yield SideResource(id=f"{_FIREWALL}/{row['name']}", kind=_FIREWALL, tags=_made_for(row["name"], "-"))
    for row in keys:
        yield SideResource(id=f"{_KEY}/{row['fingerprint']}", kind=_KEY, tags=_made_for(row["name"], ":"))


def firewall_tag(spec: MachineSpec) -> str:
    """Give the tag by which a firewall knows the machines that it is for."""
    return _association(spec.owner_tags())


def _association(tags: Mapping[str, str]) -> str:
    words = "\n".join(tags.get(tag, "") for tag in _FOR)
    return f"{_OURS}-for:{hashlib.sha256(words.encode()).hexdigest()[:32]}"


def _words(tags: Mapping[str, str], mark: str) -> str:
    return mark.join([_OURS, *(as_label(tags[tag]) for tag in _FOR)])


def _firewall_name(spec: MachineSpec) -> str:
    """Name a firewall; letters, digits, dots and dashes may be in it, and what it is for is written by these."""
    words = base64.b32encode(_words(spec.owner_tags(), ":").encode()).decode().rstrip("=").lower()
    return f"{_OURS}-{words}"


def _made_for(name: str, mark: str) -> dict[str, str]:
    """Read from a name what a thing was made for; nothing when it is none of ours."""
    if mark == "-":
        prefix, _, words = name.partition("-")
        try:
            name = base64.b32decode(words.upper() + "=" * (-len(words) % 8)).decode() if prefix == _OURS else ""
        except (ValueError, UnicodeDecodeError):
            return {}
    prefix, *labels = name.split(":")
    values = [of_label(label) for label in labels]
    if prefix != _OURS or len(values) != len(_FOR) or None in values:
        return {}
    return {str(tag): str(value) for tag, value in zip(_FOR, values, strict=True)}


def _fingerprint(public: str) -> str:
    """Give a key's fingerprint as DigitalOcean shows it.

    Raises:
        InvalidRequest: when it is no public key.
    """
    try:
        digest = hashlib.md5(base64.b64decode(public.split()[1]), usedforsecurity=False).hexdigest()
    except (IndexError, ValueError) as error:
        raise InvalidRequest(f"{public[:40]!r} is no public key") from error
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


def _rules(networks: list[str], tag: str) -> dict[str, Any]:
    """Let SSH in from networks, everything from machines of the same firewall, and everything out."""
    inside = {"tags": [tag]}
    return {
        "inbound_rules": [
            {"protocol": "tcp", "ports": "22", "sources": {"addresses": networks}},
            *({"protocol": each, "ports": _ALL_PORTS, "sources": inside} for each in ("tcp", "udp")),
            {"protocol": "icmp", "ports": _ALL_PORTS, "sources": inside},
        ],
        "outbound_rules": [
            {"protocol": each, "ports": _ALL_PORTS, "destinations": _ANYWHERE} for each in ("tcp", "udp", "icmp")
        ],
    }


def _let_in(row: Mapping[str, Any]) -> list[str]:
    return [
        address
        for rule in row.get("inbound_rules") or ()
        if rule.get("ports") == "22"
        for address in (rule.get("sources") or {}).get("addresses") or ()
    ]
