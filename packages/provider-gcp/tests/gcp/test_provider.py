"""What is Google's own, beyond the laws that hold for all providers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from longshore.errors import (
    AccessDenied,
    CloudUnreachable,
    ConfigError,
    CredentialsError,
    InvalidRequest,
    OutOfCapacity,
    ProviderError,
    QuotaExceeded,
    Throttled,
)
from longshore.model.offer import Needs, Offer
from longshore.plugin.keys import Key
from longshore.runtime.registry import Registry
from longshore.testing.clouds import Answer, GoogleCloud, Request, Trust
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import remembered_offers
from longshore_gcp.config import GcpConfig
from longshore_gcp.errors import Refused, translated
from longshore_gcp.labels import labels, read_tags, write_tags
from longshore_gcp.plugin import longshore_providers
from longshore_gcp.policy import least_role

from .description import check
from .rig import ACCOUNT, PROJECT, PUBLIC_KEY, ZONE, GcpRig

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


def mistakes(**options: Any) -> list[str]:
    registry = Registry()
    with pytest.raises(ConfigError) as caught:
        registry.options(registry.provider("gcp").config, options, "providers.gcp", place="longshore.toml:3")
    return [f"{each.key}: {each.message}" for each in caught.value.problems]


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
    assert not modules & {"google.api_core", "google.cloud", "requests"}


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
    assert body["scheduling"]["provisioningModel"] == "SPOT"
    assert body["scheduling"]["onHostMaintenance"] == "TERMINATE"
    cloud.reclaim(machine.id)
    rig.wait(provider.terms.listing_lag)
    assert list(provider.find(owner=rig.owner)) == []


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


def test_an_operation_that_never_ends_is_not_waited_for_longer_than_the_deadline(
    rig: GcpRig, cloud: GoogleCloud
) -> None:
    cloud.operations.waits = 1_000_000
    provider = rig.provider(deadline=timedelta(seconds=8))
    began = rig.now()
    with pytest.raises(CloudUnreachable, match="making a firewall rule"):
        provider.launch(rig.spec(), token="t-1")
    assert rig.now() - began <= provider.terms.deadline


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", OutOfCapacity, "another zone"),
        ("QUOTA_EXCEEDED", QuotaExceeded, "Quotas"),
        ("authError", CredentialsError, "gcloud auth"),
        ("forbidden", AccessDenied, "longshore gcp policy"),
        ("accessNotConfigured", AccessDenied, "gcloud services enable"),
        ("conditionNotMet", InvalidRequest, "policy"),
        ("rateLimitExceeded", Throttled, ""),
        ("resourceNotReady", InvalidRequest, "try again"),
        ("backendError", CloudUnreachable, ""),
        ("somethingNew", ProviderError, ""),
    ],
)
def test_what_google_says_is_of_its_class_and_says_what_mends_it(code: str, kind: type[Exception], remedy: str) -> None:
    cause = Refused(code, "no")
    with pytest.raises(ProviderError) as caught, translated("renting"):
        raise cause
    assert type(caught.value) is kind
    assert caught.value.__cause__ is cause
    assert remedy in str(caught.value)


class Elsewhere(GoogleCloud):
    """What answers is not what is meant: a proxy that asks for a login."""

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        del request, fault
        return Answer(status=200, body=["<html>"])


def test_an_answer_that_is_none_is_no_answer(
    trust: Trust, login: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in login.items():
        monkeypatch.setenv(name, value)
    cloud = Elsewhere(PROJECT, ACCOUNT)
    with cloud.serving(trust.context) as url, pytest.raises(CloudUnreachable, match="no answer of Google"):
        GcpRig(cloud, url, tmp_path).provider().find(owner="me")


def test_who_is_not_logged_in_is_told_how(rig: GcpRig, login: Mapping[str, str], tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="holds no login"):
        rig.provider(credentials_file=str(tmp_path / "none.json")).find(owner="me")
    assert list(rig.provider(credentials_file=login["GOOGLE_APPLICATION_CREDENTIALS"]).find(owner="me")) == []
    rig.fail(Fault.CREDENTIALS, on="*")
    with pytest.raises(CredentialsError, match="Invalid Credentials"):
        rig.provider().find(owner="me")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"zone": "europe-west4-z"}, "was not found"),
        ({"zone": ""}, "rents by zone"),
        ({"type": "e2-none"}, "machine type 'e2-none' was not found"),
    ],
)
def test_what_is_not_there_is_refused_in_words_and_nothing_is_rented(
    rig: GcpRig, change: Mapping[str, Any], words: str
) -> None:
    spec = rig.spec()
    with pytest.raises(InvalidRequest, match=words):
        rig.provider().launch(evolve(spec, offer=evolve(spec.offer, **change)), token="t-1")
    with pytest.raises(InvalidRequest, match="sourceImage"):
        rig.provider(image="windows-95").launch(spec, token="t-2")
    with pytest.raises(InvalidRequest, match="no key of 'mine'"):
        rig.provider(key=Key(name="mine")).launch(spec, token="t-3")
    assert rig.paid() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": "Windows 95"}, "is no image"),
        ({"project": "My Project"}, "is no project"),
        ({"regions": []}, "name a region"),
        ({"regions": ["europe"]}, "is no region"),
        ({"network": "a/b"}, "is no name"),
        ({"address": "id"}, "address"),
        ({"admit": ["everybody"]}, "is no network"),
        ({"colour": "red"}, "there is no such option"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, Any], words: str) -> None:
    assert words in mistakes(**options)[0]


def test_the_description_refuses_what_the_api_does_not_know() -> None:
    place = f"/compute/v1/projects/{PROJECT}/zones/{ZONE}/instances"
    request = Request(method="POST", path=place, body={"name": "a", "disks": [{"diskSizeGb": "10"}]})
    assert check(request, None) == ""
    assert "colour" in check(evolve(request, body={"colour": "red"}), None)
    assert "diskSizeGb" in check(evolve(request, body={"disks": [{"diskSizeGb": 10}]}), None)
    assert "['hurry']" in check(evolve(request, query={"hurry": "1"}), None)
    assert "no such method" in check(evolve(request, path=f"{place}/a/b/c"), None)
    assert check(request, Answer(status=200, body={"status": "FINE"})) != ""
