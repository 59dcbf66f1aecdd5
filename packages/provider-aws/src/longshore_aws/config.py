"""What can be said about AWS in ``[providers.aws]``. Nothing need be: boto3's own chain finds login and region."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, get_args

from attrs import Attribute, field, frozen
from attrs.validators import ge, gt, in_, le, optional

from longshore.plugin.caller import networks
from longshore.plugin.keys import MADE, Key

__all__ = ["IMAGES", "Address", "AwsConfig", "Disk", "NamedImage", "check_tags"]

Address = Literal["public", "private", "id"]

_SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}|tag:[^=]+=.+|")
_NETWORK = re.compile(r"vpc-[0-9a-f]{8,17}|tag:[^=]+=.+|")
_IMAGE = re.compile(r"ami-[0-9a-f]{8,17}|ssm:/.+")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]+")
_FIXED = ("gp2", "standard")
_TAGS_LEFT = 40
"""AWS takes 50 tags, and ten are ours."""


@frozen(kw_only=True)
class NamedImage:
    """An image by a name that stays while its content is renewed."""

    parameter: str
    """Path of the public parameter that holds its id; ``{arch}`` is put in."""
    user: str
    """Who logs in."""
    amd: str = "amd64"
    """The parameter's word for ``x86_64``; that for ``arm64`` is always the same."""

    def path(self, arch: str) -> str:
        """Say where the id for an architecture (``x86_64`` or ``arm64``) is kept."""
        return self.parameter.format(arch="arm64" if arch == "arm64" else self.amd)


IMAGES: Mapping[str, NamedImage] = MappingProxyType(
    {
        "ubuntu-24.04": NamedImage(
            parameter="/aws/service/canonical/ubuntu/server/24.04/stable/current/{arch}/hvm/ebs-gp3/ami-id",
            user="ubuntu",
        ),
        "ubuntu-22.04": NamedImage(
            parameter="/aws/service/canonical/ubuntu/server/22.04/stable/current/{arch}/hvm/ebs-gp2/ami-id",
            user="ubuntu",
        ),
        "debian-12": NamedImage(parameter="/aws/service/debian/release/12/latest/{arch}", user="admin"),
        "al2023": NamedImage(
            parameter="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{arch}",
            user="ec2-user",
            amd="x86_64",
        ),
    }
)
"""Where their makers publish the newest id (the parameter store documentation of AWS, Canonical and Debian)."""


@frozen(kw_only=True)
class Disk:
    """The machine's own disk; encrypted, and deleted with the machine."""

    gib: int = field(default=30, validator=[ge(8), le(16384)])
    """Its size."""
    kind: str = field(default="gp3", validator=in_(("gp2", "gp3", "io1", "io2", "standard")))
    """As AWS calls it."""
    iops: int | None = field(default=None, validator=optional(ge(100)))
    """Operations a second that it is to bear; ``io1`` and ``io2`` must be told, ``gp3`` may be."""

    def __attrs_post_init__(self) -> None:
        """Refuse what AWS would."""
        if (self.iops is None and self.kind.startswith("io")) or (self.iops is not None and self.kind in _FIXED):
            raise ValueError(f"a disk of the kind {self.kind} {'takes no' if self.iops else 'needs'} iops")


def _subnet(_: object, __: Attribute[str], value: str) -> None:
    if not _SUBNET.fullmatch(value):
        raise ValueError(f"{value!r} is no subnet; write its id (subnet-...) or tag:NAME=VALUE")


def _network(_: object, __: Attribute[str], value: str) -> None:
    if not _NETWORK.fullmatch(value):
        raise ValueError(f"{value!r} is no network; write its id (vpc-...) or tag:NAME=VALUE")


def _image(_: object, __: Attribute[str], value: str) -> None:
    if value not in IMAGES and not _IMAGE.fullmatch(value):
        raise ValueError(f"{value!r} is no image; use {', '.join(IMAGES)}, an id (ami-...), or ssm:/path")


def _regions(_: object, __: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for each in value:
        if not _REGION.fullmatch(each):
            raise ValueError(f"{each!r} is no region; regions are called as in eu-west-1, zones one letter more")


def _address(_: object, __: Attribute[str], value: str) -> None:
    if value not in get_args(Address):
        raise ValueError(f"{value!r} is no address; write {', '.join(get_args(Address))}")


def check_tags(_: object, __: Attribute[Mapping[str, str]], value: Mapping[str, str]) -> None:
    """Raise ValueError for tags that AWS would refuse, or that are ours."""
    if len(value) > _TAGS_LEFT:
        raise ValueError(f"{len(value)} tags are more than the {_TAGS_LEFT} that AWS leaves beside ours")
    for name, text in value.items():
        if name.startswith(("aws:", "longshore-")) or not 0 < len(name) <= 128 or len(text) > 256:
            raise ValueError(
                f"the tag {name!r} cannot be: names have at most 128 characters and do not begin with 'aws:' or "
                "'longshore-', values have at most 256"
            )


@frozen(kw_only=True)
class AwsConfig:
    """Options of the provider ``aws``."""

    profile: str = ""
    """A profile of the AWS configuration; empty for the default chain: variables, files, roles."""
    regions: tuple[str, ...] = field(default=(), validator=_regions)
    """Where to rent, in the order of preference; empty for the region that boto3 finds."""
    image: str = field(default="ubuntu-24.04", validator=_image)
    """A name (``ubuntu-24.04``, ``ubuntu-22.04``, ``debian-12``, ``al2023``) for the architecture of the type, an id
    (``ami-...``), or ``ssm:/path`` of a parameter that holds an id.
    """
    user: str = ""
    """Who logs in; empty for the image's usual user, or ``ec2-user`` when the image is an id or a parameter."""
    key: Key = MADE
    """The key pair: one of ``create``, ``name`` and ``public_key``."""
    network: str = field(default="", validator=_network)
    """A VPC: its id, or ``tag:NAME=VALUE``; empty for that of the subnet, else for the account's default one."""
    subnet: str = field(default="", validator=_subnet)
    """An id, or ``tag:NAME=VALUE``; empty for any in the zone and network."""
    address: Address = field(default="public", validator=_address)
    """How machines are reached: by a ``public`` address; by the ``private`` one, from inside the network or through a
    jump host; or by their ``id``, for a ProxyCommand such as that of Session Manager. Only with ``public`` they get a
    public address.
    """
    admit: tuple[str, ...] = field(default=(), validator=networks)
    """Networks from which SSH is let in, as ``203.0.113.7/32``; empty for the caller's own address, wherever it is."""
    disk: Disk = Disk()
    """The machine's own disk: ``gib`` and ``kind``."""
    threads_per_core: int | None = field(default=None, validator=optional(in_((1, 2))))
    """1 to rent whole cores; types that have one thread for each core anyway are as they are."""
    spot_limit: str = field(default="")
    """Most that a spot machine may cost an hour, in USD; empty for the on-demand price, which is AWS's own limit."""
    instance_profile: str = ""
    """Name of the instance profile whose rights the machine has; empty for none."""
    user_data: str = ""
    """A script that is executed as root after ours at first boot."""
    tags: Mapping[str, str] = field(factory=dict[str, str], validator=check_tags)
    """More tags for everything that is made: cost centre, team."""
    deadline: timedelta = field(default=timedelta(seconds=60), validator=gt(timedelta(0)))
    """How long one request may take, with all that is repeated."""
    listing_lag: timedelta = field(default=timedelta(seconds=60), validator=ge(timedelta(0)))
    """How long lists may lag behind what was done. AWS promises no time, and minutes are rare; other clouds that speak
    its protocol may be quicker.
    """
    endpoint_url: str = ""
    """Another place that speaks AWS's protocol; empty for AWS."""

    @spot_limit.validator
    def _price(self, _: Attribute[str], value: str) -> None:
        if value and not re.fullmatch(r"\d+(\.\d+)?", value):
            raise ValueError(f"{value!r} is no price; write dollars an hour, as 0.25")

    def login(self, image: str = "") -> str:
        """Say who logs in to machines of an image; of that of the config when it is empty."""
        named = IMAGES.get(image or self.image)
        return self.user or (named.user if named else "ec2-user")
