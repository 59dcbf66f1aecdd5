"""One stand-in for DigitalOcean for each test, behind TLS that the SDK believes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.testing.clouds import DigitalOcean, HostedAccount, Trust, hosted, trusted
from longshore.testing.fake_hosts import missing

from .description import check
from .rig import TOKEN, DoRig


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    with trusted(tmp_path_factory.mktemp("tls")) as trust:
        yield trust


@pytest.fixture
def cloud() -> Iterator[DigitalOcean]:
    cloud = DigitalOcean(TOKEN, check=check)
    yield cloud
    assert cloud.violations == []


@pytest.fixture
def rig(
    request: pytest.FixtureRequest,
    cloud: DigitalOcean,
    trust: Trust,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DoRig]:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", TOKEN)
    with cloud.serving(trust.context) as url:
        yield DoRig(cloud, url, tmp_path / "catalogues", test=request.node.name)


@pytest.fixture
def account(cloud: DigitalOcean, trust: Trust, tmp_path: Path) -> Iterator[HostedAccount]:
    """An account whose droplets are real hosts."""
    if reason := missing():
        pytest.skip(reason)
    with hosted(tmp_path / "hosts", trust, {"cloud": (cloud, {"DIGITALOCEAN_TOKEN": TOKEN})}) as accounts:
        yield accounts["cloud"]
