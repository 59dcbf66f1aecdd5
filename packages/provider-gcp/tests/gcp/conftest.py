"""One stand-in for Google Cloud for each test, behind TLS and with a login that the SDK believes."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from longshore.testing.clouds import GoogleCloud

from .description import check
from .rig import ACCOUNT, PROJECT, GcpRig

_UNIVERSE = "cloud.example"


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


@pytest.fixture(scope="session")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of a service account, of a universe of its own, so that the real one is never asked."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()
    path = tmp_path_factory.mktemp("login") / "account.json"
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "0",
        "private_key": text,
        "client_email": ACCOUNT,
        "token_uri": "https://localhost:1/token",
        "universe_domain": _UNIVERSE,
    }
    path.write_text(json.dumps(account))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN", _UNIVERSE)
        yield path


@pytest.fixture
def cloud() -> Iterator[GoogleCloud]:
    cloud = GoogleCloud(PROJECT, ACCOUNT, check=check)
    yield cloud
    assert cloud.violations == []


@pytest.fixture
def rig(
    cloud: GoogleCloud, tls: ssl.SSLContext, login: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GcpRig]:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(login))
    with cloud.serving(tls) as url:
        yield GcpRig(cloud, url, tmp_path / "catalogues")
