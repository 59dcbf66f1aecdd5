"""What cannot be is said in one sentence, with what mends it, before anything is paid for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from longshore.errors import (
    AccessDenied,
    ConfigError,
    CredentialsError,
    InvalidRequest,
    OutOfCapacity,
    ProviderError,
    QuotaExceeded,
)
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Needs
from longshore.plugin.keys import Key
from longshore.runtime.registry import Registry
from longshore_aws.config import AwsConfig
from longshore_aws.provider import AwsProvider

from .rig import REGION, AwsRig, Cloud


def refused(rig: AwsRig, kind: type[ProviderError], *, spec: MachineSpec | None = None, **options: Any) -> str:
    """Launch in vain; give what is said."""
    with pytest.raises(ProviderError) as caught:
        rig.provider(**options).launch(spec or rig.spec(), token="t-1")
    assert type(caught.value) is kind
    assert rig.paid() == []
    return str(caught.value)


def mistakes(**options: Any) -> list[str]:
    """Read a table of options; give what is said of it."""
    registry = Registry()
    record = registry.provider("aws")
    with pytest.raises(ConfigError) as caught:
        registry.options(record.config, options, "providers.aws", place="longshore.toml:3")
    return [f"{each.key}: {each.message} -> {each.remedy}" for each in caught.value.problems]


def test_no_credentials(rig: AwsRig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    assert "log in again, or name a profile in [providers.aws]" in refused(rig, CredentialsError)


def test_a_profile_that_nobody_has_written(rig: AwsRig) -> None:
    assert "nobody" in refused(rig, CredentialsError, profile="nobody")


@pytest.mark.parametrize(
    ("code", "words"),
    [("ExpiredToken", "the session is over; log in again"), ("RequestTimeTooSkewed", "set the clock of this computer")],
)
def test_an_expired_token_and_a_clock_that_is_wrong(rig: AwsRig, cloud: Cloud, code: str, words: str) -> None:
    cloud.control("fail", fault=f"code:{code}", on="*")
    assert words in refused(rig, CredentialsError)


def test_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(InvalidRequest, match=r'name one: \[providers.aws\] regions = \["eu-west-1"\]'):
        AwsProvider(AwsConfig()).offers(Needs())


def test_a_region_that_there_is_not() -> None:
    with pytest.raises(InvalidRequest, match=r"'eu-wset-1' is no region .* did you mean eu-west-1"):
        AwsProvider(AwsConfig(regions=("eu-wset-1",))).find(owner="me")
    assert "'Ireland' is no region" in mistakes(regions=["Ireland"])[0]


@pytest.mark.parametrize("image", ["ami-00000000", "ssm:/no/such"])
def test_an_image_that_is_not_there(rig: AwsRig, image: str) -> None:
    assert image in refused(rig, InvalidRequest, image=image)
    assert "is no image; use ubuntu-24.04" in mistakes(image="windows")[0]


def test_an_image_for_another_architecture(rig: AwsRig) -> None:
    spec = rig.spec()
    arm = evolve(spec, offer=evolve(spec.offer, type="c6g.large", arch="arm64"))
    assert "is for x86_64, and the machine is arm64" in refused(rig, InvalidRequest, spec=arm, image="ami-03cf127a")


def test_a_type_that_is_not_offered(rig: AwsRig, cloud: Cloud) -> None:
    assert rig.provider().offers(Needs(type="t9.mega")) == []
    cloud.control("fail", fault="code:InvalidInstanceType", on="create")
    assert "`longshore offers --provider aws` lists the types" in refused(rig, InvalidRequest)


def test_a_spot_limit_below_the_price(rig: AwsRig, cloud: Cloud) -> None:
    cloud.control("fail", fault="code:SpotMaxPriceTooLow", on="create")
    assert "raise spot_limit in [providers.aws]" in refused(rig, OutOfCapacity, spot_limit="0.0001")
    assert "'cheap' is no price" in mistakes(spot_limit="cheap")[0]


def test_a_spot_limit_below_the_price_that_is_known_is_told_before_anything_is_made(rig: AwsRig) -> None:
    offer = next(each for each in rig.provider().offers(Needs(type="t3.micro")) if each.spot)
    said = refused(rig, OutOfCapacity, spec=evolve(rig.spec(), offer=offer), spot_limit="0.000001")
    assert "costs 0.00001 USD an hour, and spot_limit is 0.000001 USD; raise spot_limit" in said
    assert rig.sides() == []


def test_a_quota_of_nothing_is_known_before_a_launch_is_tried(rig: AwsRig, cloud: Cloud) -> None:
    assert rig.provider().room(evolve(rig.spec().offer, type="p3.2xlarge")) == 0
    cloud.control("fail", fault="code:VcpuLimitExceeded", on="create")
    assert "Service Quotas" in refused(rig, QuotaExceeded)


def test_a_zone_without_a_subnet(rig: AwsRig) -> None:
    spec = rig.spec()
    elsewhere = evolve(spec, offer=evolve(spec.offer, zone=f"{REGION}z"))
    assert "does not have a default subnet in eu-west-1z" in refused(rig, InvalidRequest, spec=elsewhere)
    assert rig.sides() == []


def test_a_subnet_without_a_way_out(rig: AwsRig, cloud: Cloud) -> None:
    subnet = cloud.lonely_subnet()
    said = refused(rig, InvalidRequest, subnet=subnet)
    assert f"the subnet {subnet} in {REGION} has no route to an internet gateway" in said
    assert 'write address = "private"' in said
    assert rig.sides() == []
    (machine,) = rig.provider(subnet=subnet, address="private").launch(rig.spec(), token="t-2")
    assert machine.address.startswith("ubuntu@10.")
    (by_id,) = rig.provider(subnet=subnet, address="id").launch(rig.spec(), token="t-3")
    assert by_id.address == f"ubuntu@{by_id.id}"


def test_a_network_that_two_have_the_tag_of(rig: AwsRig) -> None:
    said = refused(rig, InvalidRequest, network="tag:team=nobody")
    assert "0 networks in eu-west-1 have the tag team=nobody, and one is wanted" in said


def test_a_limit_of_security_groups(rig: AwsRig, cloud: Cloud) -> None:
    cloud.control("fail", fault="code:SecurityGroupLimitExceeded", on="CreateSecurityGroup")
    assert "Service Quotas" in refused(rig, QuotaExceeded)


@pytest.mark.parametrize("action", ["RunInstances", "CreateSecurityGroup", "ImportKeyPair", "DescribeSubnets"])
def test_one_right_that_is_missing_is_named(rig: AwsRig, cloud: Cloud, action: str) -> None:
    cloud.control("deny", actions=[action])
    said = refused(rig, AccessDenied)
    assert action in said
    assert "`longshore aws policy` prints all that is needed" in said


def test_tags_in_any_script_come_back_as_they_were_given(rig: AwsRig) -> None:
    tags = {"Équipe": "données ☀", "проект": "ночь", "费用": "中心"}
    spec = evolve(rig.spec(), project="Prévision ☂")
    (machine,) = rig.provider(tags=tags).launch(spec, token="t-1")
    assert {key: machine.tags[key] for key in tags} == tags
    assert machine.tags["longshore-project"] == "Prévision ☂"


def test_more_tags_than_aws_takes() -> None:
    said = mistakes(tags={f"t{number}": "x" for number in range(51)})
    assert "51 tags are more than the 40 that AWS leaves beside ours" in said[0]


def test_a_key_of_another_providers_config() -> None:
    (said,) = mistakes(project_id="p-1")
    assert said.startswith("providers.aws.project_id: there is no such option -> ")
    (near,) = mistakes(region=["eu-west-1"])
    assert near == "providers.aws.region: there is no such option -> did you mean regions?"


def test_a_key_pair_that_is_not_there(rig: AwsRig) -> None:
    said = refused(rig, InvalidRequest, key=Key(name="mine"))
    assert "there is no key pair 'mine' in eu-west-1" in said
    assert rig.sides() == []


def test_a_public_key_that_is_none(rig: AwsRig) -> None:
    assert "/nonexistent.pub cannot be read" in refused(rig, InvalidRequest, key=Key(public_key="/nonexistent.pub"))
    ecdsa = "ecdsa-sha2-nistp256 AAAA me"
    assert "can be used: ssh-ed25519, ssh-rsa" in refused(rig, InvalidRequest, key=Key(public_key=ecdsa))
    both = mistakes(key={"create": True, "name": "mine"})
    assert "write one of create = true" in both[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"address": "dns"}, "address"),
        ({"threads_per_core": 4}, "threads_per_core"),
        ({"disk": {"gib": 1}}, "disk"),
        ({"disk": {"kind": "io2"}}, "a disk of the kind io2 needs iops"),
        ({"disk": {"gib": "30"}}, "a whole number is wanted"),
        ({"network": "my-network"}, "is no network"),
        ({"subnet": "my-subnet"}, "is no subnet"),
        ({"regions": "eu-west-1"}, "a list is wanted"),
    ],
)
def test_an_option_of_the_wrong_form_is_named(options: dict[str, Any], words: str) -> None:
    said = mistakes(**options)
    assert words in said[0]


def test_user_data_that_is_too_long(rig: AwsRig) -> None:
    assert "16384" in refused(rig, InvalidRequest, user_data="#!/bin/sh\n" + "#" * 20_000)


PROJECT = """
name = "pv"
max_cost = "1 USD"

[providers.aws]
regions = ["{region}"]
endpoint_url = "{url}"
admit = ["203.0.113.7/32"]
image = "ami-00000000"

[pools.cloud]
provider = "aws"
type = "t3.micro"
machines = {{ max = 1 }}

[tasks.job]
command = "true"
pool = "cloud"
"""


def test_a_run_whose_options_aws_can_never_take_fails_for_its_configuration_and_says_what_mends_it(
    cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "longshore.toml").write_text(PROJECT.format(region=REGION, url=cloud.url))
    homes = {name: str(tmp_path / name) for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    ran = subprocess.run(
        [sys.executable, "-m", "longshore_cli", "run"],
        cwd=tmp_path,
        env={**os.environ, **homes},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    *_, last = ran.stderr.partition("failed  job  configuration\n")
    assert ran.returncode == 1, ran.stderr
    assert "looking up the image ami-00000000 in eu-west-1" in last
    assert "name one that is there; ids differ from region to region" in last
    assert cloud.admin().describe_instances()["Reservations"] == []
