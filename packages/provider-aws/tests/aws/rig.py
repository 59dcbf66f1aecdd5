"""An account on the AWS of the tests, as the contract of providers asks for it."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from attrs import frozen

from longshore.model.machine_spec import MachineSpec, SideResource
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.plugin.catalogue import Catalogue
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import PUBLIC_KEY, Paid, answer_within, lookalikes, small_machine
from longshore_aws.config import AwsConfig
from longshore_aws.provider import AwsProvider

from .cloud.network import open_network

__all__ = ["IMAGE", "REGION", "AwsRig", "Cloud", "running_cloud"]

REGION = "eu-west-1"
_NOBODY: Mapping[str, Any] = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin"}
IMAGE = "ami-03cf127a"
"""An image that this AWS has."""
_PATIENCE_SECONDS = 600.0
"""So long the stand-in may take for anything: a busy computer is no fault of its."""
_LIVING = ["pending", "running", "stopping", "stopped"]
_WATCH = re.compile(r"setsid sh \S+longshore-watch (\d+) ")


@cache
def _client(service: str, url: str, region: str = REGION) -> Any:
    """Make a client, once: the SDK reads a description of all that a service can do."""
    return boto3.client(service, region_name=region, endpoint_url=url, **_NOBODY)


@frozen(kw_only=True)
class Cloud:
    """Where the AWS of the tests answers."""

    url: str
    books: str

    def control(self, what: str, **body: Any) -> Any:
        """Tell the layer something, or ask it."""
        request = urllib.request.Request(f"{self.books}/-/{what}", data=json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as answer:
            return json.load(answer)

    def reset(self) -> None:
        """Begin with an empty account."""
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.books}/moto-api/reset", method="POST"), timeout=_PATIENCE_SECONDS
        ) as answer:
            answer.read()
        self.control("reset")
        open_network(self.admin())

    def open_region(self, region: str) -> None:
        """Let another region be as the usual one."""
        open_network(self.admin(region=region))

    def furnish(self, *, network_tag: tuple[str, str], key: str, parameter: str) -> None:
        """Let the account have what a config may name: a tagged network, a key pair, an image by a parameter."""
        admin = self.admin()
        network = admin.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        admin.create_tags(Resources=[network], Tags=[{"Key": network_tag[0], "Value": network_tag[1]}])
        admin.import_key_pair(KeyName=key, PublicKeyMaterial=PUBLIC_KEY.encode())
        self.admin("ssm").put_parameter(Name=parameter, Value=IMAGE, Type="String")
        self.control("parameter", name=parameter, value=IMAGE)

    def lonely_subnet(self) -> str:
        """Make a network that nothing leads out of, and a subnet in it."""
        admin = self.admin()
        network = admin.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        made = admin.create_subnet(VpcId=network, CidrBlock="10.9.1.0/24", AvailabilityZone=f"{REGION}a")
        return str(made["Subnet"]["SubnetId"])

    def admin(self, service: str = "ec2", region: str = REGION) -> Any:
        """Look at the account past the layer."""
        return _client(service, self.books, region)


@contextmanager
def running_cloud(hosts: Path | None = None) -> Iterator[Cloud]:
    """Start it, and end it; with a folder for ``hosts`` its machines are real."""
    argv = [sys.executable, "-W", "ignore", "-m", "aws.cloud.server", *([str(hosts)] if hosts is not None else [])]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the stand-in for AWS did not start"
            ports = json.loads(line)
            cloud = Cloud(url=f"http://127.0.0.1:{ports['aws']}", books=f"http://127.0.0.1:{ports['books']}")
            yield cloud
        finally:
            try:
                process.communicate(timeout=_PATIENCE_SECONDS)  # it ends with its input, and its hosts with it
            finally:
                process.kill()


class AwsRig:
    """What the contract asks for."""

    owner = "me"
    secrets: Sequence[str] = ("s3cr3t-host-key", "s3cr3t-login-key")

    def __init__(self, cloud: Cloud, folder: Path, *, test: str = "") -> None:
        self.cloud = cloud
        self._answer = answer_within(test)
        self._folder = folder
        self._made = 0
        self._began = self.now()

    def provider(self, *, address_url: str = "", **options: Any) -> AwsProvider:
        """Log in anew, and remember nothing of what was listed before; ``address_url`` says from where we call."""
        self._made += 1
        admit = () if address_url else ("203.0.113.7/32",)
        given = {"regions": (REGION,), "deadline": timedelta(minutes=1) + 6 * self._answer, **options}
        config = AwsConfig(endpoint_url=self.cloud.url, admit=admit, **given)
        kept = Catalogue(self._folder / str(self._made), now=lambda: datetime.now(UTC))
        return AwsProvider(config, catalogue=kept, answer=self._answer, address_url=address_url)

    def spec(self) -> MachineSpec:
        """Describe a small machine."""
        offer = Offer(
            type="t3.micro",
            region=REGION,
            zone=f"{REGION}a",
            resources=Resources(cpus=2, memory_bytes=1 << 30, disk_bytes=30 << 30),
        )
        return small_machine(offer, owner=self.owner, secret=self.secrets[0], began=self._began)

    def now(self) -> datetime:
        """The cloud's time."""
        return datetime.fromisoformat(self.cloud.control("now"))

    def wait(self, duration: timedelta) -> None:
        """Let it pass for the cloud."""
        if taken := self.cloud.control("wait", seconds=duration.total_seconds()):
            self.cloud.admin().terminate_instances(InstanceIds=taken)

    def reclaim(self, machine: str, *, after: timedelta) -> None:
        """Take a spot machine back, after so long."""
        self.cloud.control("reclaim", machine=machine, after=after.total_seconds())

    def paid(self) -> Sequence[Paid]:
        """Look into the books."""
        births = self.cloud.control("births")
        pages = self.cloud.admin().get_paginator("describe_instances")
        rows = pages.paginate(Filters=[{"Name": "instance-state-name", "Values": _LIVING}])
        machines = [row for page in rows for reservation in page["Reservations"] for row in reservation["Instances"]]
        return [_paid(row["InstanceId"], births.get(row["InstanceId"], {})) for row in machines]

    def sides(self) -> Sequence[SideResource]:
        """Look at groups and keys."""
        admin = self.cloud.admin()
        groups = [each for each in admin.describe_security_groups()["SecurityGroups"] if each["GroupName"] != "default"]
        rows = [("security-group", each["GroupName"], each) for each in groups]
        rows += [
            ("key-pair", each["KeyName"], each)
            for each in admin.describe_key_pairs()["KeyPairs"]
            if each["KeyName"] != "mine"
        ]
        return [
            SideResource(
                id=f"{REGION}/{kind}/{name}",
                kind=kind,
                region=REGION,
                tags={tag["Key"]: tag["Value"] for tag in row.get("Tags", ())},
            )
            for kind, name, row in rows
        ]

    def lose_disk(self, tags: Mapping[str, str]) -> None:
        """Leave a disk behind that no machine has."""
        rows = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.cloud.admin().create_volume(
            AvailabilityZone=f"{REGION}a", Size=8, TagSpecifications=[{"ResourceType": "volume", "Tags": rows}]
        )

    def admitted(self) -> Sequence[str]:
        """Look at who is let in by SSH."""
        groups = self.cloud.admin().describe_security_groups()["SecurityGroups"]
        ranges = [each for group in groups for rule in group["IpPermissions"] for each in rule["IpRanges"]]
        return [each["CidrIp"].removesuffix("/32") for each in ranges]

    def crowd(self, count: int) -> None:
        """Let colleagues rent, and name their tags much like ours."""
        admin = self.cloud.admin()
        known = len(self.sides())
        others = lookalikes(self.owner)
        for place, tags in enumerate(others):
            rows = [{"Key": key, "Value": value} for key, value in tags.items()]
            share = count // len(others) + (place < count % len(others))
            if not share:
                continue
            admin.run_instances(
                ImageId=IMAGE,
                MinCount=share,
                MaxCount=share,
                InstanceType="t3.micro",
                TagSpecifications=[{"ResourceType": "instance", "Tags": rows}],
            )
            admin.create_security_group(
                GroupName=f"others-{known}-{place}",
                Description="of others",
                TagSpecifications=[{"ResourceType": "security-group", "Tags": rows}],
            )

    def fail(self, fault: Fault, *, on: str) -> None:
        """Arrange a mishap."""
        self.cloud.control("fail", fault=str(fault), on=on)

    def requests(self) -> Sequence[tuple[str, Any]]:
        """List what has arrived."""
        return [(action, body) for action, body in self.cloud.control("requests")]


def _paid(machine: str, form: Mapping[str, str]) -> Paid:
    script = base64.b64decode(form.get("UserData", "")).decode()
    end = _WATCH.search(script)
    ends = end and form.get("InstanceInitiatedShutdownBehavior") == "terminate"
    tags = {}
    for key, value in form.items():
        if match := re.fullmatch(r"TagSpecification\.1\.Tag\.(\d+)\.Key", key):
            tags[value] = form[f"TagSpecification.1.Tag.{match.group(1)}.Value"]
    return Paid(
        id=machine,
        born_tags=tags,
        born_ends_at=datetime.fromtimestamp(int(end.group(1)), UTC) if end and ends else None,
    )
