"""The way between a run's folder in a bucket and this computer, for those who work for the project's store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from longshore.errors import DigestMismatch, InputMissing, PeerOutOfReach
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.remote.digest import digest_file, digest_folder
from longshore.runtime.areas import BucketArea
from longshore.runtime.stores import Stores

from .wire import Wire


def area(bucket: str, folder: Path) -> BucketArea:
    return BucketArea(f"s3://{bucket}/stage", "r", folder, Stores(), lambda *_: None)


def folder_of(place: Path) -> Item:
    (place / "deep").mkdir(parents=True)
    (place / "one").write_text("1")
    (place / "deep" / "two").write_text("22")
    (place / "deep" / "same").write_text("1")
    found = digest_folder(str(place))
    return Item(path="given", sha256=found.sha256, size=found.size, kind="folder", source=str(place))


def artifact_of(item: Item) -> Artifact:
    return Artifact(path=item.path, sha256=item.sha256, size=item.size, kind=item.kind)


def test_a_folder_is_brought_there_once_and_comes_home_whole(
    cloud: Any, wire: Wire, bucket: str, tmp_path: Path
) -> None:
    item = folder_of(tmp_path / "given")
    here, there = area(bucket, tmp_path / "here"), area(bucket, tmp_path / "there")

    here.take(item)
    asked = len(wire.asked)
    here.take(item)

    assert len(wire.asked) == asked
    assert cloud.list_objects_v2(Bucket=bucket)["KeyCount"] == 3, "two files, of which one has two names, and a listing"
    there.fetch(artifact_of(item))
    assert len([path for path in (tmp_path / "there" / "objects").rglob("*") if path.is_file()]) == 3
    assert here.to_write(item.sha256, item.size).requests == ()


@pytest.mark.parametrize(("text", "error"), [("else", DigestMismatch), (None, InputMissing)])
def test_what_is_not_what_it_was_is_not_brought_there(
    cloud: Any, bucket: str, tmp_path: Path, text: str | None, error: type[Exception]
) -> None:
    place = tmp_path / "given"
    place.write_text("some")
    sha256, size = digest_file(str(place))
    item = Item(path="given", sha256=sha256, size=size, source=str(place))
    if text is None:
        place.unlink()
    else:
        place.write_text(text)

    with pytest.raises(error):
        area(bucket, tmp_path / "store").take(item)
    with pytest.raises(InputMissing, match="not here any more"):
        area(bucket, tmp_path / "store").take(evolve(item, kind="folder", source=""))
    assert "Contents" not in cloud.list_objects_v2(Bucket=bucket)


def test_a_bucket_that_takes_nothing_is_told_as_one_that_is_out_of_reach(
    cloud: Any, wire: Wire, bucket: str, tmp_path: Path
) -> None:
    assert cloud is not None
    item = folder_of(tmp_path / "given")
    wire.refuse = b"<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"

    with pytest.raises(PeerOutOfReach):
        area(bucket, tmp_path / "store").take(item)
