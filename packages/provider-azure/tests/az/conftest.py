"""One stand-in for Azure for each test, behind TLS and with a login that the SDK finds by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.testing.clouds import Azure, HostedAccount, Trust, azure_login, hosted, trusted
from longshore.testing.fake_hosts import missing

from .description import check
from .rig import ACCOUNT, SUBSCRIPTION, AzureRig


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    with trusted(tmp_path_factory.mktemp("tls")) as trust:
        yield trust


@pytest.fixture
def cloud() -> Iterator[Azure]:
    cloud = Azure(SUBSCRIPTION, ACCOUNT, check=check)
    yield cloud
    assert cloud.violations == []


@pytest.fixture
def rig(
    request: pytest.FixtureRequest,
    cloud: Azure,
    trust: Trust,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[AzureRig]:
    """What a machine with an identity of its own finds about it."""
    with cloud.serving(trust.context) as url:
        for name, value in azure_login(url, subscription=SUBSCRIPTION).items():
            monkeypatch.setenv(name, value)
        yield AzureRig(cloud, url, tmp_path / "catalogues", test=request.node.name)


@pytest.fixture
def account(cloud: Azure, trust: Trust, tmp_path: Path) -> Iterator[HostedAccount]:
    """A subscription whose machines are real hosts."""
    if reason := missing():
        pytest.skip(reason)
    cloud.polls = 1  # the library leaves longer ones alone for seconds
    variables = azure_login("{url}", subscription=SUBSCRIPTION)
    with hosted(tmp_path / "hosts", trust, {"cloud": (cloud, variables)}) as accounts:
        yield accounts["cloud"]
