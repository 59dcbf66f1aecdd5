"""The record of a run: ``.longshore/runs/<run-id>/run.db``.

SQLite in WAL mode. ``events`` is append-only and is the truth; ``tasks`` says where each task stands and is written in
the same transaction, so that a reader need not replay anything. Every turn of the loop is one commit at
``synchronous=NORMAL`` (a SIGKILL loses nothing); `Journal.sync` makes what is committed safe against a power cut too.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Self

from longshore.errors import DiskFull, JournalError
from longshore.model.events import Event
from longshore.runtime.codec import decode, encode
from longshore.runtime.schema import MIGRATIONS, SCHEMA, SCHEMA_VERSION
from longshore.scheduler.state import TaskState

__all__ = ["Journal", "TaskRow", "task_row"]

TaskRow = tuple[int, str, str, int, str, str]
"""Position, id, phase, attempts, machine, failure class or empty."""


def task_row(task: TaskState) -> TaskRow:
    """Say where a task stands, as ``tasks`` has it."""
    failure = task.failure.value if task.failure else ""
    return task.view.order, task.task.id, task.phase.value, task.attempts, task.machine, failure


class Journal:
    """A run's record, open for writing. One controller at a time; `longshore.runtime.lock` sees to that."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._wal: int | None = None
        self._open_transaction = False
        self.unsynced = False
        """Whether anything is committed that a power cut could still take."""

    @classmethod
    def create(cls, folder: Path, meta: Mapping[str, str]) -> Self:
        """Make the record of a new run in a folder that exists.

        Raises:
            JournalError: when there is one already, or the disk takes nothing.
        """
        path = folder / "run.db"
        if path.exists():
            raise JournalError(f"{path} exists already; a run's record is never overwritten")
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as draft:
            draft.executescript(SCHEMA)
            draft.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            draft.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            content = bytearray(draft.serialize())
        # Born in WAL mode (sqlite.org/fileformat2.html, 1.3.2): to switch to it later would take a rollback journal,
        # and a crash before that is gone would leave a file that nobody can read who may not write.
        content[18:20] = b"\x02\x02"
        # Written beside and renamed, so that a run exists wholly or not at all.
        beside = folder / "run.db.new"
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(path)
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}") from error
        return cls(_connect(path), path)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the record of a run, taking an older format to the present one.

        Raises:
            JournalError: when there is none, it is damaged, or a newer version wrote it.
        """
        path = folder / "run.db"
        if not path.exists():
            raise JournalError(f"{path} does not exist: there is no such run")
        connection = _connect(path)
        try:
            _migrate(connection, path)
            damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            connection.close()
            raise _translate(error, path) from error
        if damage != "ok":
            connection.close()
            raise JournalError(
                f"{path} is damaged ({damage}); start the workflow anew with --new: what is cached is not run again"
            )
        return cls(connection, path)

    def meta(self) -> dict[str, str]:
        """Read what was written down when the run was made."""
        return dict(self._connection.execute("SELECT key, value FROM meta"))

    def events(self) -> Iterator[Event]:
        """Replay everything that has happened, oldest first.

        Raises:
            JournalError: when an event is damaged or of a newer version.
        """
        try:
            for kind, at, body in self._connection.execute("SELECT kind, at, body FROM events ORDER BY seq"):
                yield decode(kind, at, body)
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error

    def write(self, events: Iterable[Event], rows: Iterable[TaskRow]) -> None:
        """Add events, and where tasks stand now, to the present transaction.

        Raises:
            JournalError: when they cannot be written.
        """
        try:
            if not self._open_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
                self._open_transaction = True
            self._connection.executemany("INSERT INTO events (kind, at, body) VALUES (?, ?, ?)", map(encode, events))
            self._connection.executemany("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error

    def set_meta(self, key: str, value: str) -> None:
        """Change a word of what `meta` tells, in the present transaction.

        Raises:
            JournalError: when it cannot be written.
        """
        self.write((), ())
        try:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error

    def commit(self) -> None:
        """End the present transaction: from here on a crash of this process loses nothing of it.

        Raises:
            JournalError: when the disk is full or broken; the run must stop.
        """
        if not self._open_transaction:
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error
        self._open_transaction = False
        self.unsynced = True

    def sync(self) -> None:
        """Make what is committed safe against a power cut, as a commit at ``synchronous=FULL`` would.

        Raises:
            JournalError: when the disk does not take it.
        """
        if not self.unsynced:
            return
        try:
            if self._wal is None:
                self._wal = os.open(f"{self._path}-wal", os.O_RDWR | os.O_CLOEXEC)
            # The WAL file lives as long as this connection, so one descriptor serves for good.
            getattr(os, "fdatasync", os.fsync)(self._wal)
        except OSError as error:
            raise JournalError(f"the journal {self._path} cannot be synced: {error.strerror}") from error
        self.unsynced = False

    def close(self) -> None:
        """Close the record; what was not committed is dropped."""
        if self._wal is not None:
            os.close(self._wal)
            self._wal = None
        self._connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    try:
        # The loop's thread is the only one that uses it; it is opened in another.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path} has format {version}; this version knows up to {SCHEMA_VERSION}: use a newer Longshore"
        )
    if version == 0:
        raise JournalError(f"{path} is no journal of a run")
    while version < SCHEMA_VERSION:
        connection.executescript(f"BEGIN;{MIGRATIONS[version]};PRAGMA user_version = {version + 1};COMMIT")
        version += 1


def _translate(error: sqlite3.Error, path: Path) -> JournalError:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        code &= 0xFF
    if code == sqlite3.SQLITE_FULL:
        return JournalDiskFull(f"no room left on the disk of {path}; free some, then `longshore resume`")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return JournalError(f"{path} cannot be written; make its folder writable, then `longshore resume`")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return JournalError(f"{path} is damaged; start the workflow anew with --new: what is cached is not run again")
    return JournalError(f"the journal {path} failed: {error}")


class JournalDiskFull(JournalError, DiskFull):
    """The journal cannot be written because the disk is full."""
