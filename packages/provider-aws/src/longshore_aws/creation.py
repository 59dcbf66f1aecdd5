"""The create call, in AWS's words: all that a machine is born with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve

from longshore.errors import OutOfCapacity
from longshore.model.machine_spec import MachineSpec, Tag
from longshore.model.offer import Offer
from longshore.plugin.boot import first_boot
from longshore_aws.catalog import Catalog
from longshore_aws.config import AwsConfig
from longshore_aws.network import Network
from longshore_aws.notice import NOTICE
from longshore_aws.sides import Sides, imported_key
from longshore_aws.tags import as_list

__all__ = ["Creation"]

_TAGGED = ("instance", "volume", "network-interface")


class Creation:
    """Writes create calls. Any thread may ask."""

    def __init__(self, config: AwsConfig, network: Network, sides: Sides, catalog: Catalog) -> None:
        self._config = config
        self._network = network
        self._sides = sides
        self._catalog = catalog

    def request(self, spec: MachineSpec, token: str, count: int, *, together: str = "") -> dict[str, Any]:
        """Write the call: it follows from the spec and the token, and from what the account has. Side resources that
        are missing are made; ``together`` is the token of machines that are launched close to each other.

        Raises:
            ProviderError: when something that the call must name is not there, and cannot be made.
        """
        offer, user = spec.offer, self._config.login(spec.image)
        self._check_limit(offer)
        tags = as_list({**self._config.tags, **spec.tags(token), Tag.USER: user})
        image = self._network.image(spec.image or self._config.image, offer.region, offer.arch)
        place = self._network.place(offer.region, offer.zone)
        cpu_options = self._catalog.cpu_options(offer.region, offer.type)
        group, key = self._sides.ensure(spec, place.network, together=together)
        request: dict[str, Any] = {
            "ClientToken": token,
            "MinCount": count,
            "MaxCount": count,
            "ImageId": image.id,
            "InstanceType": offer.type,
            "Placement": {
                **({"AvailabilityZone": offer.zone} if offer.zone else {}),
                **({"GroupName": f"longshore-{together}"} if together else {}),
            },
            "NetworkInterfaces": [self._interface(place.subnet, group)],
            "BlockDeviceMappings": [{"DeviceName": image.device, "Ebs": self._disk()}],
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 2},
            "UserData": self._first_boot(spec, user),
            "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in _TAGGED],
        }
        if key:
            request["KeyName"] = key
        if cpu_options:
            request["CpuOptions"] = cpu_options
        if self._config.instance_profile:
            request["IamInstanceProfile"] = {"Name": self._config.instance_profile}
        if offer.spot:
            request["InstanceMarketOptions"] = self._market()
        return request

    def _check_limit(self, offer: Offer) -> None:
        """Refuse a spot machine that is known to cost more than the limit, before anything is made for it."""
        limit, price = self._config.spot_limit, offer.price
        if offer.spot and limit and price is not None and price.per_hour.amount > Decimal(limit):
            raise OutOfCapacity(
                f"{offer} costs {price.per_hour} an hour, and spot_limit is {limit} USD; raise spot_limit in "
                "[providers.aws], or rent on demand"
            )

    def _interface(self, subnet: str, group: str) -> dict[str, Any]:
        return {
            "DeviceIndex": 0,
            "AssociatePublicIpAddress": self._config.address == "public",
            "SubnetId": subnet,
            "Groups": [group],
            "DeleteOnTermination": True,
        }

    def _disk(self) -> dict[str, Any]:
        return {
            "DeleteOnTermination": True,
            "Encrypted": True,
            "VolumeSize": self._config.disk.gib,
            "VolumeType": self._config.disk.kind,
            **({} if self._config.disk.iops is None else {"Iops": self._config.disk.iops}),
        }

    def _market(self) -> dict[str, Any]:
        limit = {"MaxPrice": self._config.spot_limit} if self._config.spot_limit else {}
        options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate", **limit}
        return {"MarketType": "spot", "SpotOptions": options}

    def _first_boot(self, spec: MachineSpec, user: str) -> str:
        own = imported_key(self._config)
        keys = spec.keys if own in {"", *spec.keys} else (*spec.keys, own)
        notice = NOTICE if spec.offer.spot else ""
        return first_boot(evolve(spec, keys=keys), user=user, scripts=(self._config.user_data,), notice=notice)
