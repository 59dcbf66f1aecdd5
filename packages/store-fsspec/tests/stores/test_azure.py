"""Containers of Azure, on its own stand-in, azurite; where that is installed (``npm install -g azurite``)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from longshore.errors import InputMissing
from longshore.testing import StoreContract
from longshore_fsspec.buckets import Bucket

AZURITE = shutil.which("azurite-blob")
HOUR = timedelta(hours=1)
SECONDS = 120.0

pytestmark = pytest.mark.skipif(AZURITE is None, reason="azurite is not installed")

_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Those that azurite is delivered with; they are nobody's."""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("azurite")
    command = [str(AZURITE), "--blobPort", str(port), "--location", str(folder), "--skipApiVersionCheck"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "successfully" in line:
                break
        yield f"http://127.0.0.1:{port}/{_ACCOUNT}"
        process.kill()


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    words = {"DefaultEndpointsProtocol": "http", "AccountName": _ACCOUNT, "AccountKey": _KEY, "BlobEndpoint": endpoint}
    text = ";".join(f"{name}={value}" for name, value in words.items())
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    return Bucket("az")


@pytest.fixture
def base(store: Bucket) -> str:
    from azure.storage.blob import BlobServiceClient  # noqa: PLC0415  comes with the extra

    assert store is not None
    name = f"c{uuid.uuid4().hex}"
    BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"]).create_container(name)
    return f"az://{name}/below"


class TestContainer(StoreContract):
    """All laws."""


def test_a_machine_reads_and_writes_by_requests_that_are_signed_for_it(
    store: Bucket, base: str, tmp_path: Path
) -> None:
    upload = store.to_write(f"{base}/x", 7, HOUR)
    [request] = upload.requests
    headers = {"Content-Type": "application/octet-stream", **request.headers}
    with urlopen(Request(request.url, data=b"content", headers=headers, method="PUT")) as answer:
        store.written(upload, [answer.headers["ETag"]])

    with urlopen(store.to_read(f"{base}/x", HOUR).url) as answer:
        assert answer.read() == b"content"
    with pytest.raises(HTTPError):
        urlopen(Request(store.to_read(f"{base}/x", HOUR).url, data=b"x", headers=headers, method="PUT"))
    store.fetch(f"{base}/x", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == b"content"


def test_what_is_emptied_is_empty_and_its_neighbours_are_not(store: Bucket, base: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    for name in ("run/a", "run/b/c", "running/theirs"):
        store.put(tmp_path / "x", f"{base}/{name}")

    store.empty(f"{base}/run")
    store.empty(f"{base}/run")

    assert store.list(f"{base}/**") == [f"{base}/running/theirs"]


def test_a_stamp_changes_with_the_object(store: Bucket, base: str, tmp_path: Path) -> None:
    stamps = []
    for content in (b"one", b"two"):
        (tmp_path / "x").write_bytes(content)
        store.put(tmp_path / "x", f"{base}/x")
        stamps += [store.stamp(f"{base}/x"), store.stamp(f"{base}/x")]

    assert stamps[0] == stamps[1] != stamps[2] == stamps[3]


def test_a_container_that_is_not_there_is_said(store: Bucket, base: str, tmp_path: Path) -> None:
    assert base
    with pytest.raises(InputMissing, match="there is no"):
        store.fetch("az://no-such-container/x", tmp_path / "again")
