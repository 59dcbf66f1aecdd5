"""Digests of the project's files and folders, remembered, so that a second look at ten gigabytes costs a stat.

A digest is remembered by the file's device, inode, size, and the nanoseconds of its two times. That is not believed of
a file that was changed less than two seconds before it was read, since file systems count time in steps: it could
change again unseen.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path

from attrs import frozen

from longshore.errors import InputMissing
from longshore.model.artifact import ArtifactKind
from longshore.model.attempt import Item
from longshore.remote.digest import MODE_BITS, NotStorable, digest_file, digest_found
from longshore.remote.store import put_bytes
from longshore.remote.walking import IGNORE_FILE, walk_input
from longshore.runtime.folders import Folders
from longshore.runtime.sidecar import Sidecar

__all__ = ["Digested", "Digests"]

_SETTLED_NS = 2 * 10**9
_TRIES = 3
_SMALL_BYTES = 1 << 20
"""To read so few twice costs less than to see to it that nobody does."""
_ALL_64_BITS = (1 << 64) - 1

_MIGRATIONS = (
    """
    CREATE TABLE digests (
        device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns
        INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (device, inode)
    ) WITHOUT ROWID
    """,
)

_RECALL = """
    SELECT device, inode, size, mtime_ns, ctime_ns, sha256 FROM digests
    WHERE device = ? AND inode IN (SELECT value FROM json_each(?))
"""

_Key = tuple[int, int, int, int, int]


@frozen
class Digested:
    """What is known of a file or folder of the project."""

    sha256: str
    size: int
    mode: int
    kind: ArtifactKind


class Digests:
    """Digests of files on this computer. Any thread may ask; a file is read by one of them, and the others wait for
    it.
    """

    def __init__(self, folder: Path, clock: Callable[[], int] = time.time_ns) -> None:
        """Name the project's store, in which ``digests.db`` is kept; the clock gives nanoseconds since 1970."""
        self._clock = clock
        self._store = folder
        self.folders = Folders()
        """What was seen of those that were digested."""
        self._db = Sidecar(folder / "digests.db", _MIGRATIONS, "Files that have not changed are read again.")
        self._known: dict[_Key, str] = {}
        self._new: list[tuple[_Key, str]] = []
        self._reading: dict[_Key, Future[str]] = {}
        self._listings: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def known(self, path: str) -> Digested | None:
        """Tell a file's digest without reading it; None when it must be read, and for folders.

        Raises:
            InputMissing: when there is nothing.
        """
        status = _stat(path)
        if not stat.S_ISREG(status.st_mode):
            return None
        sha256 = self._remembered(_key(status))
        return None if sha256 is None else Digested(sha256, status.st_size, status.st_mode & MODE_BITS, "file")

    def of(self, paths: Sequence[str], project: str = "") -> list[Digested]:
        """Tell the digests of files and folders, reading what is not known.

        Args:
            paths: where they are.
            project: a folder above them all, whose ignore files count for folders, as do those between; none when it is
                empty.

        Raises:
            InputMissing: when one does not exist, cannot be read, is neither file nor folder, is being written all
            the time, or is a folder of which ignore files leave out everything.
        """
        try:
            return [self._one(path, project or path) for path in paths]
        finally:
            self._save()

    def sending(self, items: Iterable[Item]) -> None:
        """Learn that these go to a machine: what is in a folder is kept in the store as it was found, so that nobody
        has to look again.
        """
        self.folders.sending(items)
        for item in items:
            listing = self._listings.pop(item.sha256, None) if item.kind == "folder" else None
            if listing is not None:
                with suppress(OSError):  # whoever sends it will look again
                    put_bytes(str(self._store), listing, item.sha256)

    def close(self) -> None:
        """Close the file of remembered digests."""
        self._save()
        self._db.close()

    def _one(self, path: str, project: str) -> Digested:
        status = _stat(path)
        mode = status.st_mode & MODE_BITS
        if stat.S_ISREG(status.st_mode):
            return Digested(self._file(path)[0], status.st_size, mode, "file")
        if not stat.S_ISDIR(status.st_mode):
            raise InputMissing(f"{path} is a socket, pipe or device; only files and folders can be inputs")
        try:
            found, left = walk_input(path, project)
            self._recall(status.st_dev, (item.inode() for _, item in found))
            folder = digest_found(found, partial(self._in_folder, status.st_dev))
        except NotStorable as error:
            raise InputMissing(str(error)) from error
        except OSError as error:
            raise _unreadable(path, error) from error
        if left and not folder.entries:
            raise InputMissing(
                f"the ignore files leave out all that is in {path}; a {IGNORE_FILE} in it, even an empty one, counts "
                "in place of every .gitignore"
            )
        self.folders.seen(path, folder, left)
        self._listings[folder.sha256] = folder.listing
        return Digested(folder.sha256, folder.size, mode, "folder")

    def _recall(self, device: int, inodes: Iterable[int]) -> None:
        """Learn what is remembered of many files at once."""
        wanted = json.dumps([_signed(inode) for inode in inodes])
        nothing: list[tuple[int, int, int, int, int, str]] = []
        rows = self._db.read(lambda db: db.execute(_RECALL, (_signed(device), wanted)).fetchall(), nothing)
        for there, inode, size, mtime, ctime, sha256 in rows:
            self._known[there & _ALL_64_BITS, inode & _ALL_64_BITS, size, mtime, ctime] = sha256

    def _in_folder(self, device: int, path: str, status: os.stat_result) -> tuple[str, int]:
        """Digest a file of a folder on that device, of whose files was learnt what is remembered."""
        key = _key(status)
        sha256 = self._known.get(key) or (key[0] != device and self._remembered(key)) or self._read(path, key)
        return (sha256, status.st_size) if sha256 else self._file(path)

    def _file(self, path: str) -> tuple[str, int]:
        for _ in range(_TRIES):
            status = _stat(path)
            key = _key(status)
            sha256 = self._remembered(key) or self._read(path, key)
            if sha256:
                return sha256, status.st_size
        raise InputMissing(f"{path} is being written while it is read; wait until it is complete, then run again")

    def _remembered(self, key: _Key) -> str | None:
        found = self._known.get(key)
        if found is None:
            row = self._db.read(
                lambda db: db.execute(
                    "SELECT sha256 FROM digests WHERE (device, inode, size, mtime_ns, ctime_ns) = (?, ?, ?, ?, ?)",
                    _row(key),
                ).fetchone(),
                None,
            )
            if row is not None:
                found = self._known[key] = row[0]
        return found

    def _read(self, path: str, key: _Key) -> str:
        """Read a file, or wait for the thread that does; empty when it changed meanwhile."""
        if key[2] <= _SMALL_BYTES:
            return self._read_now(path, key)
        with self._lock:
            reading = self._reading.get(key)
            mine = reading is None
            if reading is None:
                reading = self._reading[key] = Future()
        if not mine:
            return reading.result()
        sha256 = ""
        try:
            sha256 = self._read_now(path, key)
        finally:
            with self._lock:
                del self._reading[key]
            reading.set_result(sha256)
        return sha256

    def _read_now(self, path: str, key: _Key) -> str:
        began = self._clock()
        try:
            sha256, _ = digest_file(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        if _key(_stat(path)) != key:
            return ""
        if max(key[3], key[4]) + _SETTLED_NS < began:
            with self._lock:
                self._known[key] = sha256
                self._new.append((key, sha256))
        return sha256

    def _save(self) -> None:
        with self._lock:
            new, self._new = self._new, []
        if new:
            rows = [(*_row(key), sha256) for key, sha256 in new]
            self._db.write(
                lambda db: db.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?)", rows), None
            )


def _key(status: os.stat_result) -> _Key:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _row(key: _Key) -> _Key:
    device, inode, *rest = key
    size, mtime, ctime = rest
    return _signed(device), _signed(inode), size, mtime, ctime


def _signed(number: int) -> int:
    """SQLite's integers have 63 bits and a sign; some file systems use all 64 bits for inodes."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _stat(path: str) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> InputMissing:
    name = error.filename if isinstance(error.filename, str) else path
    if isinstance(error, FileNotFoundError):
        return InputMissing(f"{name} does not exist")
    return InputMissing(f"{name} cannot be read: {error.strerror}")
