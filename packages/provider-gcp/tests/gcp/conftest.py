"""One stand-in for Google Cloud for each test, behind TLS and with a login that the SDK believes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from longshore.testing.clouds import GoogleCloud, HostedAccount, Trust, google_login, hosted, trusted
from longshore.testing.fake_hosts import missing

from .description import check
from .rig import ACCOUNT, PROJECT, GcpRig


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    with trusted(tmp_path_factory.mktemp("tls")) as trust:
        yield trust


@pytest.fixture(scope="session")
def login(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The variables by which the SDK finds a login."""
    return google_login(tmp_path_factory.mktemp("login"), project=PROJECT, account=ACCOUNT)


@pytest.fixture
def cloud() -> Iterator[GoogleCloud]:
    cloud = GoogleCloud(PROJECT, ACCOUNT, check=check)
    yield cloud
    assert cloud.violations == []


@pytest.fixture
def rig(
    request: pytest.FixtureRequest,
    cloud: GoogleCloud,
    trust: Trust,
    login: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[GcpRig]:
    for name, value in login.items():
        monkeypatch.setenv(name, value)
    with cloud.serving(trust.context) as url:
        yield GcpRig(cloud, url, tmp_path / "catalogues", test=request.node.name)


@pytest.fixture
def account(cloud: GoogleCloud, trust: Trust, login: Mapping[str, str], tmp_path: Path) -> Iterator[HostedAccount]:
    """A project whose instances are real hosts."""
    if reason := missing():
        pytest.skip(reason)
    with hosted(tmp_path / "hosts", trust, {"cloud": (cloud, login)}) as accounts:
        yield accounts["cloud"]
