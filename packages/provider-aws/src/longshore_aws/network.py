"""Where a machine is placed and what it boots from, looked up in the account and remembered for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import frozen

from longshore.errors import InvalidRequest
from longshore_aws.clients import Clients
from longshore_aws.config import IMAGES, AwsConfig
from longshore_aws.errors import translated

__all__ = ["Image", "Network", "Place"]

_DEVICES = {"ubuntu-24.04": "/dev/sda1", "ubuntu-22.04": "/dev/sda1", "debian-12": "/dev/xvda", "al2023": "/dev/xvda"}
"""Name of the first disk in each image, which its maker does not change."""
_REMEMBERED = 300.0
"""Seconds. Launches come in groups, and AWS counts what it is asked."""

_T = TypeVar("_T")


@frozen(kw_only=True)
class Image:
    """What a create call says of an image."""

    id: str
    """An id, or ``resolve:ssm:PATH``, which AWS itself resolves: so a repeated call is identical."""
    device: str


@frozen(kw_only=True)
class Place:
    """Where a machine is put; both by id."""

    subnet: str
    network: str


class Network:
    """Looks up images, subnets and networks. Any thread may ask."""

    def __init__(self, clients: Clients, config: AwsConfig) -> None:
        self._clients = clients
        self._config = config
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], tuple[float, Any]] = {}

    def _once(self, what: tuple[str, ...], ask: Callable[[], _T]) -> _T:
        """Ask, unless that was done a short time ago; refusals are not remembered."""
        with self._lock:
            at, answer = self._known.get(what, (0.0, None))
        if answer is not None and time.monotonic() < at + _REMEMBERED:
            return answer  # type: ignore[no-any-return]  # what was kept under these words is what `ask` gives
        found = ask()
        with self._lock:
            self._known[what] = time.monotonic(), found
        return found

    def image(self, wanted: str, region: str, arch: str) -> Image:
        """Find an image by name, id or parameter, for an architecture.

        Raises:
            InvalidRequest: when there is none.
        """
        named = IMAGES.get(wanted)
        if named is not None:
            return Image(id=f"resolve:ssm:{named.path(arch)}", device=_DEVICES[wanted])
        return self._once(("image", wanted, region, arch), lambda: self._image(wanted, region, arch))

    def _image(self, wanted: str, region: str, arch: str) -> Image:
        if wanted.startswith("ssm:"):
            path = wanted.removeprefix("ssm:")
            return Image(id=f"resolve:ssm:{path}", device=self._device(self._parameter(path, region), region, arch))
        if wanted.startswith("ami-"):
            return Image(id=wanted, device=self._device(wanted, region, arch))
        raise InvalidRequest(f"{wanted!r} is no image; use {', '.join(IMAGES)}, an id (ami-...), or ssm:/path")

    def _parameter(self, path: str, region: str) -> str:
        with translated(f"looking up the image ssm:{path} in {region}"):
            return str(self._clients.of("ssm", region).get_parameter(Name=path)["Parameter"]["Value"])

    def _device(self, image: str, region: str, arch: str) -> str:
        with translated(f"looking up the image {image} in {region}"):
            rows = self._clients.of("ec2", region).describe_images(ImageIds=[image])["Images"]
        if not rows:
            raise InvalidRequest(f"there is no image {image} in {region}; ids differ from region to region")
        made_for = rows[0].get("Architecture", arch)
        if made_for != arch:
            raise InvalidRequest(f"the image {image} is for {made_for}, and the machine is {arch}; name another one")
        return str(rows[0].get("RootDeviceName") or "/dev/sda1")

    def place(self, region: str, zone: str) -> Place:
        """Find the subnet for a zone (empty for any), and the network that it is in.

        Raises:
            InvalidRequest: when the account has none that fits, or machines there could not be reached.
        """
        return self._once(("place", region, zone), lambda: self._place(region, zone))

    def _place(self, region: str, zone: str) -> Place:
        filters = self._filters(region)
        if zone:
            filters.append({"Name": "availability-zone", "Values": [zone]})
        doing = "looking for a subnet"
        rows = list(self._clients.listed(doing, region, "describe_subnets", "Subnets", Filters=filters))
        if not rows:
            wanted = self._config.subnet or self._config.network
            what = f"a subnet as in {wanted}" if wanted else "a default subnet"
            raise InvalidRequest(
                f"{doing}: the account does not have {what} in {zone or region}; "
                "name one in [providers.aws] subnet, or choose another zone"
            )
        chosen = min(rows, key=lambda row: (row["AvailabilityZone"], row["SubnetId"]))
        place = Place(subnet=chosen["SubnetId"], network=chosen["VpcId"])
        if self._config.address == "public":
            self._check_route(region, place)
        return place

    def _filters(self, region: str) -> list[dict[str, Any]]:
        subnet, filters = self._config.subnet, list[dict[str, Any]]()
        if subnet:
            filters.append(_tag_or("subnet-id", subnet))
        if self._config.network:
            filters.append({"Name": "vpc-id", "Values": [self._network(region)]})
        return filters or [{"Name": "default-for-az", "Values": ["true"]}]

    def _network(self, region: str) -> str:
        wanted = self._config.network
        if not wanted.startswith("tag:"):
            return wanted
        filters = [_tag_or("vpc-id", wanted)]
        rows = list(self._clients.listed("looking for a network", region, "describe_vpcs", "Vpcs", Filters=filters))
        if len(rows) != 1:
            raise InvalidRequest(
                f"looking for a network: {len(rows)} networks in {region} have the tag {wanted.removeprefix('tag:')}, "
                "and one is wanted; name it by its id in [providers.aws] network"
            )
        return str(rows[0]["VpcId"])

    def _check_route(self, region: str, place: Place) -> None:
        """Refuse a subnet whose machines could not be reached by a public address, before they cost anything."""

        def tables(name: str, value: str) -> Sequence[Mapping[str, Any]]:
            filters = [{"Name": name, "Values": [value]}]
            doing = f"looking at the routes of {place.subnet}"
            return list(self._clients.listed(doing, region, "describe_route_tables", "RouteTables", Filters=filters))

        found = tables("association.subnet-id", place.subnet) or [
            table
            for table in tables("vpc-id", place.network)
            if any(each.get("Main") for each in table.get("Associations", ()))
        ]
        if not any(_leads_out(route) for table in found for route in table.get("Routes", ())):
            raise InvalidRequest(
                f"the subnet {place.subnet} in {region} has no route to an internet gateway, so its machines have no "
                'public address that leads to them; write address = "private" in [providers.aws] and reach them '
                "through a jump host, or name another subnet"
            )


def _leads_out(route: Mapping[str, Any]) -> bool:
    everywhere = route.get("DestinationCidrBlock") == "0.0.0.0/0" or route.get("DestinationIpv6CidrBlock") == "::/0"
    return everywhere and str(route.get("GatewayId", "")).startswith("igw-") and route.get("State") != "blackhole"


def _tag_or(name: str, wanted: str) -> dict[str, Any]:
    """Filter by a tag, as in ``tag:NAME=VALUE``, else by an id."""
    if not wanted.startswith("tag:"):
        return {"Name": name, "Values": [wanted]}
    key, _, value = wanted.removeprefix("tag:").partition("=")
    return {"Name": f"tag:{key}", "Values": [value]}
