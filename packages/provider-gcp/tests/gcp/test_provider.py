"""What is Google's own, beyond the laws that hold for all providers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from longshore.errors import (
    CloudUnreachable,
    InvalidRequest,
    OutOfCapacity,
)
from longshore.machines.policies import least_policy
from longshore.model.offer import Needs, Offer
from longshore.model.resources import Resources
from longshore.plugin.keys import Key
from longshore.testing.clouds import Answer, GoogleCloud, Request
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import PUBLIC_KEY, remembered_offers
from longshore_gcp.config import GcpConfig
from longshore_gcp.errors import Refused
from longshore_gcp.labels import labels, read_tags, write_tags
from longshore_gcp.plugin import longshore_providers
from longshore_gcp.policy import least_role
from longshore_gcp.quotas import used_by

from .description import check
from .rig import ACCOUNT, PROJECT, ZONE, GcpRig

_PERMISSIONS: Mapping[str, set[str]] = {
    "projects.get": {"compute.projects.get"},
    "regions.get": {"compute.regions.get"},
    "instances.aggregatedList": {"compute.instances.list"},
    "instances.list": {"compute.instances.list"},
    "instances.insert": {
        "compute.instances.create",
        "compute.instances.setLabels",
        "compute.instances.setMetadata",
        "compute.instances.setTags",
        "compute.disks.create",
        "compute.subnetworks.use",
        "compute.subnetworks.useExternalIp",
    },
    "instances.get": {"compute.instances.get"},
    "instances.delete": {"compute.instances.delete"},
    "instances.stop": {"compute.instances.stop"},
    "instances.start": {"compute.instances.start"},
    "machineTypes.list": {"compute.machineTypes.list"},
    "zoneOperations.wait": {"compute.zoneOperations.get"},
    "globalOperations.wait": {"compute.globalOperations.get"},
    "firewalls.list": {"compute.firewalls.list"},
    "firewalls.insert": {"compute.firewalls.create", "compute.networks.updatePolicy"},
    "firewalls.patch": {"compute.firewalls.update", "compute.networks.updatePolicy"},
    "firewalls.delete": {"compute.firewalls.delete", "compute.networks.updatePolicy"},
    "services.skus.list": set(),
}
"""The permissions that each method needs, as its page in https://cloud.google.com/compute/docs/reference/rest says."""


def spot_offer(rig: GcpRig) -> Offer:
    return next(each for each in rig.provider().offers(Needs()) if each.spot)


def test_announcing_the_provider_does_not_import_the_sdk() -> None:
    code = "import sys, longshore_gcp.plugin as p; p.longshore_providers(); sys.exit('google.cloud' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert [record.name for record in longshore_providers()] == ["gcp"]


def test_what_is_remembered_is_listed_without_the_sdk(rig: GcpRig, tmp_path: Path) -> None:
    known = rig.provider().offers(Needs())
    asked = len(rig.requests())
    count, modules = remembered_offers(
        "gcp", {"regions": ["europe-west4"], "endpoint_url": rig.url, "billing_url": rig.url}, tmp_path
    )
    assert count == len(known)
    assert len(rig.requests()) == 2 * asked
    assert not modules & {"google.api_core", "google.auth", "google.cloud", "requests"}


def test_offers_have_prices_of_their_parts_and_are_remembered(rig: GcpRig) -> None:
    provider = rig.provider(regions=("europe-west4", "us-central1"))
    first = provider.offers(Needs())
    asked = len(rig.requests())
    assert [each.key for each in provider.offers(Needs())] == [each.key for each in first]
    assert len(rig.requests()) == asked
    rates = {(each.type, each.spot): each.price and each.price.per_hour.amount for each in first if each.zone == ZONE}
    assert {key: str(rate) for key, rate in rates.items() if rate is not None} == {
        ("e2-small", True): "0.0067000000",
        ("e2-small", False): "0.0167528550",
        ("e2-standard-4", True): "0.053600000",
        ("e2-standard-4", False): "0.134022840",
        ("n2-standard-4", False): "0.194236000",
        ("c4a-standard-4", False): "0.179200000",
        ("a2-highgpu-1g", False): "3.673385000",
    }
    assert {each.zone for each in first} == {"europe-west4-a", "europe-west4-b", "us-central1-a"}
    assert {each.type for each in provider.offers(Needs(arch="arm64"))} == {"c4a-standard-4"}
    assert {each.type for each in provider.offers(Needs(gpu_model="nvidia-tesla-a100"))} == {"a2-highgpu-1g"}


@pytest.mark.parametrize(
    "options", [{}, {"key": Key(name="me")}, {"key": Key(public_key=PUBLIC_KEY.replace(" me", " other"))}]
)
def test_a_whole_life_needs_every_permission_that_is_named_and_no_other(
    rig: GcpRig, cloud: GoogleCloud, options: Mapping[str, Any]
) -> None:
    cloud.project_keys.append(f"me:{PUBLIC_KEY.replace(' me', ' named')}")
    provider, spec = rig.provider(**options), rig.spec()
    assert provider.caller() == ACCOUNT
    assert provider.scope().account == PROJECT
    assert provider.offers(Needs())
    assert provider.room(spec.offer) == 12
    (machine,) = provider.launch(spec, token="t-1")
    provider.admit("198.51.100.9", owner=rig.owner)
    provider.stop([machine.id])
    provider.start([machine.id])
    rig.wait(provider.terms.listing_lag)
    provider.terminate([machine.id])
    provider.sweep([side.id for side in provider.find_sides(owner=rig.owner)], owner=rig.owner)
    assert rig.paid() == []
    assert cloud.firewalls.rows == {}
    needed = set[str]().union(*(_PERMISSIONS[method] for method in cloud.did))
    assert needed == set(least_role(GcpConfig())["includedPermissions"])


def test_machines_have_the_rights_of_the_account_that_is_named_and_whoever_rents_may_act_as_it(
    rig: GcpRig, cloud: GoogleCloud
) -> None:
    account = "controller@some-project.iam.gserviceaccount.com"
    more = {"compute.instances.setServiceAccount", "iam.serviceAccounts.actAs"}
    needed = set(least_role(GcpConfig(service_account=account))["includedPermissions"])
    assert needed - set(least_role(GcpConfig())["includedPermissions"]) == more

    rig.provider(service_account=account).launch(rig.spec(), token="t-1")

    [row] = cloud.instances.rows.values()
    [given] = row["serviceAccounts"]
    assert given["email"] == account


def test_the_role_that_is_printed_is_that_of_the_options_in_the_folder(tmp_path: Path) -> None:
    account = "controller@some-project.iam.gserviceaccount.com"
    table = f'[providers.cloud]\nplugin = "gcp"\nregions = ["europe-west4"]\nservice_account = "{account}"\n'
    (tmp_path / "longshore.toml").write_text(f'name = "w"\n{table}')
    printed = least_policy("gcp", tmp_path)
    assert printed == least_role(GcpConfig(service_account=account))
    assert json.loads(json.dumps(printed)) == printed


def test_any_tag_comes_back_and_those_that_can_be_are_labels(rig: GcpRig, cloud: GoogleCloud) -> None:
    tags = {"Équipe": "données ☀", "team": "a", "long": "x" * 100}
    assert read_tags([write_tags(tags)]) == tags
    assert read_tags(["[1]"]) == read_tags(["{"]) == read_tags([]) == read_tags(['{"a": 1}']) == {}
    assert labels(tags).keys() == {"team", "long"}
    (machine,) = rig.provider(tags=tags).launch(evolve(rig.spec(), project="Prévision ☂"), token="t-1")
    assert {key: machine.tags[key] for key in tags} == tags
    assert machine.tags["longshore-project"] == "Prévision ☂"
    assert cloud.instances.rows[machine.id]["labels"]["team"] == "a"


def test_an_owner_too_long_for_a_label_finds_what_is_theirs_alone(rig: GcpRig) -> None:
    owner = "somebody@" + "x" * 60
    (machine,) = rig.provider().launch(evolve(rig.spec(), owner=owner), token="t-1")
    rig.provider().launch(evolve(rig.spec(), owner=owner + "y"), token="t-1")
    rig.wait(rig.provider().terms.listing_lag)
    assert [each.id for each in rig.provider().find(owner=owner)] == [machine.id]


def test_ssh_is_let_in_from_the_caller_alone_and_the_machines_reach_each_other(rig: GcpRig, cloud: GoogleCloud) -> None:
    (machine,) = rig.provider().launch(rig.spec(), token="t-1")
    tags = cloud.instances.rows[machine.id]["tags"]["items"]
    rules = {name.rpartition("-")[2]: row for name, row in cloud.firewalls.rows.items()}
    assert rules["ssh"]["sourceRanges"] == ["203.0.113.7/32"]
    assert rules["ssh"]["allowed"] == [{"IPProtocol": "tcp", "ports": ["22"]}]
    assert rules["inside"]["sourceTags"] == tags
    assert {tuple(row["targetTags"]) for row in rules.values()} == {tuple(tags)}


def test_google_itself_ends_a_machine_at_its_end_time(rig: GcpRig) -> None:
    spec = rig.spec()
    rig.provider().launch(spec, token="t-1")
    rig.wait(spec.ends_at - rig.now() - timedelta(seconds=60))
    assert len(rig.paid()) == 1
    rig.wait(timedelta(seconds=61))
    assert rig.paid() == []


def test_a_spot_machine_is_one_and_goes_when_it_is_preempted(rig: GcpRig, cloud: GoogleCloud) -> None:
    provider = rig.provider()
    (machine,) = provider.launch(evolve(rig.spec(), offer=spot_offer(rig)), token="t-1")
    assert machine.spot
    (body,) = cloud.instances.births.values()
    assert body["scheduling"] == {
        "provisioningModel": "SPOT",
        "instanceTerminationAction": "DELETE",
        "terminationTime": rig.spec().ends_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "automaticRestart": False,
        "onHostMaintenance": "TERMINATE",
    }
    cloud.reclaim(machine.id)
    rig.wait(provider.terms.listing_lag)
    assert list(provider.find(owner=rig.owner)) == []


def test_host_keys_are_those_that_the_guest_agent_has_told_once_the_machine_runs(
    rig: GcpRig, cloud: GoogleCloud
) -> None:
    provider = rig.provider()
    (machine,) = provider.launch(rig.spec(), token="t-1")
    assert list(provider.host_keys(machine.id)) == []
    rig.wait(cloud.boot)
    (key,) = provider.host_keys(machine.id)
    assert key.startswith("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5")
    assert list(provider.host_keys(rig.nobody)) == []


def test_a_machine_takes_of_the_quota_of_its_series_and_of_its_gpus() -> None:
    size = Resources(cpus=12, memory_bytes=1 << 30, gpus=1)
    gpu = Offer(type="a2-highgpu-1g", region="us-central1", resources=size, gpu_model="nvidia-tesla-a100")
    assert used_by(gpu) == {"INSTANCES": 1.0, "A2_CPUS": 12.0, "NVIDIA_A100_GPUS": 1.0}
    assert used_by(evolve(gpu, spot=True))["PREEMPTIBLE_NVIDIA_A100_GPUS"] == 1.0
    plain = evolve(gpu, type="e2-small", resources=evolve(size, gpus=0))
    assert used_by(plain) == {"INSTANCES": 1.0, "CPUS": 12.0}


def test_room_is_what_the_tightest_quota_of_the_region_leaves(rig: GcpRig, cloud: GoogleCloud) -> None:
    cloud.instances.limit = 5.0
    provider = rig.provider()
    assert provider.room(rig.spec().offer) == 2
    provider.launch(rig.spec(), token="t-1")
    assert provider.room(rig.spec().offer) == 1
    used = {each.name: (each.limit, each.used) for each in provider.quotas()}
    assert used == {"CPUS": (5.0, 2.0), "N2_CPUS": (5.0, 0.0), "INSTANCES": (5.0, 1.0)}


def test_a_repeated_request_is_the_same_request(rig: GcpRig, cloud: GoogleCloud) -> None:
    rig.fail(Fault.REPLY_LOST, on="create")
    with pytest.raises(CloudUnreachable):
        rig.provider().launch(rig.spec(), token="t-1")
    (name,) = cloud.instances.rows
    (again,) = rig.provider().launch(rig.spec(), token="t-1")
    assert again.id == name
    assert again.born == datetime.fromisoformat(cloud.instances.rows[name]["creationTimestamp"])


def test_a_machine_of_somebody_else_by_our_name_is_left_alone(rig: GcpRig, cloud: GoogleCloud) -> None:
    (machine,) = rig.provider().launch(rig.spec(), token="t-1")
    items = cloud.instances.rows[machine.id]["metadata"]["items"]
    items[0]["value"] = write_tags({"longshore-owner": "other"})
    with pytest.raises(InvalidRequest, match="is not ours"):
        rig.provider().launch(rig.spec(), token="t-1")
    assert [each.id for each in rig.paid()] == [machine.id]


def test_an_operation_that_fails_says_why_and_leaves_nothing(rig: GcpRig) -> None:
    rig.fail(Fault.PARTIAL, on="create")
    with pytest.raises(OutOfCapacity, match="another zone") as caught:
        rig.provider().launch(rig.spec(), token="t-1")
    assert isinstance(caught.value.__cause__, Refused)
    assert rig.paid() == []


def test_the_description_refuses_what_the_api_does_not_know() -> None:
    place = f"/compute/v1/projects/{PROJECT}/zones/{ZONE}/instances"
    request = Request(method="POST", path=place, body={"name": "a", "disks": [{"diskSizeGb": "10"}]})
    assert check(request, None) == ""
    assert "colour" in check(evolve(request, body={"colour": "red"}), None)
    assert "diskSizeGb" in check(evolve(request, body={"disks": [{"diskSizeGb": 10}]}), None)
    assert "['hurry']" in check(evolve(request, query={"hurry": "1"}), None)
    assert "no such method" in check(evolve(request, path=f"{place}/a/b/c"), None)
    assert check(request, Answer(status=200, body={"status": "FINE"})) != ""
