"""Where a machine is placed and what it boots from, looked up in the account."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from longshore.errors import InvalidRequest
from longshore_aws.clients import Clients
from longshore_aws.config import IMAGES, AwsConfig
from longshore_aws.errors import translated

__all__ = ["Image", "Network"]

_DEVICES = {"ubuntu-24.04": "/dev/sda1", "ubuntu-22.04": "/dev/sda1", "debian-12": "/dev/xvda", "al2023": "/dev/xvda"}
"""Name of the first disk in each image, which its maker does not change."""


@frozen(kw_only=True)
class Image:
    """What a create call says of an image."""

    id: str
    """An id, or ``resolve:ssm:PATH``, which AWS itself resolves: so a repeated call is identical."""
    device: str


class Network:
    """Looks up images, subnets and networks."""

    def __init__(self, clients: Clients, config: AwsConfig) -> None:
        self._clients = clients
        self._config = config

    def image(self, wanted: str, region: str, arch: str) -> Image:
        """Find an image by name, id or parameter, for an architecture.

        Raises:
            InvalidRequest: when there is none.
        """
        named = IMAGES.get(wanted)
        if named is not None:
            return Image(id=f"resolve:ssm:{named.path(arch)}", device=_DEVICES[wanted])
        if wanted.startswith("ssm:"):
            path = wanted.removeprefix("ssm:")
            with translated(f"looking up the image {wanted}"):
                value = self._clients.of("ssm", region).get_parameter(Name=path)["Parameter"]["Value"]
            return Image(id=f"resolve:ssm:{path}", device=self._device(value, region))
        if wanted.startswith("ami-"):
            return Image(id=wanted, device=self._device(wanted, region))
        raise InvalidRequest(f"{wanted!r} is no image; use {', '.join(IMAGES)}, an id (ami-...), or ssm:/path")

    def _device(self, image: str, region: str) -> str:
        with translated(f"looking up the image {image} in {region}"):
            rows = self._clients.of("ec2", region).describe_images(ImageIds=[image])["Images"]
        if not rows:
            raise InvalidRequest(f"there is no image {image} in {region}; ids differ from region to region")
        return str(rows[0].get("RootDeviceName") or "/dev/sda1")

    def place(self, region: str, zone: str) -> tuple[str, str]:
        """Find the subnet for a zone (empty for any), and the network that it is in; both by id.

        Raises:
            InvalidRequest: when the account has none that fits.
        """
        wanted = self._config.subnet
        filters: list[dict[str, Any]] = []
        if wanted.startswith("tag:"):
            name, _, value = wanted.removeprefix("tag:").partition("=")
            filters.append({"Name": f"tag:{name}", "Values": [value]})
        elif wanted:
            filters.append({"Name": "subnet-id", "Values": [wanted]})
        else:
            filters.append({"Name": "default-for-az", "Values": ["true"]})
        if zone:
            filters.append({"Name": "availability-zone", "Values": [zone]})
        doing = "looking for a subnet"
        rows = list(self._clients.listed(doing, region, "describe_subnets", "Subnets", Filters=filters))
        if not rows:
            what = f"the subnet {wanted}" if wanted else "a default subnet"
            raise InvalidRequest(
                f"{doing}: the account does not have {what} in {zone or region}; "
                "name one in [providers.aws] subnet, or choose another zone"
            )
        chosen = min(rows, key=lambda row: (row["AvailabilityZone"], row["SubnetId"]))
        return chosen["SubnetId"], chosen["VpcId"]
