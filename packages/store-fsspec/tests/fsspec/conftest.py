"""A server that speaks S3, for all tests."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from longshore_fsspec.buckets import Bucket


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Where the server is; who asks it is known to it by the usual variables."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


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
