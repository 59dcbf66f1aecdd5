"""An account on the AWS of the tests whose machines are real hosts, as the story of providers asks for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import field, frozen

from .rig import REGION, Cloud

__all__ = ["AwsAccount", "AwsHosts"]


@frozen
class AwsHosts:
    """The hosts of the stand-in, which is another process."""

    _cloud: Cloud
    _disks: Path

    @property
    def proxy_command(self) -> str:
        """The way to a host."""
        return str(self._cloud.control("proxy"))

    def living(self) -> Collection[str]:
        """Name those that have power."""
        return list(self._cloud.control("hosts"))

    def wait_off(self, seconds: float) -> bool:
        """Wait until none has power; say whether that came."""
        return bool(self._cloud.control("off", seconds=seconds))

    def disk(self, name: str) -> Path:
        """Give the folder of a host's disk."""
        return self._disks / name


@frozen
class AwsAccount:
    """A `longshore.testing.story.Account`."""

    cloud: Cloud
    hosts: AwsHosts
    provider: str = field(default="aws", init=False)
    pool: str = field(default='type = "t3.micro"', init=False)
    user: str = field(default="ubuntu", init=False)
    deadline: str = field(default="60 s", init=False)

    @classmethod
    def of(cls, cloud: Cloud, disks: Path) -> AwsAccount:
        """Take a stand-in, and where the disks of its hosts are."""
        return cls(cloud, AwsHosts(cloud, disks))

    @property
    def options(self) -> str:
        """Lines of the provider's table."""
        return f'regions = ["{REGION}"]\nendpoint_url = "{self.cloud.url}"\nadmit = ["203.0.113.7/32"]'

    @property
    def variables(self) -> Mapping[str, str]:
        """What boto3 finds the login by."""
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "s3cr3t-login-key",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def machines(self) -> Sequence[str]:
        """List the instances that there are, past the layer."""
        wanted: list[Any] = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopped"]}]
        pages = self.cloud.admin().get_paginator("describe_instances").paginate(Filters=wanted)
        return [row["InstanceId"] for page in pages for group in page["Reservations"] for row in group["Instances"]]

    def sides(self) -> Sequence[str]:
        """Name groups, keys and disks."""
        admin = self.cloud.admin()
        groups = [each["GroupName"] for each in admin.describe_security_groups()["SecurityGroups"]]
        keys = [each["KeyName"] for each in admin.describe_key_pairs()["KeyPairs"]]
        disks = [each["VolumeId"] for each in admin.describe_volumes()["Volumes"]]
        return [name for name in groups if name != "default"] + keys + disks

    def reclaim(self, machine: str, *, after: timedelta) -> None:
        """Take a spot machine back, after so long."""
        self.cloud.control("reclaim", machine=machine, after=after.total_seconds())
