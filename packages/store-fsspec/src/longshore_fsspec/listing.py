"""What a bucket of S3 has below a prefix: many objects are listed in several rows at once.

A page of 1,000 names says where the next one begins, so that pages come one after the other. But one question finds the
first name after any text; so the next letters that names have are found, and each is listed by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from longshore_fsspec.parts import Call

__all__ = ["list_keys"]

_AT_ONCE = 8
_MOST_LETTERS = 100
"""Names of more kinds are listed in one row."""
_MOST_LEVELS = 16
_LAST = "\U0010ffff"
"""Comes after every other letter, in the order of S3, which is that of UTF-8."""


def list_keys(call: Call, bucket: str, prefix: str) -> list[str]:
    """List all keys with a prefix, in no given order. ``call`` asks S3: an operation's name, and its arguments."""
    first = call("list_objects_v2", Bucket=bucket, Prefix=prefix)
    if not first.get("IsTruncated"):
        return _names(first)
    with ThreadPoolExecutor(_AT_ONCE) as crew:
        rows = crew.map(lambda each: list(_row(call, bucket, each)), _parted(call, bucket, prefix))
        found = [name for row in rows for name in row]
    # What is called like the prefix itself comes first, and has no next letter.
    return list(dict.fromkeys([*_names(first)[:1], *found]))


def _parted(call: Call, bucket: str, prefix: str) -> list[str]:
    """Give longer prefixes that all names have which go on after a prefix; several if possible."""
    for _ in range(_MOST_LEVELS):
        longer = list(_longer(call, bucket, prefix))
        if len(set(longer)) < len(longer) or len(longer) > _MOST_LETTERS:
            break
        if len(longer) > 1:
            return longer
        [prefix] = longer or [prefix]
    return [prefix]


def _longer(call: Call, bucket: str, prefix: str) -> Iterator[str]:
    after = prefix
    for _ in range(_MOST_LETTERS + 1):
        told = call("list_objects_v2", Bucket=bucket, Prefix=prefix, StartAfter=after, MaxKeys=1)
        names = _names(told)
        if not names:
            return
        longer = names[0][: len(prefix) + 1]
        yield longer
        after = longer + _LAST


def _row(call: Call, bucket: str, prefix: str) -> Iterator[str]:
    after: dict[str, str] = {}
    while True:
        told = call("list_objects_v2", Bucket=bucket, Prefix=prefix, **after)
        yield from _names(told)
        if not told.get("IsTruncated"):
            return
        after = {"ContinuationToken": told["NextContinuationToken"]}


def _names(told: Mapping[str, Any]) -> list[str]:
    return [str(each["Key"]) for each in told.get("Contents", ())]
