"""What a config says of machines is what Azure is asked for."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from longshore.errors import InvalidRequest
from longshore.model.offer import Needs
from longshore.plugin.keys import Key
from longshore.testing.clouds import Azure
from longshore.testing.provider_rig import PUBLIC_KEY
from longshore_azure.config import IMAGES, image_reference

from .rig import REGION, AzureRig

_OWN = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/ours/images/base/versions/1.0.0"


def born(rig: AzureRig, cloud: Azure, *, arch: str = "x86_64", **options: Any) -> Mapping[str, Any]:
    """Rent a machine; give the body of the request that has made it."""
    spec = rig.spec()
    spec = evolve(spec, offer=evolve(spec.offer, type="Standard_D4ps_v5", arch=arch)) if arch == "arm64" else spec
    (machine,) = rig.provider(**options).launch(spec, token="t-1")
    return cloud.births[machine.id]


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize("image", IMAGES)
def test_each_name_of_an_image_is_one_of_azures_for_each_kind_of_processor(
    rig: AzureRig, cloud: Azure, image: str, arch: str
) -> None:
    asked = born(rig, cloud, arch=arch, image=image)["properties"]["storageProfile"]["imageReference"]
    assert ":".join(asked.values()) == IMAGES[image][arch]
    assert ("arm64" in asked["sku"]) == (arch == "arm64")


def test_an_image_of_ones_own_is_meant_by_its_id() -> None:
    assert image_reference(_OWN, "x86_64") == {"id": _OWN}
    assert image_reference("a:b:c:1.2", "arm64") == {"publisher": "a", "offer": "b", "sku": "c", "version": "1.2"}


def test_a_public_key_of_the_config_may_log_in_besides_ours(rig: AzureRig, cloud: Azure, tmp_path: Path) -> None:
    mine = tmp_path / "id.pub"
    mine.write_text(PUBLIC_KEY.replace(" me", " mine") + "\n")
    system = born(rig, cloud, key=Key(public_key=str(mine)))["properties"]["osProfile"]
    assert system["linuxConfiguration"]["disablePasswordAuthentication"]
    keys = system["linuxConfiguration"]["ssh"]["publicKeys"]
    assert [each["keyData"] for each in keys] == [PUBLIC_KEY, PUBLIC_KEY.replace(" me", " mine")]
    assert {each["path"] for each in keys} == {"/home/longshore/.ssh/authorized_keys"}


def test_a_machine_that_nobody_could_log_in_to_is_not_asked_for(rig: AzureRig) -> None:
    with pytest.raises(InvalidRequest, match="public_key"):
        rig.provider().launch(evolve(rig.spec(), keys=()), token="t-1")
    assert not any(action == "create" for action, _ in rig.requests())


def test_the_users_script_is_executed_after_what_makes_a_machine_end_itself(rig: AzureRig, cloud: Azure) -> None:
    body = born(rig, cloud, user_data="#!/bin/sh\necho mine\n")
    boot = base64.b64decode(body["properties"]["osProfile"]["customData"]).decode()
    written = [base64.b64decode(each).decode() for each in re.findall(r"printf %s (\S+) \| base64 -d", boot)]
    assert written[-2:] == ["#!/bin/sh\necho mine\n", rig.spec().boot_script]


def test_disk_and_tags_are_those_of_the_config(rig: AzureRig, cloud: Azure) -> None:
    body = born(rig, cloud, disk_gib=64, disk_type="Premium_LRS", tags={"team": "wind"})
    disk = body["properties"]["storageProfile"]["osDisk"]
    assert (disk["diskSizeGB"], disk["managedDisk"]["storageAccountType"]) == (64, "Premium_LRS")
    assert {row["tags"].get("team") for row in cloud.resources.values() if "longshore-token" in row["tags"]} == {"wind"}


def test_types_that_a_zone_lacks_are_not_offered_there(rig: AzureRig) -> None:
    offers = rig.provider(zones=("1", "3"), regions=(REGION,)).offers(Needs())
    assert {each.zone for each in offers if each.type == "Standard_D4s_v5"} == {"1"}
