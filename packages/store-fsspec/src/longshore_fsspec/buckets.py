"""Stores for objects in buckets, on fsspec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import fsspec
from fsspec.utils import glob_translate

from longshore.errors import DigestMismatch, InputMissing, PluginMissing, StagingError
from longshore_fsspec.errors import translated
from longshore_fsspec.fetching import About, Fetching

__all__ = ["Bucket"]

_EXTRAS: Mapping[str, str] = MappingProxyType({"s3": "s3", "gs": "gcs", "az": "azure"})
_PIECE_BYTES = 32 << 20
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
                self._made = fsspec.filesystem(self._name, use_listings_cache=False, skip_instance_cache=True)
            except ImportError as error:
                raise PluginMissing(
                    f"{self._name}:// needs more: pip install 'longshore-fsspec[{_EXTRAS[self._name]}]'"
                ) from error
        return self._made

    def put(self, path: Path, url: str) -> None:
        """Bring one file there; a large one goes in pieces. Nobody sees half of it.

        Raises:
            InputMissing: when there is no such bucket.
            DigestMismatch: when something else has arrived.
            StagingError: when it cannot be written.
        """
        size = path.stat().st_size
        with translated(url):
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
            try:
                found = self._files.find(f"{folder}/", prefix=prefix)
            except FileNotFoundError:
                self._files.ls(folder.split("/")[0])  # the bucket is there, and has nothing of the kind; or it is not
                found = []
        names = (name for name in found if not name.endswith("/") and wanted.fullmatch(name))
        return sorted(f"{scheme}://{name}" for name in names)

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
