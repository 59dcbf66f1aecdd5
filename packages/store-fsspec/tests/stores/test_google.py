"""Buckets of Google keep the laws of stores, on a small stand-in for its interface."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.errors import InputMissing, PeerOutOfReach
from longshore.testing import StoreContract
from longshore_fsspec.buckets import Bucket

from .google_storage import GoogleStorage

MIB = 1 << 20


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleStorage]:
    google = GoogleStorage()
    yield google
    google.close()


@pytest.fixture
def store(google: GoogleStorage, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google.url)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    return Bucket("gs")


@pytest.fixture
def base(google: GoogleStorage) -> str:
    name = f"bucket-{uuid.uuid4().hex}"
    google.buckets[name] = {}
    return f"gs://{name}/below"


class TestGoogleBucket(StoreContract):
    """All laws."""


@pytest.mark.filterwarnings("ignore:Sending a large body")  # gcsfs does
def test_a_large_object_goes_and_comes_in_pieces(store: Bucket, base: str, tmp_path: Path) -> None:
    (tmp_path / "ours").write_bytes(bytes(range(256)) * (6 * MIB // 256))

    store.put(tmp_path / "ours", f"{base}/big")
    store.fetch(f"{base}/big", tmp_path / "again")

    assert (tmp_path / "again").read_bytes() == (tmp_path / "ours").read_bytes()


def test_a_stamp_changes_with_the_object(store: Bucket, base: str, tmp_path: Path) -> None:
    stamps = []
    for content in (b"one", b"two"):
        (tmp_path / "x").write_bytes(content)
        store.put(tmp_path / "x", f"{base}/x")
        stamps += [store.stamp(f"{base}/x"), store.stamp(f"{base}/x")]

    assert stamps[0] == stamps[1] != stamps[2] == stamps[3]


def test_a_listing_has_more_than_one_page(store: Bucket, base: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    for number in range(8):
        store.put(tmp_path / "x", f"{base}/{number}")

    assert store.list(f"{base}/*") == [f"{base}/{number}" for number in range(8)]


def test_what_is_emptied_is_empty_and_its_neighbours_are_not(store: Bucket, base: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    for name in ("run/a", "run/b/c", "running/theirs"):
        store.put(tmp_path / "x", f"{base}/{name}")

    store.empty(f"{base}/run")
    store.empty(f"{base}/run")

    assert store.list(f"{base}/**") == [f"{base}/running/theirs"]


def test_what_is_not_there_is_said(store: Bucket, base: str, tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="no such object"):
        store.fetch(f"{base}/x", tmp_path / "again")
    with pytest.raises(InputMissing, match="there is no bucket gs://no-such-bucket"):
        store.list("gs://no-such-bucket/*")


def test_without_the_key_of_an_account_nothing_is_signed(store: Bucket, base: str) -> None:
    with pytest.raises(PeerOutOfReach, match="key of a service account"):
        store.to_read(f"{base}/x", timedelta(hours=1))
