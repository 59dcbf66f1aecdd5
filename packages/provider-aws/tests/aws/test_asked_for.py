"""What a config says is what AWS is asked for: image, place, key, disk, cores, spot, rights, tags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from longshore.errors import InvalidRequest
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Needs
from longshore.plugin.keys import Key
from longshore.testing.provider_rig import PUBLIC_KEY
from longshore_aws.config import Disk

from .rig import AwsRig, Cloud

NAMED = {
    "ubuntu-24.04": (
        "ubuntu",
        "canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        "canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
    ),
    "debian-12": ("admin", "debian/release/12/latest/amd64", "debian/release/12/latest/arm64"),
    "al2023": (
        "ec2-user",
        "ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
    ),
}
"""Who logs in, and where the makers publish the newest one for each architecture."""


def asked(rig: AwsRig, *, spec: MachineSpec | None = None, **options: Any) -> Mapping[str, str]:
    """Launch; give the form of the create call."""
    rig.provider(**options).launch(spec or rig.spec(), token="t-1")
    (form,) = [body for action, body in rig.requests() if action == "create"]
    return form  # type: ignore[no-any-return]  # it comes as JSON


def arm(spec: MachineSpec) -> MachineSpec:
    """Describe a machine of the other architecture."""
    return evolve(spec, offer=evolve(spec.offer, type="c6g.large", arch="arm64"))


def test_what_a_config_may_say_is_asked_for(rig: AwsRig, cloud: Cloud) -> None:
    cloud.furnish(network_tag=("team", "me"), key="mine", parameter="/mine/image")
    own = PUBLIC_KEY.replace(" me", " another")
    provider = rig.provider(
        network="tag:team=me",
        image="ssm:/mine/image",
        key=Key(public_key=own),
        disk=Disk(gib=80, kind="gp3", iops=4000),
        threads_per_core=1,
        tags={"cost": "r-7"},
        user="me",
    )
    spec = rig.spec()
    spec = evolve(spec, offer=evolve(spec.offer, type="c5.large"))
    (machine,) = provider.launch(spec, token="t-1")
    (form,) = [body for action, body in rig.requests() if action == "create"]
    wanted = {
        "ImageId": "resolve:ssm:/mine/image",
        "CpuOptions.CoreCount": "1",
        "CpuOptions.ThreadsPerCore": "1",
        "BlockDeviceMapping.1.Ebs.VolumeSize": "80",
        "BlockDeviceMapping.1.Ebs.VolumeType": "gp3",
        "BlockDeviceMapping.1.Ebs.Iops": "4000",
    }
    assert {key: form.get(key) for key in wanted} == wanted
    assert machine.tags["cost"] == "r-7"
    assert machine.resources.cpus == 1
    assert [side.kind for side in rig.sides()] == ["security-group", "key-pair"]
    assert {side.id for side in provider.sides_of(spec)} == {side.id for side in rig.sides()}


@pytest.mark.parametrize("name", NAMED)
def test_a_named_image_is_that_of_the_types_architecture_with_its_own_user(rig: AwsRig, name: str) -> None:
    user, amd, other = NAMED[name]
    options = {} if name == "ubuntu-24.04" else {"image": name}  # which is what nothing means
    provider = rig.provider(**options)
    (machine,) = provider.launch(rig.spec(), token="t-1")
    provider.launch(arm(rig.spec()), token="t-2")
    images = [form["ImageId"] for action, form in rig.requests() if action == "create"]
    assert images == [f"resolve:ssm:/aws/service/{amd}", f"resolve:ssm:/aws/service/{other}"]
    assert machine.address.startswith(f"{user}@")


@pytest.mark.parametrize("way", ["subnet id", "subnet tag", "network id", "default"])
def test_machines_are_put_where_the_config_says_by_id_by_tag_or_in_the_default_network(
    rig: AwsRig, cloud: Cloud, way: str
) -> None:
    admin, lonely = cloud.admin(), cloud.lonely_subnet()
    row = admin.describe_subnets(SubnetIds=[lonely])["Subnets"][0]
    admin.create_tags(Resources=[lonely], Tags=[{"Key": "team", "Value": "mine"}])
    usual = admin.describe_subnets(
        Filters=[
            {"Name": "default-for-az", "Values": ["true"]},
            {"Name": "availability-zone", "Values": [rig.spec().offer.zone]},
        ]
    )["Subnets"][0]["SubnetId"]
    options, place = {
        "subnet id": ({"subnet": lonely}, lonely),
        "subnet tag": ({"subnet": "tag:team=mine"}, lonely),
        "network id": ({"network": row["VpcId"]}, lonely),
        "default": ({}, usual),
    }[way]
    assert asked(rig, address="private", **options)["NetworkInterface.1.SubnetId"] == place


def test_a_spot_machine_costs_no_more_than_its_limit_and_ends_when_it_is_taken(rig: AwsRig) -> None:
    spec = rig.spec()
    form = asked(rig, spec=evolve(spec, offer=evolve(spec.offer, spot=True)), spot_limit="0.25")
    market = {key.rpartition(".")[2]: value for key, value in form.items() if key.startswith("InstanceMarketOptions.")}
    assert market == {
        "MarketType": "spot",
        "SpotInstanceType": "one-time",
        "InstanceInterruptionBehavior": "terminate",
        "MaxPrice": "0.25",
    }


def test_a_machine_has_the_rights_of_the_profile_that_is_named_and_an_unknown_one_is_refused(
    rig: AwsRig, cloud: Cloud
) -> None:
    with pytest.raises(InvalidRequest, match="nobody"):
        rig.provider(instance_profile="nobody").launch(rig.spec(), token="t-0")
    assert rig.paid() == []
    cloud.admin("iam").create_instance_profile(InstanceProfileName="worker")
    (machine,) = rig.provider(instance_profile="worker").launch(rig.spec(), token="t-1")
    (row,) = cloud.admin().describe_instances(InstanceIds=[machine.id])["Reservations"][0]["Instances"]
    assert row["IamInstanceProfile"]["Arn"].endswith("/worker")


def test_gpus_are_rented_by_their_number_and_their_model(rig: AwsRig) -> None:
    provider = rig.provider()

    def types(needs: Needs) -> set[str]:
        return {each.type for each in provider.offers(needs)}

    assert types(Needs(gpus=1)) == {"g4dn.xlarge", "g4dn.12xlarge", "g5.xlarge"}
    assert types(Needs(gpus=1, gpu_model="t4")) == {"g4dn.xlarge", "g4dn.12xlarge"}
    assert types(Needs(gpus=2)) == {"g4dn.12xlarge"}
    assert types(Needs(gpu_model="V100")) == set()


LOGINS = """
[longlived]
aws_access_key_id = {key}
aws_secret_access_key = {secret}
"""
CONFIG = """
[profile work]
role_arn = arn:aws:iam::123456789012:role/{role}
source_profile = longlived
region = eu-west-1
"""


def test_whoever_boto3_finds_in_the_files_of_the_user_rents_also_in_a_role_with_its_session(
    rig: AwsRig, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = cloud.admin("iam")
    iam.create_user(UserName="ann")
    made = iam.create_access_key(UserName="ann")["AccessKey"]
    iam.create_role(RoleName="renter", AssumeRolePolicyDocument="{}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text(LOGINS.format(key=made["AccessKeyId"], secret=made["SecretAccessKey"]))
    (tmp_path / "config").write_text(CONFIG.format(role="renter"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", cloud.url)

    assert rig.provider(profile="longlived").caller() == "ann@123456789012"
    in_role = rig.provider(profile="work", regions=())
    assert in_role.caller() == "renter@123456789012"
    assert in_role.scope().regions == {"eu-west-1"}
    (machine,) = in_role.launch(rig.spec(), token="t-1")
    assert [each.id for each in rig.paid()] == [machine.id]
