"""The rights that a login needs for what this package asks of S3, as part of a policy of IAM."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from longshore.plugin.rights import BucketUse, Want

__all__ = ["with_buckets"]

_GLOB = re.compile(r"[*?\[]")
_LOOK = ("ListBucket",)
_BEGUN = ("ListBucketMultipartUploads",)
_OBJECT: Mapping[Want, tuple[str, ...]] = MappingProxyType(
    {
        Want.READ: ("GetObject",),
        Want.WRITE: ("AbortMultipartUpload", "GetObject", "ListMultipartUploadParts", "PutObject"),
        Want.KEEP: ("AbortMultipartUpload", "DeleteObject", "GetObject", "ListMultipartUploadParts", "PutObject"),
    }
)


def with_buckets(policy: Mapping[str, Any], uses: Sequence[BucketUse]) -> Mapping[str, Any]:
    """Add to a policy what is asked of the places that a workflow names, of these and of no others.

    What is written is looked at afterwards, and so is read, too. Whoever may not list a bucket is told that an object
    that is not there is forbidden, so that readers may.
    """
    listed = {_bucket(use.url): None for use in uses if use.want is not Want.WRITE}
    written = {_bucket(use.url): None for use in uses if use.want is not Want.READ}
    statements = [
        _statement("LookIntoBuckets", _LOOK, list(listed)),
        _statement("LookForUploads", _BEGUN, list(written)),
        *(_statement(f"{want.value.capitalize()}InBuckets", _OBJECT[want], _objects(uses, want)) for want in Want),
    ]
    wanted = [each for each in statements if each["Resource"]]
    return {**policy, "Statement": [*policy["Statement"], *wanted]}


def _objects(uses: Sequence[BucketUse], want: Want) -> list[str]:
    return [_arn(_path(use.url) + ("" if want is Want.READ else "/*")) for use in uses if use.want is want]


def _path(url: str) -> str:
    """Give bucket and key of a URL; of a glob, what begins like it."""
    path = url.partition("://")[2]
    fixed = _GLOB.split(path, maxsplit=1)[0]
    return path if fixed == path else f"{fixed}*"


def _bucket(url: str) -> str:
    return _arn(url.partition("://")[2].partition("/")[0])


def _arn(path: str) -> str:
    return f"arn:*:s3:::{path}"


def _statement(name: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Action": [f"s3:{action}" for action in actions],
        "Resource": sorted(set(resources)),
    }
