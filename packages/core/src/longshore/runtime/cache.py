"""What earlier runs have made: successes by identity, and the objects of their outputs under a size cap.

The objects lie in ``<folder>/objects`` by digest (see `longshore.remote.store`); which success needs which is in
``<folder>/index.db``. All processes of a project use both at once. A success counts only as long as all of its objects
are there.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import frozen

from longshore.model.artifact import Artifact
from longshore.model.jsontext import json_writer
from longshore.remote.digest import digest_file
from longshore.remote.store import object_path
from longshore.runtime.sidecar import Sidecar
from longshore.runtime.sweep import Cleaned, Plan, contents, sweep

__all__ = ["DEFAULT_CAP_BYTES", "Cache", "Cleaned", "Success"]

_log = logging.getLogger(__name__)

DEFAULT_CAP_BYTES = 50 * 2**30

_MIGRATIONS = (
    """
    CREATE TABLE successes (
        identity TEXT PRIMARY KEY, workflow TEXT NOT NULL, task TEXT NOT NULL, run TEXT NOT NULL, at REAL NOT NULL,
        parts TEXT NOT NULL, outputs TEXT NOT NULL, result TEXT, used REAL NOT NULL, evicted INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE latest (
        workflow TEXT NOT NULL, task TEXT NOT NULL, identity TEXT NOT NULL, PRIMARY KEY (task, workflow)
    ) WITHOUT ROWID;
    CREATE TABLE pins (run TEXT NOT NULL, identity TEXT NOT NULL, PRIMARY KEY (identity, run)) WITHOUT ROWID;
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counters VALUES ('bytes', 0)
    """,
)
_FIND = """
    SELECT identity, workflow, task, run, at, parts, outputs, result, used FROM successes
    WHERE NOT evicted AND identity IN (SELECT value FROM json_each(?))
"""
_RECALL = "SELECT identity, workflow, task, run, at, parts, outputs, result, used FROM successes WHERE identity = ?"
_FIND_LATEST = """
    SELECT identity, l.workflow, l.task, run, at, parts, outputs, result FROM latest AS l JOIN successes USING
    (identity) WHERE l.workflow = ? AND l.task IN (SELECT value FROM json_each(?))
"""
_PIN = "INSERT OR IGNORE INTO pins VALUES (?, ?)"
_NOTE = "INSERT OR REPLACE INTO successes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
_NOTE_ELSEWHERE = "INSERT OR IGNORE INTO successes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
_dumps = json_writer()

_USED_STEP_SECONDS = 3600.0
"""A success is noted as used at most this often, so that a run in which all is up to date writes nothing."""


@frozen(kw_only=True)
class Success:
    """A task that succeeded, by what it is known."""

    identity: str
    workflow: str = ""
    task: str
    run: str
    at: datetime
    parts: str
    """What the identity was made of, as JSON text."""
    outputs: tuple[Artifact, ...] = ()
    result: str | None = None


class Cache:
    """The successes and objects of a project. Any thread may ask; nothing is opened before it is needed."""

    def __init__(self, folder: Path, cap_bytes: int = DEFAULT_CAP_BYTES) -> None:
        self._folder = folder
        self._cap_bytes = cap_bytes
        self._index = Sidecar(
            folder / "index.db", _MIGRATIONS, "No result is lost, but tasks that were up to date may run again."
        )
        self._there: set[str] = set()

    def look_up(self, identities: Sequence[str], *, run: str = "") -> Mapping[str, Success]:
        """Find those that have succeeded before and whose outputs can still be had, by identity.

        ``run`` needs them from now on, until `unpin`.
        """
        if not identities or not self._index.path.exists():
            return {}
        wanted = json.dumps(list(identities))
        now = datetime.now(UTC).timestamp()

        def work(db: sqlite3.Connection) -> list[Success]:
            rows = db.execute(_FIND, (wanted,)).fetchall()
            there = [(_success(row[:-1]), row[-1]) for row in rows]
            hits = [(success, used) for success, used in there if self._has_all(success.outputs)]
            if run:
                db.executemany(_PIN, [(run, hit.identity) for hit, _ in hits if hit.outputs])
            stale = [(now, hit.identity) for hit, used in hits if now - used > _USED_STEP_SECONDS]
            db.executemany("UPDATE successes SET used = ? WHERE identity = ?", stale)
            return [hit for hit, _ in hits]

        nothing: list[Success] = []
        return {success.identity: success for success in self._index.write(work, nothing)}

    def remember(self, successes: Iterable[Success]) -> None:
        """Note successes, all of them or none; each one's run needs their outputs from now on, until `unpin`."""
        noted = list(successes)
        if not noted:
            return
        now = datetime.now(UTC).timestamp()

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_NOTE, [(*_row(each), now) for each in noted])
            names = [(each.workflow, each.task, each.identity) for each in noted]
            db.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?, ?)", names)
            db.executemany(_PIN, [(each.run, each.identity) for each in noted if each.outputs])
            size = sum(artifact.size for each in noted for artifact in each.outputs)
            db.execute("UPDATE counters SET value = value + ? WHERE name = 'bytes'", (size,))

        self._index.write(work, None)

    def recall(self, identity: str) -> Success | None:
        """Find one whether or not its outputs can still be had."""
        if not self._index.path.exists():
            return None
        now = datetime.now(UTC).timestamp()

        def work(db: sqlite3.Connection) -> Success | None:
            row = db.execute(_RECALL, (identity,)).fetchone()
            if row is not None and now - row[-1] > _USED_STEP_SECONDS:
                db.execute("UPDATE successes SET used = ? WHERE identity = ?", (now, identity))
            return None if row is None else _success(row[:-1])

        nothing: Success | None = None
        return self._index.write(work, nothing)

    def remember_elsewhere(self, success: Success) -> None:
        """Note a success whose outputs are not in the project's store, for `recall` alone."""
        now = datetime.now(UTC).timestamp()
        self._index.write(lambda db: db.execute(_NOTE_ELSEWHERE, (*_row(success), now)), None)

    def latest(self, task: str, *, workflow: str = "") -> Success | None:
        """Give a task's last success, whether or not its outputs can still be had."""
        return self.latest_of([task], workflow=workflow).get(task)

    def latest_of(self, tasks: Sequence[str], *, workflow: str = "") -> Mapping[str, Success]:
        """Give the last successes of some tasks, by task."""
        if not tasks:
            return {}
        wanted = json.dumps(list(tasks))

        def work(db: sqlite3.Connection) -> list[Any]:
            return db.execute(_FIND_LATEST, (workflow, wanted)).fetchall()

        nothing: list[Any] = []
        return {row[2]: _success(row) for row in self._index.read(work, nothing)}

    def unpin(self, run: str) -> None:
        """Say that a run has ended for good and needs nothing any more."""
        self._index.write(lambda db: db.execute("DELETE FROM pins WHERE run = ?", (run,)), None)

    def trim(self) -> Cleaned:
        """Bring the cache under its cap, by what was used least recently and no run needs; cheap when it is under
        it.
        """
        counted = self._index.read(lambda db: db.execute("SELECT value FROM counters").fetchone(), None)
        if counted is None or counted[0] <= self._cap_bytes:
            return Cleaned()
        return self.clean()

    def clean(self, *, older_than: timedelta | None = None, everything: bool = False, dry_run: bool = False) -> Cleaned:
        """Remove what was not used for so long, or everything, or else what exceeds the cap; never what a run needs.

        With ``dry_run`` only say what would go.
        """
        unused_since = float("-inf") if older_than is None else (datetime.now(UTC) - older_than).timestamp()
        plan = Plan(
            keep_bytes=0 if everything else self._cap_bytes,
            unused_since=float("inf") if everything else unused_since,
            dry_run=dry_run,
        )
        self._there.clear()
        return sweep(self._index, self._folder, plan)

    def verify(self, sha256: str) -> bool:
        """Say whether an object is there and is what its name says. One that is damaged is removed, so that nobody is
        given it.
        """
        path = Path(object_path(str(self._folder), sha256))
        try:
            if digest_file(str(path))[0] == sha256:
                return True
        except FileNotFoundError:
            return False
        _log.warning("%s was damaged and has been removed; the task that wrote it will run again", path)
        path.unlink(missing_ok=True)
        self._there.discard(sha256)
        return False

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def _has_all(self, outputs: Iterable[Artifact]) -> bool:
        """Say whether all objects of some outputs are there; what was seen once is not looked at again."""
        store = str(self._folder)
        for artifact in outputs:
            if artifact.sha256 not in self._there:
                found = contents(store, artifact.sha256, artifact.kind, artifact.size)
                if found is None:
                    return False
                self._there.add(artifact.sha256)
        return True


def _row(success: Success) -> tuple[Any, ...]:
    outputs = [(each.path, each.sha256, each.size, each.mode, each.kind) for each in success.outputs]
    return (
        success.identity,
        success.workflow,
        success.task,
        success.run,
        success.at.timestamp(),
        success.parts,
        _dumps(outputs) if outputs else "[]",
        success.result,
    )


def _success(row: Sequence[Any]) -> Success:
    identity, workflow, task, run, at, parts, outputs, result = row
    return Success(
        identity=identity,
        workflow=workflow,
        task=task,
        run=run,
        at=datetime.fromtimestamp(at, UTC),
        parts=parts,
        outputs=tuple(
            Artifact(path=path, sha256=sha256, size=size, mode=mode, kind=kind)
            for path, sha256, size, mode, kind in json.loads(outputs)
        ),
        result=result,
    )
