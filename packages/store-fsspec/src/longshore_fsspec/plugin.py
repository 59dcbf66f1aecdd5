"""What this distribution announces. fsspec is imported when a store for buckets is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

from longshore.plugin import Store, StoreRecord, hookimpl
from longshore_fsspec.config import Options
from longshore_fsspec.policy import with_buckets

__all__ = ["longshore_stores"]

_SCHEMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"s3": ("s3",), "gs": ("gs",), "az": ("az", "abfs"), "https": ("https", "http")}
)


def _make(name: str, _options: Options) -> Store:
    if name == "https":
        from longshore_fsspec.web import Web  # noqa: PLC0415  nobody else needs it

        return Web()
    from longshore_fsspec.buckets import Bucket  # noqa: PLC0415  fsspec takes long to import

    return Bucket(name)


@hookimpl
def longshore_stores() -> Sequence[StoreRecord]:
    """Announce the stores."""
    return [
        StoreRecord(
            name=name,
            config=Options,
            schemes=schemes,
            factory=partial(_make, name),
            cloud="aws" if name == "s3" else "",
            policy=with_buckets if name == "s3" else None,
            api=(0, 1),
        )
        for name, schemes in _SCHEMES.items()
    ]
