"""What a machine of Azure does by itself: it hears that it will be taken, and ends itself for good."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import InvalidRequest
from longshore.testing.clouds import Azure, Request
from longshore.testing.fake_metadata import Said, ask, missing, path_with
from longshore_azure.config import AzureConfig
from longshore_azure.notice import NOTICE
from longshore_azure.policy import least_role

from .rig import ROLE, AzureRig

_TESTS = Path(__file__).parents[1]
_PAGE = _TESTS.parents[2] / "docs" / "how-to" / "azure.md"
_SECONDS = 120
_DELETE = "Microsoft.Compute/virtualMachines/delete"
_DEALLOCATE = "Microsoft.Compute/virtualMachines/deallocate/action"


@pytest.fixture
def apart() -> None:
    """Skip where there can be no network of a machine's own."""
    if reason := missing():
        pytest.skip(reason)


def asked(said: Mapping[str, Any], folder: Path) -> tuple[int, str]:
    """Ask as a machine's watch does."""
    place = "/metadata/scheduledevents?api-version=2020-07-01"
    answers = [Said(path=place, text=json.dumps(said), headers={"Metadata": "true"})]
    return ask(NOTICE, answers, folder=folder, path=path_with(folder / "tools", "python3"))


def event(**said: str) -> Mapping[str, Any]:
    return {"DocumentIncarnation": 1, "Events": [{"EventId": "e", "EventStatus": "Scheduled", **said}]}


@pytest.mark.usefixtures("apart")
def test_a_machine_that_will_be_taken_learns_when(tmp_path: Path) -> None:
    said = event(EventType="Preempt", NotBefore="Thu, 01 Jan 2026 00:00:30 GMT")
    assert asked(said, tmp_path) == (0, "1767225630\n")


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("said", [{"Events": []}, event(EventType="Reboot", NotBefore=""), {}])
def test_a_machine_that_nobody_takes_learns_nothing(tmp_path: Path, said: Mapping[str, Any]) -> None:
    assert asked(said, tmp_path) == (1, "")


def role_of_the_page() -> Sequence[str]:
    (text,) = re.findall(r'```json title="machine-role.json"\n(.*?)```', _PAGE.read_text(), re.DOTALL)
    actions: Sequence[str] = json.loads(text)["Actions"]
    return actions


@pytest.mark.usefixtures("apart")
def test_a_machine_with_the_role_of_the_page_deletes_itself_and_else_is_deallocated(tmp_path: Path) -> None:
    assert role_of_the_page() == [_DELETE, _DEALLOCATE]
    roles = json.dumps([role_of_the_page(), [_DEALLOCATE]])
    argv = ["unshare", "--net", "--map-root-user", sys.executable, "-m", "az.world", str(tmp_path), roles]
    done = subprocess.run(argv, cwd=_TESTS, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert (done.stdout, done.stderr) == ("gone running\ndeallocated running\n", "")


def test_a_machine_may_do_nothing_to_another(rig: AzureRig, cloud: Azure) -> None:
    cloud.roles[ROLE] = role_of_the_page()
    provider = rig.provider(end_role=ROLE)
    (one,), (two,) = provider.launch(rig.spec(), token="t-1"), provider.launch(rig.spec(), token="t-2")
    token = cloud.token_of(one.id)
    for method, rest in (("DELETE", ""), ("POST", "/deallocate"), ("GET", ""), ("POST", "/start")):
        request = Request(method=method, path=cloud.rows()[two.id]["id"] + rest, token=token, headers={"host": "x"})
        answer = cloud.answer(request, None)
        assert (answer.status, answer.body["error"]["code"]) == (403, "AuthorizationFailed")
    own = Request(method="GET", path=cloud.rows()[one.id]["id"], token=token)
    assert cloud.answer(own, None).status == 403


def test_the_right_is_given_again_under_the_same_token_and_swept_with_nothing_left(rig: AzureRig, cloud: Azure) -> None:
    cloud.roles[ROLE] = role_of_the_page()
    first = rig.provider(end_role=ROLE).launch(rig.spec(), token="t-1")
    assert rig.provider(end_role=ROLE).launch(rig.spec(), token="t-1") == first
    assert len(cloud.assignments) == 1
    rig.provider().terminate([first[0].id])
    assert dict(cloud.assignments) == {}


def test_a_machine_that_was_asked_for_before_there_was_a_role_is_found_as_it_is(rig: AzureRig, cloud: Azure) -> None:
    first = rig.provider().launch(rig.spec(), token="t-1")
    assert rig.provider(end_role=ROLE).launch(rig.spec(), token="t-1") == first
    assert dict(cloud.assignments) == {}


def test_a_role_that_there_is_not_is_named_and_nothing_stays_rented(rig: AzureRig) -> None:
    with pytest.raises(InvalidRequest, match="end_role"):
        rig.provider(end_role=ROLE).launch(rig.spec(), token="t-1")
    assert rig.paid() == []


def test_machines_have_the_identity_that_is_named_and_whoever_rents_needs_the_right_to_give_it(
    rig: AzureRig, cloud: Azure
) -> None:
    right = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
    group = "/subscriptions/12345678-1234-1234-1234-123456789012/resourceGroups/rights"
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/controller"
    assert right not in least_role(AzureConfig())["Actions"]
    assert right in least_role(AzureConfig(identity=identity))["Actions"]

    rig.provider(identity=identity).launch(rig.spec(), token="t-1")

    [given] = [row["identity"] for row in cloud.rows().values() if "identity" in row]
    assert (given["type"], given["userAssignedIdentities"]) == ("UserAssigned", {identity: {}})


def test_only_who_gives_machines_a_role_needs_the_right_to(rig: AzureRig, cloud: Azure) -> None:
    right = "Microsoft.Authorization/roleAssignments/write"
    assert right not in least_role(AzureConfig())["Actions"]
    assert right in least_role(AzureConfig(end_role=ROLE))["Actions"]
    rig.provider().launch(rig.spec(), token="t-1")
    assert not any("identity" in row for row in cloud.rows().values())
