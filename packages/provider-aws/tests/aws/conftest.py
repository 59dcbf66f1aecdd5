"""One stand-in for AWS for all tests of a process; each test begins with an empty account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.testing.fake_hosts import missing

from .account import AwsAccount
from .rig import AwsRig, Cloud, running_cloud

_ELSEWHERE = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION")
"""Variables of the user's own that would lead boto3 elsewhere."""


@pytest.fixture(scope="session")
def aws() -> Iterator[Cloud]:
    with running_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="session")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, Path]]:
    """An AWS whose machines are real hosts, and where their disks are."""
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("hosted") / "hosts"
    with running_cloud(folder) as cloud:
        yield cloud, folder / "disks"


@pytest.fixture
def account(hosted: tuple[Cloud, Path], monkeypatch: pytest.MonkeyPatch) -> AwsAccount:
    """An account that is empty, and whose instances are real hosts."""
    for name in _ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    cloud, disks = hosted
    cloud.reset()
    return AwsAccount.of(cloud, disks)


@pytest.fixture
def cloud(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    for name in _ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-login-key")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    aws.reset()
    return aws


@pytest.fixture
def rig(request: pytest.FixtureRequest, cloud: Cloud, tmp_path: Path) -> AwsRig:
    return AwsRig(cloud, tmp_path / "catalogues", test=request.node.name)
