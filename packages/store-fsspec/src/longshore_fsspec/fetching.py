"""Bringing one object here: in pieces, taken up again where it broke off, and looked at before it counts."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import frozen

from longshore.errors import DigestMismatch, InputMissing, LongshoreError
from longshore_fsspec.errors import translated

__all__ = ["About", "Fetching"]

_TRIES = 4
_FULL = (errno.ENOSPC, errno.EDQUOT)


@frozen(kw_only=True)
class About:
    """What is known of an object."""

    size: int | None
    stamp: str
    """Changes whenever the object does; empty when nobody can tell."""
    md5: str = ""
    """Empty when it is not known."""


class Fetching(ABC):
    """The half of a `longshore.plugin.Store` that reads."""

    @abstractmethod
    def _about(self, url: str) -> About:
        """Look at an object."""

    @abstractmethod
    def _read(self, url: str, about: About, part: Path) -> None:
        """Add to a file what it has not yet of an object; what of it is there may stay when that breaks off."""

    @abstractmethod
    def _begin(self, url: str, most: int) -> bytes:
        """Give at most so many bytes of the beginning of an object."""

    def peek(self, url: str, most: int) -> bytes:
        """Give at most so many bytes of the beginning of an object.

        Raises:
            InputMissing, StagingError: as `fetch`.
        """
        with translated(url):
            return self._begin(url, most)

    def stamp(self, url: str) -> str:
        """Give what changes whenever the object does; empty when nobody can tell.

        Raises:
            InputMissing, StagingError: as `fetch`.
        """
        with translated(url):
            return self._about(url).stamp

    def fetch(self, url: str, into: Path) -> None:
        """Bring one object here, whole or not at all. What breaks off goes on where it was, also the next time.

        Raises:
            InputMissing: when it is not there, or not any more.
            DigestMismatch: when it is not what it is said to be, or does not stay the same for long enough.
            DiskFull, StagingError: when it cannot be written here, or not be read there.
        """
        with translated(url):
            about = self._about(url)
            into.parent.mkdir(parents=True, exist_ok=True)
            with _part(into, f"{url} {about.stamp}") as part:
                self._insist(url, about, part)
                self._check(url, about, part)
                part.replace(into)

    def _insist(self, url: str, about: About, part: Path) -> None:
        for left in reversed(range(_TRIES)):
            try:
                self._read(url, about, part)
                return
            except FileNotFoundError:
                part.unlink(missing_ok=True)
                raise InputMissing(f"{url} was there a moment ago, and is gone") from None
            except (LongshoreError, PermissionError):
                raise
            except Exception as error:
                if not left or getattr(error, "errno", None) in _FULL:
                    raise

    def _check(self, url: str, about: About, part: Path) -> None:
        """See that it is the object of which was told, all of it."""
        try:
            if self._about(url).stamp != about.stamp:
                raise DigestMismatch(f"{url} changed while it was being fetched; run it again to use the new content")
            if about.size not in (None, part.stat().st_size) or (about.md5 and _md5(part) != about.md5):
                raise DigestMismatch(f"{url} was damaged on its way")
        except DigestMismatch:
            part.unlink(missing_ok=True)
            raise


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@contextmanager
def _part(into: Path, what: str) -> Iterator[Path]:
    """Give a file for what has come so far; another one when somebody else fetches the same."""
    part = into.with_name(f".{into.name}.{hashlib.sha256(what.encode()).hexdigest()[:16]}.part")
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            part = into.with_name(f".{into.name}.{os.urandom(8).hex()}.part")
        yield part
    finally:
        os.close(handle)
        with suppress(OSError):
            if part.stat().st_size == 0:
                part.unlink()
