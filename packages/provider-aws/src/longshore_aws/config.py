"""What can be said about AWS in ``[providers.aws]``. Nothing need be: boto3's own chain finds login and region."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from types import MappingProxyType

from attrs import Attribute, field, frozen
from attrs.validators import ge, in_, le

__all__ = ["IMAGES", "AwsConfig", "Disk", "NamedImage"]

_SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}|tag:[^=]+=.+|")
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
    kind: str = field(default="gp3", validator=in_(("gp2", "gp3", "io1", "io2", "st1", "sc1", "standard")))


def _networks(_: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for each in value:
        try:
            ipaddress.ip_network(each)
        except ValueError as error:
            raise ValueError(f"{attribute.name}: {each!r} is no network; write one as 203.0.113.7/32") from error


def _subnet(_: object, __: Attribute[str], value: str) -> None:
    if not _SUBNET.fullmatch(value):
        raise ValueError(f"{value!r} is no subnet; write its id (subnet-...) or tag:NAME=VALUE")


def _tags(_: object, __: Attribute[Mapping[str, str]], value: Mapping[str, str]) -> None:
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
    regions: tuple[str, ...] = ()
    """Where to rent, in the order of preference; empty for the region that boto3 finds."""
    image: str = "ubuntu-24.04"
    """A name (``ubuntu-24.04``, ``ubuntu-22.04``, ``debian-12``, ``al2023``), an id (``ami-...``), or ``ssm:/path``."""
    user: str = ""
    """Who logs in; empty for the image's usual user, or ``ec2-user`` when the image is an id."""
    key_name: str = ""
    """A key pair that is there, whose private key you have; empty to use the run's own key."""
    subnet: str = field(default="", validator=_subnet)
    """An id, or ``tag:NAME=VALUE``; empty for the default network of the account."""
    public_address: bool = True
    """Whether machines get a public address; without one they are reached through a jump host or session manager."""
    admit: tuple[str, ...] = field(default=(), validator=_networks)
    """Networks from which SSH is let in, as ``203.0.113.7/32``; empty for the caller's own address."""
    disk: Disk = Disk()
    spot_limit: str = field(default="")
    """Most that a spot machine may cost an hour, in USD; empty for the on-demand price, which is AWS's own limit."""
    instance_profile: str = ""
    """Name of the instance profile whose rights the machine has; empty for none."""
    user_data: str = ""
    """A script that is executed as root after ours at first boot."""
    tags: Mapping[str, str] = field(factory=dict[str, str], validator=_tags)
    """More tags for everything that is made: cost centre, team."""
    endpoint_url: str = ""
    """Another place that speaks AWS's protocol; empty for AWS."""

    @spot_limit.validator
    def _price(self, _: Attribute[str], value: str) -> None:
        if value and not re.fullmatch(r"\d+(\.\d+)?", value):
            raise ValueError(f"{value!r} is no price; write dollars an hour, as 0.25")

    @property
    def login(self) -> str:
        """Who logs in."""
        named = IMAGES.get(self.image)
        return self.user or (named.user if named else "ec2-user")
