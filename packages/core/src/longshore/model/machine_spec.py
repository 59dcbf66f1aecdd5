"""What is asked for when a machine is rented, and the tags by which it is known ever after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from attrs import field, frozen
from attrs.validators import min_len

from longshore.model.offer import Offer
from longshore.model.times import aware, write_time

__all__ = ["MachineSpec", "SideResource", "Tag", "login_address"]


class Tag(StrEnum):
    """Keys of the tags on everything that is rented or made. Plugins may spell keys and values as their cloud needs it,
    and give them back as they are here.
    """

    OWNER = "longshore-owner"
    LEDGER = "longshore-ledger"
    PROJECT = "longshore-project"
    RUN = "longshore-run"
    POOL = "longshore-pool"
    TOKEN = "longshore-token"
    ENDS_AT = "longshore-ends-at"
    HOST_KEY = "longshore-host-key"
    NAME = "longshore-name"
    USER = "longshore-user"
    """Who logs in, where the provider knows."""


def _frozen(mapping: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(mapping))


@frozen(kw_only=True)
class MachineSpec:
    """What we ask for: an offer plus image, keys, boot script and tags; with when it must end, in the same request."""

    offer: Offer
    image: str = ""
    """The cloud's own name of an image; empty for the provider's default."""
    keys: tuple[str, ...] = ()
    """Public keys that may log in, one line each as in ``authorized_keys``."""
    boot_script: str = field(default="", repr=False)
    """Executed as root at first boot. May hold derived secrets, so it is never shown."""
    owner: str = field(validator=min_len(1))
    ledger: str = field(validator=min_len(1))
    project: str
    run: str
    pool: str = field(validator=min_len(1))
    host_key: str = ""
    """Fingerprint of the host key that the boot script installs."""
    ends_at: datetime = field(validator=aware)
    """Hard end; part of the create call and never extended."""
    name: str = ""
    """A label for people; what a machine is told by is its id."""
    unattended: timedelta = timedelta(minutes=30)
    """The machine ends itself so long after the last beat."""

    def tags(self, token: str) -> dict[str, str]:
        """Give all the tags that go into the create call (laws P3 and P7)."""
        tags = {
            **self.owner_tags(),
            Tag.RUN: self.run,
            Tag.POOL: self.pool,
            Tag.TOKEN: token,
            Tag.ENDS_AT: write_time(self.ends_at),
        }
        if self.host_key:
            tags[Tag.HOST_KEY] = self.host_key
        if self.name:
            tags[Tag.NAME] = self.name
        return {str(key): value for key, value in tags.items()}

    def owner_tags(self) -> dict[str, str]:
        """Give the tags of what outlives one machine: its side resources (law P9)."""
        return {str(Tag.OWNER): self.owner, str(Tag.LEDGER): self.ledger, str(Tag.PROJECT): self.project}


def login_address(host: str, tags: Mapping[str, str]) -> str:
    """Give the address of a machine as its executor takes it: with who logs in, where its tags say so."""
    user = tags.get(Tag.USER, "")
    return f"{user}@{host}" if host and user else host


@frozen(kw_only=True)
class SideResource:
    """Something that machines need and that is no machine: a key, a security group, a network, a disk, an address."""

    id: str = field(validator=min_len(1))
    """Its name in the cloud, chosen by the plugin from the spec alone, so that it can be known before it is made."""
    kind: str = field(validator=min_len(1))
    region: str = ""
    """Empty for what is the same in all regions."""
    tags: Mapping[str, str] = field(factory=dict[str, str], converter=_frozen)
