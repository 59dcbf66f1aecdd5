"""What is AWS's own, beyond the laws that hold for all providers."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from attrs import evolve

from longshore.model.offer import Needs
from longshore.runtime.admission import Admission
from longshore_aws.plugin import longshore_providers

from .rig import REGION, AwsRig, Cloud


def test_announcing_the_provider_does_not_import_the_sdk() -> None:
    code = (
        "import sys, longshore_aws.plugin as p; p.longshore_providers(); print({'boto3', 'botocore'} & {*sys.modules})"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"
    assert [record.name for record in longshore_providers()] == ["aws"]


def test_machines_are_born_with_their_disk_encrypted_their_metadata_guarded_and_their_end_for_good(
    rig: AwsRig,
) -> None:
    rig.provider().launch(rig.spec(), token="t-1")
    (form,) = [body for action, body in rig.requests() if action == "create"]
    wanted = {
        "BlockDeviceMapping.1.Ebs.Encrypted": "true",
        "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
        "MetadataOptions.HttpTokens": "required",
        "InstanceInitiatedShutdownBehavior": "terminate",
        "ClientToken": "t-1",
    }
    assert {key: form.get(key) for key in wanted} == wanted


def test_ssh_is_let_in_from_the_caller_alone_and_the_machines_reach_each_other(rig: AwsRig, cloud: Cloud) -> None:
    rig.provider().launch(rig.spec(), token="t-1")
    groups = cloud.admin().describe_security_groups()["SecurityGroups"]
    (group,) = [each for each in groups if each["GroupName"].startswith("longshore-")]
    rules = [
        (
            rule.get("FromPort"),
            [each["CidrIp"] for each in rule["IpRanges"]],
            [each["GroupId"] for each in rule["UserIdGroupPairs"]],
        )
        for rule in group["IpPermissions"]
    ]
    assert rules == [(22, ["203.0.113.7/32"], []), (None, [], [group["GroupId"]])]


def test_a_new_address_of_the_caller_takes_the_place_of_the_old_one(rig: AwsRig, cloud: Cloud) -> None:
    provider = rig.provider()
    provider.launch(rig.spec(), token="t-1")
    provider.admit("198.51.100.9", owner=rig.owner)
    groups = cloud.admin().describe_security_groups()["SecurityGroups"]
    (group,) = [each for each in groups if each["GroupName"].startswith("longshore-")]
    admitted = [each["CidrIp"] for rule in group["IpPermissions"] for each in rule["IpRanges"]]
    assert admitted == ["198.51.100.9/32"]


class Mirror(BaseHTTPRequestHandler):
    """Tells callers their address, as it is set."""

    seen_from = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{type(self).seen_from}\n".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror() -> Iterator[tuple[type[Mirror], str]]:
    kind = type("OneMirror", (Mirror,), {})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kind, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_machines_let_the_caller_in_from_where_he_is_now_and_ask_for_nothing_while_he_stays(
    rig: AwsRig, mirror: tuple[type[Mirror], str]
) -> None:
    kind, url = mirror
    kind.seen_from = "192.0.2.1"
    provider = rig.provider(address_url=url)
    provider.launch(rig.spec(), token="t-1")
    assert rig.admitted() == ["192.0.2.1"]
    admission = Admission(provider, rig.owner)
    admission.follow()
    kind.seen_from = "192.0.2.2"
    admission.follow()
    assert rig.admitted() == ["192.0.2.2"]
    asked = len(rig.requests())
    admission.follow()
    assert len(rig.requests()) == asked
    kind.seen_from = "not an address"
    admission.follow()
    assert rig.admitted() == ["192.0.2.2"]


def test_in_all_regions_machines_are_found_and_ended_and_nothing_is_left(rig: AwsRig, cloud: Cloud) -> None:
    both = (REGION, "us-east-1")
    cloud.open_region("us-east-1")
    provider = rig.provider(regions=both)
    spec = rig.spec()
    far = evolve(spec, offer=evolve(spec.offer, region="us-east-1", zone="us-east-1a"))
    machines = [*provider.launch(spec, token="t-1"), *provider.launch(far, token="t-2")]
    rig.wait(timedelta(minutes=3))
    assert sorted(each.region for each in provider.find(owner=rig.owner)) == sorted(both)
    assert provider.scope().regions == set(both)
    provider.terminate([each.id for each in machines])
    rig.wait(timedelta(minutes=3))
    assert provider.find(owner=rig.owner) == []
    sides = provider.find_sides(owner=rig.owner)
    assert {side.region for side in sides} == set(both)
    assert {side.id for side in sides} == {side.id for each in (spec, far) for side in provider.sides_of(each)}
    provider.sweep([side.id for side in sides], owner=rig.owner)
    assert provider.find_sides(owner=rig.owner) == []


def test_a_group_that_something_still_depends_on_stays_with_its_key_and_goes_by_the_next_sweep(
    rig: AwsRig, cloud: Cloud
) -> None:
    provider = rig.provider()
    (machine,) = provider.launch(rig.spec(), token="t-1")
    provider.terminate([machine.id])
    rig.wait(timedelta(minutes=3))
    both = {side.id for side in provider.find_sides(owner=rig.owner)}
    cloud.control("fail", fault="code:DependencyViolation", on="DeleteSecurityGroup")
    provider.sweep(both, owner=rig.owner)
    assert {side.id for side in rig.sides()} == both
    provider.sweep(both, owner=rig.owner)
    assert rig.sides() == []


def test_who_says_who_is_let_in_is_not_followed(rig: AwsRig) -> None:
    assert rig.provider().address() is None


def test_offers_have_prices_from_the_price_list_and_the_spot_history_and_say_so(rig: AwsRig) -> None:
    offers = rig.provider().offers(Needs(type="c5.xlarge"))
    prices = {(each.zone, each.spot): each.price for each in offers}
    assert {key: price and price.source for key, price in prices.items()} == {
        (f"{REGION}{letter}", spot): "spot history" if spot else "price list"
        for letter in "abc"
        for spot in (True, False)
    }
    on_demand = prices[f"{REGION}a", False]
    assert on_demand is not None
    assert str(on_demand.per_hour.amount) == "0.192"


def test_a_price_that_nobody_tells_is_unknown_and_comes_last(rig: AwsRig) -> None:
    offers = rig.provider().offers(Needs(type="c5.9xlarge"))
    assert [each.price is None for each in offers] == [False, False, False, True, True, True]


def test_a_price_list_that_may_not_be_read_leaves_prices_unknown_and_offers_there(rig: AwsRig, cloud: Cloud) -> None:
    cloud.control("deny", actions=["GetProducts"])
    offers = rig.provider().offers(Needs(type="c5.xlarge"))
    assert {each.price is None for each in offers if not each.spot} == {True}
