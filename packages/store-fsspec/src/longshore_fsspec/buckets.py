"""Stores for objects in buckets, on fsspec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import fsspec
from fsspec.utils import glob_translate

from longshore.errors import DigestMismatch, InputMissing, PluginMissing, StagingError
from longshore.plugin.areas import Lends, Request, Upload
from longshore_fsspec.errors import translated
from longshore_fsspec.fetching import About, Fetching
from longshore_fsspec.lending import LENDERS
from longshore_fsspec.listing import list_keys
from longshore_fsspec.parts import IN_PARTS_BYTES, Uploads, listed

__all__ = ["Bucket"]

_EXTRAS: Mapping[str, str] = MappingProxyType({"s3": "s3", "gs": "gcs", "az": "azure"})
_SETTINGS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    # What others send by a signature may have an MD5 with it, and need not have a checksum of our choice.
    {"s3": {"config_kwargs": {"signature_version": "s3v4", "request_checksum_calculation": "when_required"}}}
)
_PIECE_BYTES = 32 << 20
_REMOVED_AT_ONCE = 1000
_GLOB = re.compile(r"[*?\[]")
_MD5 = re.compile(r"[0-9a-f]{32}")
_VERSIONS = ("VersionId", "generation", "ETag", "etag")
_TIMES = ("LastModified", "last_modified", "updated")


class Bucket(Fetching):
    """A `longshore.plugin.Store` for all buckets of one kind."""

    def __init__(self, name: str) -> None:
        """Prepare for ``s3``, ``gs`` or ``az``; nothing is asked before it is used."""
        self._name = name
        self._made: Any = None

    @property
    def _files(self) -> Any:
        if self._made is None:
            try:
                # What was listed may have changed since; and nobody else's settings are ours.
                self._made = fsspec.filesystem(
                    self._name, use_listings_cache=False, skip_instance_cache=True, **_SETTINGS.get(self._name, {})
                )
            except ImportError as error:
                raise PluginMissing(
                    f"{self._name}:// needs more: pip install 'longshore-fsspec[{_EXTRAS[self._name]}]'"
                ) from error
        return self._made

    def put(self, path: Path, url: str) -> None:
        """Bring one file there. Nobody sees half of it. A large one goes in parts, and those that are there of an
        upload that broke off are not sent again.

        Raises:
            InputMissing: when there is no such bucket.
            DigestMismatch: when something else has arrived.
            StagingError: when it cannot be written.
        """
        size = path.stat().st_size
        with translated(url):
            if self._name == "s3" and size >= IN_PARTS_BYTES:
                bucket, key, _ = self._files.split_path(url)
                Uploads(self._files.call_s3, bucket, key).send(path)
                return
            self._files.put_file(str(path), url)
            arrived = self._about(url).size
        if arrived != size:
            raise DigestMismatch(f"{url}: {size} bytes were sent, and {arrived} are there")

    def list(self, glob: str) -> Sequence[str]:
        """URLs that match, sorted. ``*`` and ``?`` stop at slashes; ``**`` stands for any number of folders.

        Raises:
            InputMissing: when there is no such bucket.
            StagingError: when it may not be listed.
        """
        scheme, _, path = glob.partition("://")
        fixed = _GLOB.split(path, maxsplit=1)[0]
        if "/" not in fixed:
            raise StagingError(f"{glob}: a glob has to name the bucket, as in {scheme}://my-bucket/*.csv")
        folder, _, prefix = fixed.rpartition("/")
        wanted = re.compile(glob_translate(path))
        with translated(glob):
            found = self._found(folder, prefix)
            if not found:
                self._see(folder.split("/")[0], glob)
        names = (name for name in found if not name.endswith("/") and wanted.fullmatch(name))
        return sorted(f"{scheme}://{name}" for name in names)

    def _found(self, folder: str, prefix: str) -> Sequence[str]:
        """List the objects below a folder whose names begin so, with their bucket; nothing when there is no folder."""
        try:
            if self._name != "s3":
                return list(self._files.find(f"{folder}/", prefix=prefix))
            bucket, _, below = f"{folder}/{prefix}".partition("/")
            return [f"{bucket}/{key}" for key in list_keys(self._files.call_s3, bucket, below)]
        except FileNotFoundError:
            return ()

    def _see(self, bucket: str, url: str) -> None:
        """See that a bucket is there which seems to have nothing."""
        try:
            self._files.ls(bucket)
        except FileNotFoundError as error:
            raise InputMissing(f"{url}: there is no bucket {self._name}://{bucket}") from error

    def to_read(self, url: str, time: timedelta) -> Request:
        """Sign the request for an object.

        Raises:
            PeerOutOfReach: when we have no key to sign with.
        """
        with translated(url):
            return self._lender.to_read(url, time)

    def to_write(self, url: str, size: int, time: timedelta) -> Upload:
        """Sign the requests that put an object there, but for what is there of it.

        Raises:
            InputMissing: when there is no such bucket.
            PeerOutOfReach: as `to_read`.
            StagingError: when it cannot be written.
        """
        with translated(url):
            return self._lender.to_write(url, size, time)

    def written(self, upload: Upload, tags: Sequence[str]) -> None:
        """Make an object of its parts; the errors are those of `put`."""
        with translated(upload.url):
            self._lender.written(upload, tags)

    def empty(self, url: str) -> None:
        """Remove all objects below a URL, and what uploads have left there that broke off.

        Raises:
            InputMissing: when there is no such bucket.
            StagingError: when it may not be removed.
        """
        self.abandon(url, datetime.max.replace(tzinfo=UTC))
        with translated(url):
            found = self._files.find(f"{url}/")
            for start in range(0, len(found), _REMOVED_AT_ONCE):
                self._files.rm(found[start : start + _REMOVED_AT_ONCE])

    def abandon(self, url: str, begun_before: datetime) -> None:
        """End the uploads at or below a URL that were begun before. Other clouds than S3 forget them after some days.

        Raises:
            InputMissing, StagingError: as `empty`.
        """
        if self._name != "s3":
            return
        with translated(url):
            bucket, key, _ = self._files.split_path(url)
            for found, token, begun in listed(self._files.call_s3, bucket, key):
                if (found == key or found.startswith(f"{key}/")) and begun < begun_before:
                    self._files.call_s3("abort_multipart_upload", Bucket=bucket, Key=found, UploadId=token)

    @property
    def _lender(self) -> Lends:
        return LENDERS[self._name](self._files)

    def _about(self, url: str) -> About:
        found: Mapping[str, Any] = self._files.info(url)
        if found.get("type") == "directory":
            raise InputMissing(f"{url} is a folder, not an object; write a glob such as {url.rstrip('/')}/*")
        words = [found[name] for name in _VERSIONS if found.get(name)]
        words = words or [found[name] for name in _TIMES if found.get(name)]
        tag = str(found.get("ETag", "")).strip('"')
        # What was sent in one piece, and is not encrypted by a key of one's own, has its MD5 for a tag.
        plain = self._name == "s3" and _MD5.fullmatch(tag) is not None and not found.get("SSEKMSKeyId")
        size = int(found["size"])
        stamp = " ".join([str(size), *map(str, words)]) if words else ""
        return About(size=size, stamp=stamp, md5=tag if plain else "")

    def _begin(self, url: str, most: int) -> bytes:
        try:
            return bytes(self._files.cat_file(url, start=0, end=most))
        except (FileNotFoundError, PermissionError):
            raise
        except Exception:
            if self._about(url).size == 0:
                return b""  # of nothing there is no beginning, servers say
            raise

    def _read(self, url: str, about: About, part: Path) -> None:
        size = about.size or 0
        with part.open("ab") as file:
            while (done := file.tell()) < size:
                end = min(done + _PIECE_BYTES, size)
                piece = self._files.cat_file(url, start=done, end=end)
                if len(piece) != end - done:
                    raise DigestMismatch(f"{url}: {end - done} bytes were asked for, and {len(piece)} came")
                file.write(piece)
