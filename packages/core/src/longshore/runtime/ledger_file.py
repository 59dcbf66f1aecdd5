"""The ledger's file: made, migrated and opened so that several processes can share it, and nobody else reads it."""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from longshore.errors import DiskFull, LedgerError
from longshore.folders import state_folder

__all__ = ["SCHEMA_VERSION", "default_path", "locked", "open_file", "transaction", "translated"]

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE leases (
    id TEXT PRIMARY KEY, provider TEXT NOT NULL, account TEXT NOT NULL, run TEXT NOT NULL, phase TEXT NOT NULL,
    machine TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX living_leases ON leases (run) WHERE phase <> 'absent';
CREATE TABLE history (
    seq INTEGER PRIMARY KEY, lease TEXT NOT NULL, at REAL NOT NULL, phase TEXT NOT NULL, launch INTEGER NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX history_of_lease ON history (lease);
CREATE TABLE budgets (name TEXT PRIMARY KEY, amount TEXT NOT NULL, currency TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE reservations (
    budget TEXT NOT NULL REFERENCES budgets, lease TEXT NOT NULL REFERENCES leases, amount TEXT NOT NULL,
    PRIMARY KEY (budget, lease)
) WITHOUT ROWID;
CREATE TABLE sides (
    provider TEXT NOT NULL, account TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, region TEXT NOT NULL,
    PRIMARY KEY (provider, account, id)
) WITHOUT ROWID;
CREATE TABLE side_users (
    provider TEXT NOT NULL, account TEXT NOT NULL, id TEXT NOT NULL, lease TEXT NOT NULL,
    PRIMARY KEY (provider, account, id, lease), FOREIGN KEY (provider, account, id) REFERENCES sides
) WITHOUT ROWID;
"""

_MIGRATIONS: Mapping[int, str] = {}
"""SQL that takes a ledger of the version that is the key to the next one."""

_DAMAGED = (
    "is damaged; move it away: a new one is begun, and what is still rented is then listed by `longshore gc` as "
    "foreign, by your owner tag"
)
_WAIT_SECONDS = 30.0
_PAUSE_SECONDS = 0.02


def default_path(environment: Mapping[str, str]) -> Path:
    """Say where a user's ledger lies: in the folder of his state, so that it outlives all projects."""
    return state_folder(environment) / "ledger.db"


def open_file(path: Path) -> sqlite3.Connection:
    """Open a ledger for its owner alone, making or migrating it where needed.

    Raises:
        LedgerError: when it cannot be made or read, is damaged, or a newer version wrote it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(path.with_suffix(".lock")):
            if not path.exists():
                _create(path)
        path.chmod(0o600)
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be made or read: {error.strerror}") from error
    with translated(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_WAIT_SECONDS)
    try:
        with translated(path):
            # No WAL: homes lie on network file systems too, where its shared memory does not work.
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _check(connection, path)
    except LedgerError:
        connection.close()
        raise
    return connection


@contextmanager
def locked(path: Path, *, patience: timedelta = timedelta(seconds=_WAIT_SECONDS)) -> Iterator[None]:
    """Hold a lock file; other processes, and other holders in this one, wait for it.

    Raises:
        LedgerError: when somebody holds it longer than ``patience``.
        OSError: when the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + patience.total_seconds()
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise LedgerError(f"{path} has been held for {patience}; is another longshore hanging?") from None
                time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """Do all of the block or nothing; alone, and on the disk when it is over.

    Raises:
        LedgerError: when the disk does not take it.
    """
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Give SQLite's errors in the block their words."""
    try:
        yield
    except sqlite3.Error as error:
        raise _in_words(error, path) from error


class LedgerDiskFull(LedgerError, DiskFull):
    """The ledger cannot be written because the disk is full."""


def _create(path: Path) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as draft:
        draft.executescript(_SCHEMA)
        draft.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        made = {"id": f"l-{secrets.token_hex(8)}", "secret": secrets.token_hex(32)}
        draft.executemany("INSERT INTO meta VALUES (?, ?)", made.items())
        content = draft.serialize()
    beside = path.with_suffix(".new")  # renamed when whole, so that a ledger exists wholly or not at all
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"{path} has format {version}; this version knows up to {SCHEMA_VERSION}: use a newer Longshore"
        )
    if version == 0 or connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise LedgerError(f"the ledger {path} {_DAMAGED}")
    while version < SCHEMA_VERSION:
        # Another process may be at it: whoever comes second finds the version raised.
        connection.executescript(f"BEGIN IMMEDIATE;{_MIGRATIONS[version]};PRAGMA user_version = {version + 1};COMMIT")
        version = connection.execute("PRAGMA user_version").fetchone()[0]


def _in_words(error: sqlite3.Error, path: Path) -> LedgerError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return LedgerDiskFull(f"no room left on the disk of {path}; free some: without the ledger nothing is rented")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return LedgerError(f"the ledger {path} {_DAMAGED}")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return LedgerError(f"the ledger {path} cannot be written; make its folder writable for you")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LedgerError(f"the ledger {path} has been busy for {_WAIT_SECONDS:.0f} s; is another longshore hanging?")
    return LedgerError(f"the ledger {path} failed: {error}")
