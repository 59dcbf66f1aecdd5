"""SQLite files beside the project's data that are worth keeping and may be lost: indexes and remembered digests.

Several processes use one at once. A damaged file is moved aside and begun anew, with one warning; when the disk is full
or read-only, work goes on without it.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

__all__ = ["Sidecar"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_PATIENCE_SECONDS = 10.0


class Sidecar:
    """One such file. Made without I/O; opened when it is first used; any thread may use it."""

    def __init__(self, path: Path, migrations: Sequence[str], loss: str) -> None:
        """Name the file, the scripts that make it (each raises its schema version by one), and what its loss means."""
        self.path = path
        self._migrations = migrations
        self._loss = loss
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._given_up = False
        self._warned = False

    def read(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        """Do work that changes nothing, and answer what it answers; or ``otherwise``, when there is no usable file."""
        if self._db is None and not self.path.exists():
            return otherwise
        return self._use(work, otherwise, "BEGIN")

    def write(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        """Do some work in one transaction that no other process's can come between; answer as `read` does."""
        return self._use(work, otherwise, "BEGIN IMMEDIATE")

    def _use(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T, begin: str) -> _T:
        with self._lock:
            for _ in range(2):
                if self._given_up:
                    break
                try:
                    with _transaction(self._connected(), begin) as db:
                        return work(db)
                except sqlite3.Error as error:
                    self._disconnect()
                    # Errors that Python itself makes have no code.
                    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                        self._warn_of(error)
                        break
                    self._move_aside()
                except OSError as error:
                    self._warn_of(error)
                    break
            return otherwise

    def close(self) -> None:
        """Close the file; it is opened again when it is used again."""
        with self._lock:
            self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Autocommit, since transactions are begun by hand; between threads the lock sees to it that one uses it at
            # a time.
            db = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False)
            self._db = db
            self._inode = _inode_of(self.path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            self._migrate(db)
        return self._db

    def _migrate(self, db: sqlite3.Connection) -> None:
        known = len(self._migrations)
        if db.execute("PRAGMA user_version").fetchone()[0] == known:
            return
        with _transaction(db, "BEGIN IMMEDIATE"):
            version = db.execute("PRAGMA user_version").fetchone()[0]  # again: another process may have been faster
            if version > known:
                self._given_up = True
                message = f"{self.path} has format {version}, and this version of Longshore knows up to {known}"
                raise sqlite3.NotSupportedError(message)
            for script in self._migrations[version:]:
                for statement in script.split(";"):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {known}")

    def _disconnect(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _move_aside(self) -> None:
        """Put a damaged file out of the way, unless another process has done so since it was opened."""
        with Path(f"{self.path}.lock").open("a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _inode_of(self.path) != self._inode:
                return
            names = (f"{self.path}.damaged-{number}" for number in itertools.count(1))
            aside = next(name for name in names if not Path(name).exists())
            for ending in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self.path}{ending}").rename(f"{aside}{ending}")
        _log.warning("%s was damaged; it has been moved to %s and begins anew. %s", self.path, aside, self._loss)

    def _warn_of(self, error: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        _log.warning("%s cannot be used: %s. %s", self.path, error, self._loss)


@contextmanager
def _transaction(db: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
    db.execute(begin)
    try:
        yield db
    except BaseException:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _inode_of(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
