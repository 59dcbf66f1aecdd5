"""The rights that the policy for S3 has are those that are asked for, on the buckets that are named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from longshore.errors import InputMissing
from longshore.machines.policies import least_policy
from longshore.plugin.rights import BucketUse, Want
from longshore_fsspec.buckets import Bucket
from longshore_fsspec.parts import IN_PARTS_BYTES
from longshore_fsspec.policy import with_buckets

from .wire import Wire

HOUR = timedelta(hours=1)


def granted(*wants: Want) -> set[str]:
    policy = with_buckets({"Statement": []}, [BucketUse(url="s3://bucket/x", want=want) for want in wants])
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def read(store: Bucket, base: str, tmp_path: Path) -> None:
    store.list(f"{base}/*")
    store.stamp(f"{base}/there")
    store.peek(f"{base}/there", 3)
    store.fetch(f"{base}/there", tmp_path / "again")
    with pytest.raises(InputMissing):
        store.fetch(f"{base}/gone", tmp_path / "again")


def write(store: Bucket, base: str, tmp_path: Path) -> None:
    for size in (10, IN_PARTS_BYTES):
        (tmp_path / "ours").write_bytes(bytes(size))
        broken = store.to_write(f"{base}/x", size, HOUR)
        send(broken.requests[0])
        store.put(tmp_path / "ours", f"{base}/x")
    store.to_write(f"{base}/x", IN_PARTS_BYTES + 1, HOUR)
    store.abandon(f"{base}/x", datetime.now(UTC))


def keep(store: Bucket, base: str, tmp_path: Path) -> None:
    (tmp_path / "mark").write_bytes(b"x")
    store.put(tmp_path / "mark", f"{base}/mark")
    for size in (10, IN_PARTS_BYTES):
        upload = store.to_write(f"{base}/{size}", size, HOUR)
        send(upload.requests[0])
        again = store.to_write(f"{base}/{size}", size, HOUR)
        tags = [send(request) for request in again.requests]
        store.written(again, tags)
        with urlopen(store.to_read(f"{base}/{size}", HOUR).url) as answer:
            assert len(answer.read()) == size
        store.fetch(f"{base}/{size}", tmp_path / "again")
    store.to_write(f"{base}/left", IN_PARTS_BYTES, HOUR)
    store.empty(base)


def send(request: Any) -> str:
    headers = {"Content-Type": "application/octet-stream", **request.headers}
    asked = Request(request.url, data=bytes(request.size), headers=headers, method="PUT")
    with urlopen(asked) as answer:
        return str(answer.headers["ETag"]).strip('"')


@pytest.mark.parametrize(("want", "act"), [(Want.READ, read), (Want.WRITE, write), (Want.KEEP, keep)])
def test_all_that_is_asked_of_a_bucket_is_in_the_policy_and_no_more(
    wire: Wire, store: Bucket, cloud: Any, bucket: str, tmp_path: Path, want: Want, act: Any
) -> None:
    cloud.put_object(Bucket=bucket, Key="below/there", Body=b"content")
    wire.quiet()

    act(store, f"s3://{bucket}/below", tmp_path)

    assert wire.actions() == granted(want)


def resources(policy: Mapping[str, Any], action: str) -> list[str]:
    return [one for each in policy["Statement"] if action in each["Action"] for one in each["Resource"]]


def test_the_policy_names_the_buckets_of_the_workflow_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_text(
        """
        name = "w"
        [pools.cloud]
        provider = "aws"
        store = "s3://stage/here/"
        [tasks.fit]
        for_each.file = { glob = "s3://data/2026/*.csv" }
        command = "aws s3 cp s3://theirs/x . && python fit.py $file > fit.json"
        inputs = ["s3://data/model.bin", "https://host/x", "workflow:///other/x"]
        outputs = ["fit.json"]
        results_to = "s3://results/fits"
        """
    )

    policy = least_policy("aws", tmp_path)

    assert set(resources(policy, "s3:ListBucket")) == {"arn:*:s3:::stage", "arn:*:s3:::data"}
    assert resources(policy, "s3:DeleteObject") == ["arn:*:s3:::stage/here/*"]
    assert set(resources(policy, "s3:PutObject")) == {"arn:*:s3:::stage/here/*", "arn:*:s3:::results/fits/*"}
    assert set(resources(policy, "s3:GetObject")) == {
        "arn:*:s3:::data/2026/*",
        "arn:*:s3:::data/model.bin",
        "arn:*:s3:::results/fits/*",
        "arn:*:s3:::stage/here/*",
    }
    (tmp_path / "longshore.toml").write_text('name = "w"\n')
    assert not [each for each in least_policy("aws", tmp_path)["Statement"] if "Bucket" in each["Sid"]]
