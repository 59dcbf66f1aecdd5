"""One stand-in for DigitalOcean for each test, behind TLS that the SDK believes."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from longshore.testing.clouds import DigitalOcean

from .description import check
from .rig import TOKEN, DoRig


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssl.SSLContext]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(path))
        yield context


@pytest.fixture
def cloud() -> Iterator[DigitalOcean]:
    cloud = DigitalOcean(TOKEN, check=check)
    yield cloud
    assert cloud.violations == []


@pytest.fixture
def rig(cloud: DigitalOcean, tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoRig]:
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", TOKEN)
    with cloud.serving(tls) as url:
        yield DoRig(cloud, url, tmp_path / "catalogues")
