"""Large objects go to S3 in parts: none twice, none that is not ours, and nothing is left of what is given up."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import StagingError
from longshore_fsspec.buckets import Bucket
from longshore_fsspec.parts import IN_PARTS_BYTES, parts_of

from .wire import Asked, Wire, begun

SECONDS = 120.0
MIB = 1 << 20
BEGUN = datetime(2010, 11, 10, 20, 48, 33, tzinfo=UTC)
"""When all uploads have begun, says moto."""
SIZE = 2 * 16 * MIB + 5

_PUT = """
import sys
from pathlib import Path
from longshore_fsspec.buckets import Bucket

Bucket("s3").put(Path(sys.argv[1]), sys.argv[2])
"""


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(os.urandom(MIB) * 32 + os.urandom(5))
    return path


def killed_at(wire: Wire, part: int, path: Path, url: str) -> None:
    """Have a process put a file, and kill it when it sends one of the parts after the others."""
    others = threading.Semaphore(0)
    reached = threading.Event()
    over = threading.Event()

    def before(asked: Asked) -> None:
        if asked[0] == "PUT" and asked[2].get("partNumber") == str(part):
            reached.set()
            over.wait(SECONDS)
            raise ConnectionError

    def after(asked: Asked) -> None:
        if asked[0] == "PUT":
            others.release()

    wire.before, wire.after = before, after
    command = [sys.executable, "-c", _PUT, str(path), url]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    assert reached.wait(SECONDS)
    for _ in range(2):
        assert others.acquire(timeout=SECONDS)
    process.kill()
    process.wait(SECONDS)
    over.set()
    wire.quiet()


def test_sizes_are_cut_into_parts_that_make_them_whole() -> None:
    for size in (IN_PARTS_BYTES, SIZE, 5 << 40):
        parts = parts_of(size)
        assert [part.number for part in parts] == list(range(1, len(parts) + 1))
        assert len(parts) <= 10_000
        assert sum(part.size for part in parts) == size
        assert all(one.start + one.size == other.start for one, other in pairwise(parts))


def test_parts_that_are_there_when_the_sender_was_killed_are_not_sent_again(
    wire: Wire, store: Bucket, cloud: Any, bucket: str, big: Path, tmp_path: Path
) -> None:
    url = f"s3://{bucket}/results/big"
    killed_at(wire, 2, big, url)
    assert begun(cloud, bucket) == ["results/big"]

    store.put(big, url)

    assert wire.parts() == [2]
    assert begun(cloud, bucket) == []
    store.fetch(url, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == big.read_bytes()


def test_parts_of_another_content_are_sent_again(
    wire: Wire, store: Bucket, bucket: str, big: Path, tmp_path: Path
) -> None:
    url = f"s3://{bucket}/results/big"
    killed_at(wire, 2, big, url)
    content = bytearray(big.read_bytes())
    content[0] ^= 1
    big.write_bytes(content)

    store.put(big, url)

    assert wire.parts() == [1, 2]
    store.fetch(url, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


def test_a_line_that_is_cut_once_costs_one_part(wire: Wire, store: Bucket, cloud: Any, bucket: str, big: Path) -> None:
    cuts = [2]

    def before(asked: Asked) -> None:
        if cuts and asked[2].get("partNumber") == str(cuts[0]):
            cuts.clear()
            raise ConnectionError

    wire.before = before

    store.put(big, f"s3://{bucket}/big")

    assert wire.parts() == [1, 2, 2, 3]
    assert cloud.head_object(Bucket=bucket, Key="big")["ContentLength"] == SIZE


def test_what_will_not_be_taken_up_is_given_up_and_nothing_else(
    wire: Wire, store: Bucket, cloud: Any, bucket: str, big: Path
) -> None:
    killed_at(wire, 2, big, f"s3://{bucket}/results/fit/big")
    cloud.create_multipart_upload(Bucket=bucket, Key="results/fitness/theirs")
    cloud.put_object(Bucket=bucket, Key="results/fit/there", Body=b"x")

    store.abandon(f"s3://{bucket}/results/fit", BEGUN)
    assert begun(cloud, bucket) == ["results/fit/big", "results/fitness/theirs"]

    store.abandon(f"s3://{bucket}/results/fit", BEGUN + timedelta(seconds=1))

    assert begun(cloud, bucket) == ["results/fitness/theirs"]
    assert cloud.head_object(Bucket=bucket, Key="results/fit/there")


def test_what_is_emptied_has_neither_objects_nor_parts(
    wire: Wire, store: Bucket, cloud: Any, bucket: str, big: Path
) -> None:
    killed_at(wire, 2, big, f"s3://{bucket}/stage/run/big")
    for key in ("stage/run/a", "stage/run/b/c", "stage/running/theirs"):
        cloud.put_object(Bucket=bucket, Key=key, Body=b"x")

    store.empty(f"s3://{bucket}/stage/run")
    store.empty(f"s3://{bucket}/stage/run")

    assert begun(cloud, bucket) == []
    assert [each["Key"] for each in cloud.list_objects_v2(Bucket=bucket)["Contents"]] == ["stage/running/theirs"]


def test_a_whole_that_is_not_its_parts_is_refused(
    wire: Wire, store: Bucket, cloud: Any, bucket: str, big: Path
) -> None:
    def before(asked: Asked) -> None:
        if asked[0] == "HEAD":
            wire.before = lambda _asked: None
            cloud.put_object(Bucket=bucket, Key="big", Body=b"x")

    wire.before = before

    with pytest.raises(StagingError, match="it is not what was sent"):
        store.put(big, f"s3://{bucket}/big")
