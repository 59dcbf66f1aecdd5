"""Transfers between a machine's store and a bucket, which the machine makes itself by requests that are signed for it;
the controller's side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from longshore.errors import InputMissing, PeerOutOfReach
from longshore.model.artifact import Artifact
from longshore.plugin.areas import Area, Readable, Request, Unread
from longshore.remote.bringing import entries_of
from longshore.remote.transfers import Transfers

__all__ = ["Files", "Sent", "StagedTransfers", "check_answer"]

_AT_ONCE = 200
"""So many objects are signed for together: a signature is good for a while only."""

Files = Mapping[str, tuple[int, str]]
"""Size, and name in messages, by digest."""
Sent = tuple[str, Request]


class StagedTransfers(Transfers):
    """Transfers to and from buckets too. ``exchange`` is asked to ``send``, to ``draw`` and to ``read``."""

    def stage_out(self, artifacts: Collection[Artifact], area: Area) -> None:
        """Have the machine bring artifacts to a bucket; as `longshore.plugin.areas.Stages.stage_out`."""
        listings, files = self._repeat(lambda: self._within_all(artifacts))
        # A listing goes last: it makes a folder whole.
        for group in (files, listings):
            for some in _batches(group):
                self._stage_out(some, area)

    def stage_in(self, artifacts: Collection[Artifact], source: Readable) -> None:
        """Have the machine fetch artifacts from a bucket; as `longshore.plugin.areas.Stages.stage_in`."""
        for each in artifacts:
            if each.kind == "folder" and not self._is_here(each.sha256):
                raise PeerOutOfReach(f"{each.path}: what is in it is not known here")
        listings, files = self._repeat(lambda: self._within_all(artifacts))
        for group in (files, listings):
            for some in _batches(group):
                self._stage_in(some, source)

    def read(self, objects: Sequence[Unread]) -> Sequence[Artifact]:
        """Have the machine bring here what nobody has read; as `longshore.plugin.areas.Reads.read`."""
        read: list[Artifact] = []
        for start in range(0, len(objects), _AT_ONCE):
            read += self._read(objects[start : start + _AT_ONCE])
        return read

    def _read(self, objects: Sequence[Unread]) -> Sequence[Artifact]:
        found = self._repeat(lambda: self._asked_to_read(objects))
        for each, told in zip(objects, found, strict=True):
            if told is None:
                raise InputMissing(f"{each.address} was there a moment ago, and is gone")
        self._progress += len(objects)
        return [
            Artifact(path=each.address, sha256=told[0], size=told[1])
            for each, told in zip(objects, found, strict=True)
            if told is not None
        ]

    def _within_all(self, artifacts: Collection[Artifact]) -> tuple[Files, Files]:
        """Name the listings of folders, and all files with those that are in folders."""
        files = {each.sha256: (each.size, each.path) for each in artifacts if each.kind != "folder"}
        listings: dict[str, tuple[int, str]] = {}
        for folder in artifacts:
            if folder.kind == "folder":
                listing = self._listing_of(folder)
                listings[folder.sha256] = (len(listing), folder.path)
                for entry in entries_of(listing, folder.path):
                    if entry.kind == "f":
                        files[entry.sha256] = (entry.size, f"{folder.path}/{entry.path}")
        return listings, files

    def _stage_out(self, files: Files, area: Area) -> None:
        uploads = {sha256: area.to_write(sha256, size) for sha256, (size, _) in files.items()}
        wanted = [(sha256, each) for sha256, upload in uploads.items() for each in upload.requests]
        tags = iter(self._repeat(lambda: self._asked_to_send(wanted, files)) if wanted else ())
        for upload in uploads.values():
            area.written(upload, list(islice(tags, len(upload.requests))))
        self._progress += len(files)

    def _stage_in(self, files: Files, source: Readable) -> None:
        rows = [(sha256, size, "file") for sha256, (size, _) in files.items()]
        wanted = [(sha256, source.to_read(sha256)) for sha256 in self._repeat(lambda: self._lacked(rows))]
        if wanted:
            self._repeat(lambda: self._asked_to_draw(wanted, files))
        self._progress += len(files)

    def _asked_to_send(self, wanted: Sequence[Sent], files: Files) -> Sequence[str]:
        rows = [(sha256, each.start, each.size, each.url, dict(each.headers)) for sha256, each in wanted]
        told = self._ask({"op": "send", "objects": rows})
        check_answer(told, files, "the machine")
        return [str(tag) for tag in told["sent"]]

    def _asked_to_draw(self, wanted: Sequence[Sent], files: Files) -> None:
        rows = [(sha256, files[sha256][0], each.url, dict(each.headers)) for sha256, each in wanted]
        check_answer(self._ask({"op": "draw", "objects": rows}), files, "the bucket")

    def _asked_to_read(self, objects: Sequence[Unread]) -> Sequence[tuple[str, int] | None]:
        rows = [(each.key, each.request.url, dict(each.request.headers)) for each in objects]
        told = self._ask({"op": "read", "objects": rows})
        check_answer(told, {}, "the bucket")
        return [None if each is None else (str(each[0]), int(each[1])) for each in told["read"]]


def check_answer(told: Mapping[str, Any], files: Files, whose: str) -> None:
    """Raise what a machine has answered to a request, if it is no good news.

    Raises:
        PeerOutOfReach, InputMissing: as `longshore.plugin.areas.Stages.stage_in`.
    """
    if "apart" in told:
        raise PeerOutOfReach(f"a request to the bucket failed: {told['apart']}")
    if "missing" in told:
        sha256 = str(told["missing"])
        _, path = files.get(sha256, (0, "an input"))
        raise InputMissing(f"{path}: {whose} does not have {sha256} any more")


def _batches(files: Files) -> Iterator[Files]:
    rows = iter(files.items())
    while some := dict(islice(rows, _AT_ONCE)):
        yield some
