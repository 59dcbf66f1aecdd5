"""A server that speaks S3, for all tests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from longshore_fsspec.buckets import Bucket

from .far import Rig, far_hosts
from .wire import Wire


@pytest.fixture(scope="session")
def line() -> Iterator[Wire]:
    """Give the server."""
    line = Wire()
    yield line
    line.close()


@pytest.fixture
def wire(line: Wire) -> Iterator[Wire]:
    """Give the server, to listen in."""
    line.quiet()
    yield line
    line.quiet()


@pytest.fixture(scope="session")
def endpoint(line: Wire) -> str:
    """Where the server is; who asks it is known to it by the usual variables."""
    return line.url


@pytest.fixture
def cloud(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a client of the server, and let everybody else find it."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)
    return boto3.client("s3", endpoint_url=endpoint)


@pytest.fixture
def bucket(cloud: Any) -> str:
    """Name an empty bucket."""
    name = f"bucket-{uuid.uuid4().hex}"
    cloud.create_bucket(Bucket=name)
    return name


@pytest.fixture
def store(cloud: Any) -> Bucket:
    """The store for buckets of that server."""
    assert cloud is not None
    return Bucket("s3")


@pytest.fixture
def python() -> bool:
    """Say whether the hosts have Python."""
    return True


@pytest.fixture
def rig(tmp_path: Path, cloud: Any, python: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """Give a project, and hosts that share nothing with it."""
    assert cloud is not None
    monkeypatch.syspath_prepend(str(tmp_path / "plugins"))
    with far_hosts(tmp_path, python=python) as rig:
        yield rig
