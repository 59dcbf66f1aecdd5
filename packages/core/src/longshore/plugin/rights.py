"""What a login must be allowed to do with buckets."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen

__all__ = ["BucketUse", "Want"]


class Want(StrEnum):
    """What is wanted of a place in a bucket."""

    READ = "read"
    """To read an object, or those that match a glob."""
    WRITE = "write"
    """To put objects below it."""
    KEEP = "keep"
    """To put objects below it, to read them, and to remove them when the run has ended."""


@frozen(kw_only=True)
class BucketUse:
    """One place in a bucket that a workflow names."""

    url: str
    want: Want
