"""What can be said about Azure in ``[providers.azure]``. Nothing need be, where ``AZURE_SUBSCRIPTION_ID`` is set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Literal, get_args

from attrs import Attribute, field, frozen
from attrs.validators import ge, matches_re

from longshore.plugin.caller import networks
from longshore.plugin.keys import MADE, Key

__all__ = ["IMAGES", "Address", "AzureConfig", "image_reference"]

Address = Literal["public", "private"]

IMAGES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "ubuntu-24.04": {
            "x86_64": "Canonical:ubuntu-24_04-lts:server:latest",
            "arm64": "Canonical:ubuntu-24_04-lts:server-arm64:latest",
        },
        "ubuntu-22.04": {
            "x86_64": "Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2:latest",
            "arm64": "Canonical:0001-com-ubuntu-server-jammy:22_04-lts-arm64:latest",
        },
        "debian-12": {
            "x86_64": "Debian:debian-12:12-gen2:latest",
            "arm64": "Debian:debian-12:12-arm64:latest",
        },
    }
)
"""What Azure calls the images that have the same names on every cloud, by the kind of processor."""
_ID = r"/subscriptions/[0-9A-Za-z-]+/resourceGroups/[\w.()-]+/providers"
_IMAGE = re.compile(
    rf"[\w.-]+:[\w.-]+:[\w.-]+:[\w.-]+|{_ID}/Microsoft\.Compute/(?:images/[\w.-]+|galleries/[\w./-]+)", re.IGNORECASE
)
_SUBNET = re.compile(rf"{_ID}/Microsoft\.Network/virtualNetworks/[\w.-]+/subnets/[\w.-]+|", re.IGNORECASE)
_ROLE = re.compile(r"(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?")
_IDENTITY = re.compile(rf"{_ID}/Microsoft\.ManagedIdentity/userAssignedIdentities/[\w-]+|", re.IGNORECASE)
_REGION = re.compile(r"[a-z]+[a-z0-9]*")
_TAG_KEY = re.compile(r"[^<>%&\\?/]{1,512}")
_TAG_VALUE = 256
_MOST_TAGS = 30
_RESERVED = ("azure", "microsoft", "windows", "longshore-")


def _image(_: object, __: Attribute[str], value: str) -> None:
    if value not in IMAGES and not _IMAGE.fullmatch(value):
        raise ValueError(
            f"{value!r} is no image; use {', '.join(IMAGES)}, publisher:offer:sku:version, or the id of one of yours"
        )


def _regions(_: object, __: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError("name a region at least, as in westeurope")
    for each in value:
        if not _REGION.fullmatch(each):
            raise ValueError(f"{each!r} is no region; write one as westeurope")


def _subnet(_: object, __: Attribute[str], value: str) -> None:
    if not _SUBNET.fullmatch(value):
        raise ValueError(f"{value!r} is no id of a subnetwork; `az network vnet subnet show --query id` prints it")


def _address(_: object, __: Attribute[str], value: str) -> None:
    if value not in get_args(Address):
        raise ValueError(f"{value!r} is no address; write {', '.join(get_args(Address))}")


def _max_price(_: object, __: Attribute[float], value: float) -> None:
    if value != -1 and value <= 0:
        raise ValueError(f"{value} is no price; write USD per hour, or -1 for up to the ordinary price")


def _end_role(_: object, __: Attribute[str], value: str) -> None:
    if not _ROLE.fullmatch(value):
        raise ValueError(f"{value!r} is no id of a role; `az role definition list --query [].name` prints them")


def _identity(_: object, __: Attribute[str], value: str) -> None:
    if not _IDENTITY.fullmatch(value):
        raise ValueError(f"{value!r} is no id of a managed identity; `az identity list --query [].id` prints them")


def _tags(_: object, __: Attribute[Mapping[str, str]], value: Mapping[str, str]) -> None:
    if len(value) > _MOST_TAGS:
        raise ValueError(f"{len(value)} tags are too many; Azure leaves room for {_MOST_TAGS}")
    for key, text in value.items():
        if not _TAG_KEY.fullmatch(key) or key.lower().startswith(_RESERVED):
            raise ValueError(f"{key!r} cannot be the key of a tag; use neither <>%&\\?/ nor a reserved beginning")
        if len(text) > _TAG_VALUE:
            raise ValueError(f"the tag {key!r} is longer than {_TAG_VALUE} characters")


@frozen(kw_only=True)
class AzureConfig:
    """Options of the provider ``azure``."""

    subscription: str = field(default="", validator=matches_re(r"[0-9A-Za-z-]*"))
    """The subscription that pays, by its id; empty for ``AZURE_SUBSCRIPTION_ID``."""
    credentials_file: str = ""
    """A file with the login, as ``az ad sp create-for-rbac`` prints it; empty for what Azure's library finds (its
    environment variables, ``az login``, or the machine's own identity).
    """
    tenant: str = field(default="", validator=matches_re(r"[0-9A-Za-z.-]*"))
    """With ``client`` and ``client_secret_env``: the directory of a service principal."""
    client: str = field(default="", validator=matches_re(r"[0-9A-Za-z-]*"))
    """The service principal, by its application's id."""
    client_secret_env: str = field(default="", validator=matches_re(r"[A-Za-z0-9_]*"))
    """The name of the environment variable that holds its secret."""
    resource_group: str = field(default="", validator=matches_re(r"(?:[\w.()-]{0,89}[\w()-])?"))
    """A resource group that is there, and stays; empty for one of our own, which goes with the last machine."""
    regions: tuple[str, ...] = field(default=("eastus",), validator=_regions)
    """Where to rent."""
    zones: tuple[Literal["1", "2", "3"], ...] = ()
    """In which zones of the regions; empty where it is all the same, and Azure chooses."""
    image: str = field(default="ubuntu-24.04", validator=_image)
    """A name (``ubuntu-24.04``, ``ubuntu-22.04``, ``debian-12``), publisher:offer:sku:version, or the id of yours."""
    disk_gib: int = field(default=30, validator=ge(30))
    """Size of each machine's disk."""
    disk_type: str = field(default="StandardSSD_LRS", validator=matches_re(r"\w+"))
    """As in ``Premium_LRS``."""
    max_price: float = field(default=-1.0, validator=_max_price)
    """USD an hour above which a spot machine is taken back; -1 for up to the ordinary price."""
    user: str = "longshore"
    """Who logs in; made on each machine."""
    key: Key = MADE
    """The key: one of ``create``, ``name`` (of an SSH key in the subscription) and ``public_key``."""
    subnet: str = field(default="", validator=_subnet)
    """The id of a subnetwork in the only region; empty for a network of our own, which goes with the last machine."""
    address: Address = field(default="public", validator=_address)
    """How machines are reached: by a ``public`` address, or by the ``private`` one, from inside the network or through
    a jump host; then they have no public one.
    """
    admit: tuple[str, ...] = field(default=(), validator=networks)
    """Networks from which SSH is let in, as ``203.0.113.7/32``; empty for the caller's own address, wherever it is."""
    end_role: str = field(default="", validator=_end_role)
    """The id of a role by which each machine may delete itself, and nothing else, when it ends itself; empty where it
    powers itself off alone, and goes on costing until the run or ``longshore gc`` ends it.
    """
    identity: str = field(default="", validator=_identity)
    """The id of a user-assigned managed identity, whose rights the programs on machines have, such as a controller
    there (``longshore run --on``, which is told by ``--hand-over AZURE_CLIENT_ID`` which one is meant); empty for none.
    """
    user_data: str = ""
    """A script that is executed as root after ours at first boot."""
    tags: Mapping[str, str] = field(factory=dict[str, str], validator=_tags)
    """More tags for all machines: cost centre, team."""
    deadline: timedelta = field(default=timedelta(seconds=120), validator=ge(timedelta(seconds=1)))
    """How long one request may take, with the operations that it begins. A machine that takes longer is asked for by
    the same name again.
    """
    listing_lag: timedelta = field(default=timedelta(seconds=60), validator=ge(timedelta(0)))
    """How long lists may lag behind what was done; Azure promises no time."""
    endpoint_url: str = "https://management.azure.com"
    """Another place that speaks the protocol of Azure Resource Manager, as of a national cloud."""
    prices_url: str = "https://prices.azure.com"
    """Another place that has the retail price list."""

    def __attrs_post_init__(self) -> None:
        """Refuse half a login, and a subnetwork for several regions."""
        if [bool(self.tenant), bool(self.client), bool(self.client_secret_env)].count(True) not in {0, 3}:
            raise ValueError("tenant, client and client_secret_env go together; write all three or none")
        if self.subnet and len(self.regions) != 1:
            raise ValueError("a subnet is in one region; name that one alone in regions")


def image_reference(image: str, arch: str) -> dict[str, Any]:
    """Say in Azure's words which image is meant, for a kind of processor."""
    known = IMAGES.get(image)
    name = known[arch] if known is not None else image
    if name.startswith("/"):
        return {"id": name}
    return dict(zip(("publisher", "offer", "sku", "version"), name.split(":"), strict=True))
