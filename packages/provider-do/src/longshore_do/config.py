"""What can be said about DigitalOcean in ``[providers.do]``. Nothing need be, when DIGITALOCEAN_TOKEN is set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, get_args

from attrs import Attribute, field, frozen
from attrs.validators import ge

from longshore.plugin.caller import networks
from longshore.plugin.keys import MADE, Key

__all__ = ["IMAGES", "Address", "DoConfig"]

Address = Literal["public", "private"]

IMAGES: Mapping[str, str] = MappingProxyType(
    {
        "ubuntu-24.04": "ubuntu-24-04-x64",
        "ubuntu-22.04": "ubuntu-22-04-x64",
        "debian-12": "debian-12-x64",
    }
)
"""What DigitalOcean calls the images that have the same names on every cloud."""
_IMAGE = re.compile(r"[a-z0-9][a-z0-9.-]*|[0-9]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NETWORK = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|")


def _variable(_: object, __: Attribute[str], value: str) -> None:
    if not _VARIABLE.fullmatch(value):
        raise ValueError(f"{value!r} is no name of an environment variable; the token itself must not stand here")


def _image(_: object, __: Attribute[str], value: str) -> None:
    if not _IMAGE.fullmatch(value):
        raise ValueError(f"{value!r} is no image; use {', '.join(IMAGES)}, a slug, or the number of one of yours")


def _network(_: object, __: Attribute[str], value: str) -> None:
    if not _NETWORK.fullmatch(value):
        raise ValueError(f"{value!r} is no network; write the id of a VPC, as in its page's address")


def _address(_: object, __: Attribute[str], value: str) -> None:
    if value not in get_args(Address):
        raise ValueError(f"{value!r} is no address; write {', '.join(get_args(Address))}")


@frozen(kw_only=True)
class DoConfig:
    """Options of the provider ``do``."""

    token_env: str = field(default="DIGITALOCEAN_TOKEN", validator=_variable)
    """Name of the environment variable that has the token."""
    regions: tuple[str, ...] = ()
    """Where to rent, as in ``ams3``; empty for everywhere."""
    image: str = field(default="ubuntu-24.04", validator=_image)
    """A name (``ubuntu-24.04``, ``ubuntu-22.04``, ``debian-12``), a slug, or the number of an image of yours."""
    user: str = "root"
    """Who logs in; made when the image lacks it."""
    key: Key = MADE
    """The key: one of ``create``, ``name`` and ``public_key``. The cloud mails passwords to who names none."""
    network: str = field(default="", validator=_network)
    """A VPC, by its id; empty for the region's default one."""
    address: Address = field(default="public", validator=_address)
    """How machines are reached: by their ``public`` address, or by the ``private`` one, from inside the network or
    through a jump host.
    """
    admit: tuple[str, ...] = field(default=(), validator=networks)
    """Networks from which SSH is let in, as ``203.0.113.7/32``; empty for the caller's own address, wherever it is."""
    user_data: str = ""
    """A script that is executed as root after ours at first boot."""
    tags: Mapping[str, str] = field(factory=dict[str, str])
    """More tags for all machines: cost centre, team."""
    deadline: timedelta = field(default=timedelta(seconds=60), validator=ge(timedelta(seconds=1)))
    """How long one request may take, with all that is repeated."""
    listing_lag: timedelta = field(default=timedelta(seconds=30), validator=ge(timedelta(0)))
    """How long lists may lag behind what was done; DigitalOcean promises no time."""
    endpoint_url: str = "https://api.digitalocean.com"
    """Another place that speaks DigitalOcean's protocol."""
