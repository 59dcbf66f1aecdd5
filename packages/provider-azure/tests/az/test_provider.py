"""What is Azure's own, beyond the laws that hold for all providers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from azure.core.exceptions import HttpResponseError

from longshore.errors import (
    InvalidRequest,
    OutOfCapacity,
    QuotaExceeded,
)
from longshore.machines.policies import least_policy
from longshore.model.offer import Needs, Offer
from longshore.plugin.keys import Key
from longshore.testing.clouds import Answer, Azure, Request
from longshore.testing.clouds.azure_words import token_for
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import PUBLIC_KEY
from longshore_azure.config import AzureConfig
from longshore_azure.policy import least_role

from .description import check
from .rig import ACCOUNT, REGION, ROLE, SUBSCRIPTION, AzureRig

_NETWORK, _RESOURCES = "Microsoft.Network", "Microsoft.Resources/subscriptions"
_VM = "Microsoft.Compute/virtualMachines"
_ACTIONS: Mapping[str, set[str]] = {
    "groups.list": {f"{_RESOURCES}/resourceGroups/read"},
    "groups.get": {f"{_RESOURCES}/resourceGroups/read"},
    "groups.put": {f"{_RESOURCES}/resourceGroups/write"},
    "groups.delete": {f"{_RESOURCES}/resourceGroups/delete"},
    "resources.list": {f"{_RESOURCES}/resources/read"},
    "resources.listGroup": {f"{_RESOURCES}/resourceGroups/resources/read"},
    "virtualMachines.list": {f"{_VM}/read"},
    "virtualMachines.get": {f"{_VM}/read"},
    "virtualMachines.put": {
        f"{_VM}/write",
        "Microsoft.Compute/disks/write",
        f"{_NETWORK}/networkInterfaces/write",
        f"{_NETWORK}/networkInterfaces/join/action",
        f"{_NETWORK}/networkSecurityGroups/join/action",
        f"{_NETWORK}/publicIPAddresses/write",
        f"{_NETWORK}/publicIPAddresses/join/action",
        f"{_NETWORK}/virtualNetworks/subnets/join/action",
    },
    "virtualMachines.delete": {
        f"{_VM}/delete",
        "Microsoft.Compute/disks/delete",
        f"{_NETWORK}/networkInterfaces/delete",
        f"{_NETWORK}/publicIPAddresses/delete",
    },
    "virtualMachines.deallocate": {f"{_VM}/deallocate/action"},
    "virtualMachines.start": {f"{_VM}/start/action"},
    "skus.list": {"Microsoft.Compute/skus/read"},
    "usages.list": {"Microsoft.Compute/locations/usages/read"},
    "sshPublicKeys.list": {"Microsoft.Compute/sshPublicKeys/read"},
    "operations.get": {"Microsoft.Compute/locations/operations/read", f"{_NETWORK}/locations/operations/read"},
    "networkInterfaces.list": {f"{_NETWORK}/networkInterfaces/read"},
    "networkInterfaces.get": {f"{_NETWORK}/networkInterfaces/read"},
    "publicIPAddresses.list": {f"{_NETWORK}/publicIPAddresses/read"},
    "publicIPAddresses.get": {f"{_NETWORK}/publicIPAddresses/read"},
    "networkSecurityGroups.get": {f"{_NETWORK}/networkSecurityGroups/read"},
    "networkSecurityGroups.put": {f"{_NETWORK}/networkSecurityGroups/write"},
    "networkSecurityGroups.delete": {f"{_NETWORK}/networkSecurityGroups/delete"},
    "securityRules.put": {f"{_NETWORK}/networkSecurityGroups/securityRules/write"},
    "securityRules.get": {f"{_NETWORK}/networkSecurityGroups/securityRules/read"},
    "virtualNetworks.get": {f"{_NETWORK}/virtualNetworks/read"},
    "virtualNetworks.put": {f"{_NETWORK}/virtualNetworks/write"},
    "virtualNetworks.delete": {f"{_NETWORK}/virtualNetworks/delete"},
}
"""What each request needs, as https://learn.microsoft.com/azure/role-based-access-control/permissions says."""


def spot_offer(rig: AzureRig) -> Offer:
    return next(each for each in rig.provider().offers(Needs()) if each.spot and each.price)


def end_all(rig: AzureRig, **options: Any) -> None:
    provider = rig.provider(**options)
    rig.wait(provider.terms.listing_lag)
    provider.terminate([each.id for each in provider.find(owner=rig.owner)])
    rig.wait(provider.terms.listing_lag)
    provider.sweep([side.id for side in provider.find_sides(owner=rig.owner)], owner=rig.owner)


_REMEMBERED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from longshore.model.offer import Needs
from longshore.plugin.catalogue import Catalogue
from longshore_azure.plugin import longshore_providers
from longshore_azure.provider import AzureProvider
[record] = longshore_providers()
config = record.config(regions=(sys.argv[1],), endpoint_url=sys.argv[2], prices_url=sys.argv[2])
kept = Catalogue(Path(sys.argv[3]), now=lambda: datetime.now(UTC))
print(len(AzureProvider(config, catalogue=kept).offers(Needs())), any(each.startswith("azure") for each in sys.modules))
"""


def test_what_is_remembered_is_listed_without_the_sdk(rig: AzureRig) -> None:
    known = rig.provider().offers(Needs())
    asked = len(rig.requests())
    argv = [sys.executable, "-c", _REMEMBERED, REGION, rig.url, str(rig.folder / "1")]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert said == f"{len(known)} False\n"
    assert len(rig.requests()) == asked


def test_offers_have_prices_of_the_list_and_are_remembered(rig: AzureRig) -> None:
    provider = rig.provider(regions=(REGION, "eastus"))
    first = provider.offers(Needs())
    asked = len(rig.requests())
    assert [each.key for each in provider.offers(Needs())] == [each.key for each in first]
    assert len(rig.requests()) == asked
    rates = {(e.type, e.spot): e.price and str(e.price.per_hour.amount) for e in first if e.region == REGION}
    assert rates == {
        ("Standard_D2s_v5", True): "0.023",
        ("Standard_D4s_v5", True): "0.046",
        ("Standard_B2s", False): "0.048",
        ("Standard_D2s_v5", False): "0.115",
        ("Standard_D4ps_v5", False): "0.184",
        ("Standard_D4s_v5", False): "0.23",
        ("Standard_NC4as_T4_v3", False): "0.658",
        ("Standard_D4ps_v5", True): None,
        ("Standard_NC4as_T4_v3", True): None,
        ("Standard_Z9_never_priced", False): None,
        ("Standard_Z9_never_priced", True): None,
    }
    assert {each.region for each in first} == {REGION, "eastus"}
    assert {each.type for each in provider.offers(Needs(arch="arm64"))} == {"Standard_D4ps_v5"}
    assert {each.type for each in provider.offers(Needs(gpu_model="T4"))} == {"Standard_NC4as_T4_v3"}


def test_zones_that_are_named_are_those_that_are_rented_in(rig: AzureRig, cloud: Azure) -> None:
    provider = rig.provider(zones=("1", "2"))
    assert {each.zone for each in provider.offers(Needs())} == {"1"}
    (machine,) = provider.launch(evolve(rig.spec(), offer=evolve(rig.spec().offer, zone="1")), token="t-1")
    assert (machine.zone, cloud.births[machine.id]["zones"]) == ("1", ["1"])


@pytest.mark.parametrize("key", [Key(create=True), Key(name="mine")])
def test_a_whole_life_needs_every_right_that_is_named_and_no_other(rig: AzureRig, cloud: Azure, key: Key) -> None:
    cloud.add_group("keys", {"location": REGION})
    named = PUBLIC_KEY.replace(" me", " named")
    cloud.add("keys", "sshPublicKeys", "mine", {"location": REGION, "properties": {"publicKey": named}})
    provider, spec = rig.provider(key=key), rig.spec()
    assert provider.caller() == ACCOUNT
    assert provider.scope().account == SUBSCRIPTION
    assert provider.room(spec.offer) == 12
    (machine,) = provider.launch(spec, token="t-1")
    provider.admit("198.51.100.9", owner=rig.owner)
    provider.stop([machine.id])
    provider.start([machine.id])
    end_all(rig)
    assert rig.paid() == []
    assert list(cloud.groups) == ["keys"]
    needed = set[str]().union(*(_ACTIONS[what] for what in cloud.did))
    allowed = set(least_role(AzureConfig())["Actions"])
    assert needed <= allowed
    assert allowed - needed <= (set() if key.name else {"Microsoft.Compute/sshPublicKeys/read"})
    keys = cloud.births[machine.id]["properties"]["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"]
    assert [each["keyData"] for each in keys] == [PUBLIC_KEY, *([named] if key.name else [])]


def test_the_role_that_is_printed_is_that_of_the_options_in_the_folder(tmp_path: Path) -> None:
    table = f'[providers.cloud]\nplugin = "azure"\nregions = ["{REGION}"]\nend_role = "{ROLE}"\n'
    (tmp_path / "longshore.toml").write_text(f'name = "w"\n{table}')
    printed = least_policy("azure", tmp_path)
    assert printed == least_role(AzureConfig(end_role=ROLE))
    assert json.loads(json.dumps(printed)) == printed


def test_the_end_of_a_machine_takes_exactly_what_is_its_own(rig: AzureRig, cloud: Azure) -> None:
    rig.crowd(2)
    provider = rig.provider()
    (kept,) = provider.launch(rig.spec(), token="t-1")
    before = set(cloud.resources)
    (doomed,) = provider.launch(rig.spec(), token="t-2")
    kinds = [each.split("/")[-2] for each in sorted(set(cloud.resources) - before)]
    assert kinds == ["disks", "virtualmachines", "networkinterfaces", "publicipaddresses"]
    provider.terminate([doomed.id])
    assert set(cloud.resources) == before
    assert kept.id in cloud.rows()


def forget(cloud: Azure, machine: str) -> list[str]:
    """Let a machine be gone as if its launch had failed half-way; name what it was made with, which stays."""
    name = machine.rpartition("/")[2]
    (place,) = (each for each in cloud.resources if each.endswith(f"/virtualmachines/{name}"))
    del cloud.resources[place]
    return sorted(each for each in cloud.resources if f"/{name}-" in each)


def test_what_a_launch_has_left_behind_is_listed_and_swept_while_other_machines_live(
    rig: AzureRig, cloud: Azure
) -> None:
    provider = rig.provider()
    (kept,) = provider.launch(rig.spec(), token="t-1")
    before = set(cloud.resources)
    shared = {side.id for side in provider.find_sides(owner=rig.owner)}
    (lost,) = provider.launch(rig.spec(), token="t-2")
    left = forget(cloud, lost.id)
    sides = {side.id: side.kind for side in provider.find_sides(owner=rig.owner) if side.id not in shared}
    assert sorted(sides.values()) == ["address", "disk", "nic"]
    provider.sweep(sides, owner=rig.owner)
    assert len(left) == 3
    assert set(cloud.resources) == before
    assert kept.id in cloud.rows()


def test_what_a_launch_has_left_behind_goes_with_its_network(rig: AzureRig, cloud: Azure) -> None:
    provider = rig.provider()
    (lost,) = provider.launch(rig.spec(), token="t-1")
    forget(cloud, lost.id)
    provider.sweep([side.id for side in provider.sides_of(rig.spec())], owner=rig.owner)
    assert (dict(cloud.resources), dict(cloud.groups)) == ({}, {})


def test_a_disk_of_somebody_else_by_the_name_of_ours_stays(rig: AzureRig, cloud: Azure) -> None:
    provider = rig.provider()
    (lost,) = provider.launch(rig.spec(), token="t-1")
    for each in forget(cloud, lost.id):
        cloud.resources[each]["tags"] = {"longshore-owner": rig.owner, "longshore-token": "t-9"}
    left = set(cloud.resources)
    provider.sweep([f"disk/{lost.id}-disk", f"nic/{lost.id}-nic", f"address/{lost.id}-address"], owner=rig.owner)
    assert set(cloud.resources) == left


@pytest.mark.parametrize("tagged", [False, True])
def test_a_resource_group_that_the_config_names_is_never_deleted(rig: AzureRig, cloud: Azure, tagged: bool) -> None:
    cloud.add_group("Team", {"location": REGION, "tags": rig.spec().owner_tags() if tagged else {}})
    provider = rig.provider(resource_group="Team")
    (machine,) = provider.launch(rig.spec(), token="t-1")
    assert machine.id.startswith("team/")
    end_all(rig, resource_group="Team")
    assert cloud.resources == {}
    provider.sweep(["group/team", "group/Team"], owner=rig.owner)
    rig.provider().sweep(["group/team", "group/Team"], owner=rig.owner)
    assert list(cloud.groups) == ["team"]


def test_a_resource_group_of_somebody_else_by_the_name_of_ours_is_neither_used_nor_deleted(
    rig: AzureRig, cloud: Azure
) -> None:
    (side,) = (side for side in rig.provider().sides_of(rig.spec()) if side.kind == "group")
    cloud.add_group(side.id.removeprefix("group/"), {"location": REGION, "tags": {"team": "theirs"}})
    before = dict(cloud.groups)
    with pytest.raises(InvalidRequest, match="is not ours"):
        rig.provider().launch(rig.spec(), token="t-1")
    rig.provider().sweep([side.id], owner=rig.owner)
    assert cloud.groups == before
    assert cloud.resources == {}


def test_our_resource_group_stays_while_somebody_elses_thing_is_in_it(rig: AzureRig, cloud: Azure) -> None:
    (machine,) = rig.provider().launch(rig.spec(), token="t-1")
    group = machine.id.partition("/")[0]
    cloud.add(group, "publicIPAddresses", "theirs", {"location": REGION})
    end_all(rig)
    assert [row["name"] for row in cloud.resources.values()] == ["theirs"]
    assert list(cloud.groups) == [group]


def test_a_machine_that_no_list_shows_yet_keeps_its_network(rig: AzureRig, cloud: Azure) -> None:
    provider = rig.provider()
    provider.launch(rig.spec(), token="t-1")
    before = set(cloud.resources)
    provider.sweep([side.id for side in provider.find_sides(owner=rig.owner)], owner=rig.owner)
    assert set(cloud.resources) == before
    assert len(cloud.groups) == 1


def test_a_network_that_is_there_is_used_and_stays(rig: AzureRig, cloud: Azure) -> None:
    cloud.add_group("net", {"location": REGION})
    theirs = cloud.add("net", "virtualNetworks", "vnet", {"location": REGION})
    options = {"subnet": f"{theirs['id']}/subnets/inside", "address": "private"}
    (machine,) = rig.provider(**options).launch(rig.spec(), token="t-1")
    assert machine.address.startswith("longshore@10.0.")
    assert not any("/publicipaddresses/" in each for each in cloud.resources)
    end_all(rig, **options)
    assert list(cloud.resources.values()) == [theirs]


def test_ssh_is_let_in_from_the_caller_alone(rig: AzureRig, cloud: Azure) -> None:
    rig.provider().launch(rig.spec(), token="t-1")
    (rule,) = (rule for row in cloud.resources.values() for rule in row["properties"].get("securityRules", ()))
    said = rule["properties"]
    assert (said["direction"], said["access"], said["destinationPortRange"]) == ("Inbound", "Allow", "22")
    assert said["sourceAddressPrefixes"] == ["203.0.113.7/32"]


def test_a_machine_that_is_powered_off_costs_until_it_is_ended(rig: AzureRig, cloud: Azure) -> None:
    provider = rig.provider()
    (machine,) = provider.launch(rig.spec(), token="t-1")
    cloud.powered_off(machine.id)
    assert provider.terms.power_off_still_costs
    assert [each.id for each in rig.paid()] == [machine.id]
    end_all(rig)
    assert rig.paid() == []


def test_a_spot_machine_has_its_price_and_is_gone_when_it_is_evicted(rig: AzureRig, cloud: Azure) -> None:
    provider = rig.provider(max_price=0.1)
    (machine,) = provider.launch(evolve(rig.spec(), offer=spot_offer(rig)), token="t-1")
    assert machine.spot
    said = cloud.births[machine.id]["properties"]
    assert (said["priority"], said["evictionPolicy"], said["billingProfile"]) == ("Spot", "Delete", {"maxPrice": 0.1})
    cloud.reclaim(machine.id)
    rig.wait(provider.terms.listing_lag)
    assert list(provider.find(owner=rig.owner)) == []
    assert not any("/disks/" in each for each in cloud.resources)


def test_a_machine_of_somebody_else_by_our_name_is_left_alone(rig: AzureRig, cloud: Azure) -> None:
    (machine,) = rig.provider().launch(rig.spec(), token="t-1")
    row = cloud.rows()[machine.id]
    row["tags"] = {"longshore-owner": "other"}
    with pytest.raises(InvalidRequest, match="is not ours"):
        rig.provider().launch(rig.spec(), token="t-1")
    assert cloud.rows()[machine.id] is row


def test_every_machine_is_asked_for_only_where_there_is_none_of_its_name(rig: AzureRig, cloud: Azure) -> None:
    conditions: list[str | None] = []

    class Watched(Azure):
        def answer(self, request: Request, fault: Fault | None) -> Answer:
            if self.action_of(request) == "create":
                conditions.append(request.headers.get("if-none-match"))
            return super().answer(request, fault)

    cloud.__class__ = Watched
    rig.provider().launch(rig.spec(), token="t-1", count=2)
    assert conditions == ["*", "*"]


def test_what_has_changed_since_it_was_read_is_not_changed_by_who_wants_it_as_it_was(
    rig: AzureRig, cloud: Azure
) -> None:
    (machine,) = rig.provider().launch(rig.spec(), token="t-1")
    [path] = [each for each in cloud.resources if "/networksecuritygroups/" in each]
    look = Request(method="GET", path=path, token=token_for({"appid": ACCOUNT}))
    body = {"location": REGION, "properties": {"securityRules": []}}
    condition = {"host": "localhost", "if-match": cloud.answer(look, None).headers["ETag"]}
    change = evolve(look, method="PUT", body=body, headers=condition)

    first, second = cloud.answer(change, None), cloud.answer(change, None)

    assert (first.status, second.status) == (201, 412)
    assert second.body["error"]["code"] == "PreconditionFailed"
    assert machine.id in cloud.rows()


def test_two_launches_at_once_under_one_token_make_one_machine(rig: AzureRig, cloud: Azure) -> None:
    rig.fail(Fault.DUPLICATE, on="create")
    (machine,) = rig.provider().launch(rig.spec(), token="t-1")
    assert list(cloud.rows()) == [machine.id]
    assert list(cloud.births) == [machine.id]


def test_an_operation_that_fails_says_why_and_leaves_nothing(rig: AzureRig, cloud: Azure) -> None:
    rig.fail(Fault.PARTIAL, on="create")
    with pytest.raises(OutOfCapacity, match="another type or region") as caught:
        rig.provider().launch(rig.spec(), token="t-1")
    assert isinstance(caught.value.__cause__, HttpResponseError)
    assert rig.paid() == []
    assert not any(kind in each for each in cloud.resources for kind in ("/disks/", "/networkinterfaces/"))


def test_a_quota_that_is_spent_is_told_from_what_is_not_allowed(rig: AzureRig, cloud: Azure) -> None:
    cloud.limit = 3
    rig.provider().launch(rig.spec(), token="t-1")
    assert rig.provider().room(rig.spec().offer) == 0
    with pytest.raises(QuotaExceeded, match="Usage"):
        rig.provider().launch(rig.spec(), token="t-2")
    assert len(rig.paid()) == 1


def test_the_models_refuse_what_the_api_does_not_know() -> None:
    place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v"
    request = Request(method="PUT", path=place, body={"location": REGION, "zones": ["1"]})
    assert check(request, None) == ""
    assert "colour" in check(evolve(request, body={"location": REGION, "colour": "red"}), None)
    assert "no list" in check(evolve(request, body={"location": REGION, "zones": "1"}), None)
    assert "only Azure" in check(evolve(request, body={"properties": {"provisioningState": "Failed"}}), None)
    assert "no model" in check(evolve(request, path="/subscriptions/s/what/ever"), None)
    assert check(request, Answer(status=200, body={"properties": {"priority": 1}})) != ""
    assert check(request, Answer(status=409, body={"error": {"code": "Conflict", "message": "no"}})) == ""
    assert "no such field" in check(request, Answer(status=409, body={"code": "Conflict"}))
